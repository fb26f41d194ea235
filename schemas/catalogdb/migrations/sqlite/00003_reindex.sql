-- +goose Up
-- What changed in a release since a revision.
CREATE INDEX appearances_by_revision ON appearances (release_id, revision);

-- Who has a release for itself for a while: other publishers wait.
CREATE TABLE release_holds (
    release_id INTEGER PRIMARY KEY REFERENCES releases (id),
    holder     TEXT    NOT NULL,
    held_until INTEGER NOT NULL
);

-- What somebody asked to have reindexed, and how far that is. selection is a JSON array of targets; seen_at
-- says when its process was last at work, and holder which process that is.
CREATE TABLE reindex_runs (
    id          INTEGER PRIMARY KEY,
    selection   TEXT    NOT NULL,
    source      TEXT    NOT NULL,
    state       TEXT    NOT NULL,
    started_by  TEXT    NOT NULL,
    holder      TEXT    NOT NULL,
    started_at  INTEGER NOT NULL,
    seen_at     INTEGER NOT NULL,
    finished_at INTEGER
);
CREATE TABLE reindex_releases (
    run_id       INTEGER NOT NULL REFERENCES reindex_runs (id),
    release_name TEXT    NOT NULL,
    state        TEXT    NOT NULL,
    detail       TEXT    NOT NULL,
    finished_at  INTEGER,
    PRIMARY KEY (run_id, release_name)
);

-- +goose Down
DROP TABLE reindex_releases;
DROP TABLE reindex_runs;
DROP TABLE release_holds;
DROP INDEX appearances_by_revision;
