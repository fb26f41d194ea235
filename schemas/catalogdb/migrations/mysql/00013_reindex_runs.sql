-- +goose NO TRANSACTION
-- +goose Up
-- What somebody asked to have reindexed, and how far that is. selection is a JSON array of targets; seen_at
-- says when its process was last at work, and holder which process that is.
CREATE TABLE IF NOT EXISTS reindex_runs (
    id          BIGINT         NOT NULL AUTO_INCREMENT PRIMARY KEY,
    selection   MEDIUMBLOB     NOT NULL,
    source      VARBINARY(16)  NOT NULL,
    state       VARBINARY(16)  NOT NULL,
    started_by  VARBINARY(255) NOT NULL,
    holder      VARBINARY(32)  NOT NULL,
    started_at  BIGINT         NOT NULL,
    seen_at     BIGINT         NOT NULL,
    finished_at BIGINT
) ENGINE = InnoDB;

-- +goose Down
DROP TABLE IF EXISTS reindex_runs;
