-- +goose NO TRANSACTION
-- +goose Up
-- Every pair that this catalog ever drew, so that a pointer with any other pair shows lost history.
CREATE TABLE IF NOT EXISTS publications (
    release_id   BIGINT        NOT NULL,
    revision     BIGINT        NOT NULL,
    nonce        VARBINARY(16) NOT NULL,
    drawn_at     BIGINT        NOT NULL,
    published_at BIGINT,
    PRIMARY KEY (release_id, revision),
    FOREIGN KEY (release_id) REFERENCES releases (id)
) ENGINE = InnoDB;

-- +goose Down
DROP TABLE IF EXISTS publications;
