-- +goose NO TRANSACTION
-- +goose Up
-- The pairs of pointers that this catalog did not draw, and whose rows it has taken over.
CREATE TABLE IF NOT EXISTS foreign_pairs (
    release_id BIGINT        NOT NULL,
    revision   BIGINT        NOT NULL,
    nonce      VARBINARY(64) NOT NULL,
    adopted_at BIGINT        NOT NULL,
    PRIMARY KEY (release_id, revision, nonce),
    FOREIGN KEY (release_id) REFERENCES releases (id)
) ENGINE = InnoDB;

-- +goose Down
DROP TABLE IF EXISTS foreign_pairs;
