-- +goose NO TRANSACTION
-- +goose Up
-- Every pair of settings that this catalog drew, or took over from the bucket.
CREATE TABLE IF NOT EXISTS settings_pairs (
    repository_id BIGINT        NOT NULL,
    revision      BIGINT        NOT NULL,
    nonce         VARBINARY(64) NOT NULL,
    drawn_at      BIGINT        NOT NULL,
    PRIMARY KEY (repository_id, revision, nonce),
    FOREIGN KEY (repository_id) REFERENCES repositories (id)
) ENGINE = InnoDB;

-- +goose Down
DROP TABLE IF EXISTS settings_pairs;
