-- +goose NO TRANSACTION
-- +goose Up
-- The releases, and their revisions, that an upload waits for.
CREATE TABLE IF NOT EXISTS upload_releases (
    upload_id  BIGINT NOT NULL,
    release_id BIGINT NOT NULL,
    revision   BIGINT NOT NULL,
    PRIMARY KEY (upload_id, release_id),
    KEY upload_releases_by_release (release_id, revision),
    FOREIGN KEY (upload_id) REFERENCES uploads (id),
    FOREIGN KEY (release_id) REFERENCES releases (id)
) ENGINE = InnoDB;

-- +goose Down
DROP TABLE IF EXISTS upload_releases;
