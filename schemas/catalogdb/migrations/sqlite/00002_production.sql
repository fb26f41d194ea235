-- +goose Up
-- Every new column has a default and nothing is taken away, so that the previous release of the
-- program goes on working with these tables.
ALTER TABLE packages ADD COLUMN pushed_by   TEXT    NOT NULL DEFAULT '';
ALTER TABLE packages ADD COLUMN pushed_job  TEXT    NOT NULL DEFAULT '';
ALTER TABLE packages ADD COLUMN yanked_at   INTEGER;
ALTER TABLE packages ADD COLUMN yank_reason TEXT    NOT NULL DEFAULT '';
ALTER TABLE packages ADD COLUMN yanked_by   TEXT    NOT NULL DEFAULT '';
-- 1: the file of a yanked package is about to be deleted; 2: it is.
ALTER TABLE packages ADD COLUMN removed     INTEGER NOT NULL DEFAULT 0;
CREATE INDEX packages_to_remove ON packages (removed, yanked_at);

-- (settings_revision, settings_nonce) is drawn anew with every change; revision 0 was never drawn.
ALTER TABLE repositories ADD COLUMN settings_revision           INTEGER NOT NULL DEFAULT 0;
ALTER TABLE repositories ADD COLUMN settings_nonce              TEXT    NOT NULL DEFAULT '';
ALTER TABLE repositories ADD COLUMN published_settings_revision INTEGER NOT NULL DEFAULT 0;
ALTER TABLE repositories ADD COLUMN package_keys                TEXT    NOT NULL DEFAULT '[]';
ALTER TABLE repositories ADD COLUMN tokens                      TEXT    NOT NULL DEFAULT '[]';

-- staged says that the object still lies in the staging bucket.
ALTER TABLE uploads ADD COLUMN staged INTEGER NOT NULL DEFAULT 1;
CREATE INDEX uploads_staged ON uploads (staged, finished_at);
CREATE INDEX uploads_by_time ON uploads (received_at);

-- Every pair of settings that this catalog drew, or took over from the bucket.
CREATE TABLE settings_pairs (
    repository_id INTEGER NOT NULL REFERENCES repositories (id),
    revision      INTEGER NOT NULL,
    nonce         TEXT    NOT NULL,
    drawn_at      INTEGER NOT NULL,
    PRIMARY KEY (repository_id, revision, nonce)
);

-- The pairs of pointers that this catalog did not draw, and whose rows it has taken over.
CREATE TABLE foreign_pairs (
    release_id INTEGER NOT NULL REFERENCES releases (id),
    revision   INTEGER NOT NULL,
    nonce      TEXT    NOT NULL,
    adopted_at INTEGER NOT NULL,
    PRIMARY KEY (release_id, revision, nonce)
);

-- The revision with which a package came into a release or, once yanked, went out of it. 0: before
-- all revisions. Negative: it went before any client saw it. Where nothing is said, the first.
CREATE TABLE appearances (
    package_id INTEGER NOT NULL REFERENCES packages (id),
    release_id INTEGER NOT NULL REFERENCES releases (id),
    revision   INTEGER NOT NULL,
    PRIMARY KEY (package_id, release_id)
);
INSERT INTO appearances (package_id, release_id, revision)
    SELECT u.package_id, w.release_id, MIN(w.revision)
    FROM uploads u JOIN upload_releases w ON w.upload_id = u.id
    WHERE u.package_id IS NOT NULL GROUP BY u.package_id, w.release_id;

-- +goose Down
DROP TABLE appearances;
DROP TABLE foreign_pairs;
DROP TABLE settings_pairs;
DROP INDEX uploads_by_time;
DROP INDEX uploads_staged;
ALTER TABLE uploads DROP COLUMN staged;
ALTER TABLE repositories DROP COLUMN tokens;
ALTER TABLE repositories DROP COLUMN package_keys;
ALTER TABLE repositories DROP COLUMN published_settings_revision;
ALTER TABLE repositories DROP COLUMN settings_nonce;
ALTER TABLE repositories DROP COLUMN settings_revision;
DROP INDEX packages_to_remove;
ALTER TABLE packages DROP COLUMN removed;
ALTER TABLE packages DROP COLUMN yanked_by;
ALTER TABLE packages DROP COLUMN yank_reason;
ALTER TABLE packages DROP COLUMN yanked_at;
ALTER TABLE packages DROP COLUMN pushed_job;
ALTER TABLE packages DROP COLUMN pushed_by;
