-- +goose Up
-- The reindex of a release that was asked for last. It is done when done has reached asked; lease_owner works on it
-- until lease_until, at most. source is 'rows' or 'published'; renderer is the least version of the program that may do
-- it. result is JSON.
CREATE TABLE reindexes (
    release_id  INTEGER PRIMARY KEY REFERENCES releases (id),
    asked       INTEGER NOT NULL,
    done        INTEGER NOT NULL,
    source      TEXT    NOT NULL,
    repair      INTEGER NOT NULL,
    renderer    INTEGER NOT NULL,
    asked_by    TEXT    NOT NULL,
    asked_at    INTEGER NOT NULL,
    lease_owner TEXT    NOT NULL,
    lease_until INTEGER NOT NULL,
    attempts    INTEGER NOT NULL,
    rendered    INTEGER NOT NULL,
    outcome     TEXT    NOT NULL,
    result      TEXT    NOT NULL,
    finished_at INTEGER
);
DROP TABLE reindex_releases;
DROP TABLE reindex_runs;

-- The version of what rendered the published indexes.
ALTER TABLE releases ADD COLUMN renderer INTEGER NOT NULL DEFAULT 0;
UPDATE releases SET renderer = 1;

-- +goose Down
ALTER TABLE releases DROP COLUMN renderer;
DROP TABLE reindexes;
