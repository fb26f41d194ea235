-- +goose NO TRANSACTION
-- +goose Up
-- How far a run is with each of its releases.
CREATE TABLE IF NOT EXISTS reindex_releases (
    run_id       BIGINT         NOT NULL,
    release_name VARBINARY(600) NOT NULL,
    state        VARBINARY(16)  NOT NULL,
    detail       MEDIUMBLOB     NOT NULL,
    finished_at  BIGINT,
    PRIMARY KEY (run_id, release_name),
    FOREIGN KEY (run_id) REFERENCES reindex_runs (id)
) ENGINE = InnoDB;

-- +goose Down
DROP TABLE IF EXISTS reindex_releases;
