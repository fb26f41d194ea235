-- +goose NO TRANSACTION
-- +goose Up
-- The revision with which a package came into a release or, once yanked, went out of it. 0: before
-- all revisions. Negative: it went before any client saw it. Where nothing is said, the first.
CREATE TABLE IF NOT EXISTS appearances (
    package_id BIGINT NOT NULL,
    release_id BIGINT NOT NULL,
    revision   BIGINT NOT NULL,
    PRIMARY KEY (package_id, release_id),
    FOREIGN KEY (package_id) REFERENCES packages (id),
    FOREIGN KEY (release_id) REFERENCES releases (id)
) ENGINE = InnoDB;

-- +goose Down
DROP TABLE IF EXISTS appearances;
