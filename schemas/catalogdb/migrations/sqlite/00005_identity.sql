-- +goose Up
-- Several components have packages of one name, version and architecture. SQLite changes a UNIQUE only with its
-- table, and a table only with those that refer to it. variant is part of the identity, and empty.
CREATE TABLE packages_2 (
    id              INTEGER PRIMARY KEY,
    distribution_id INTEGER NOT NULL REFERENCES distributions (id),
    component       TEXT    NOT NULL,
    name            TEXT    NOT NULL,
    version         TEXT    NOT NULL,
    canonical       TEXT    NOT NULL,
    arch            TEXT    NOT NULL,
    variant         TEXT    NOT NULL DEFAULT '',
    dir             TEXT    NOT NULL,
    sort_key        BLOB    NOT NULL,
    object_key      TEXT    NOT NULL,
    size            INTEGER NOT NULL,
    sha256          TEXT    NOT NULL,
    md5             TEXT    NOT NULL,
    uploaded_at     INTEGER NOT NULL,
    state           TEXT    NOT NULL,
    stanza          BLOB,
    primary_xml     BLOB,
    filelists_xml   BLOB,
    other_xml       BLOB,
    pushed_by       TEXT    NOT NULL DEFAULT '',
    pushed_job      TEXT    NOT NULL DEFAULT '',
    yanked_at       INTEGER,
    yank_reason     TEXT    NOT NULL DEFAULT '',
    yanked_by       TEXT    NOT NULL DEFAULT '',
    removed         INTEGER NOT NULL DEFAULT 0,
    UNIQUE (distribution_id, name, canonical, arch, component, variant)
);
INSERT INTO packages_2 (id, distribution_id, component, name, version, canonical, arch, dir, sort_key, object_key, size, sha256, md5,
        uploaded_at, state, stanza, primary_xml, filelists_xml, other_xml, pushed_by, pushed_job, yanked_at, yank_reason, yanked_by, removed)
    SELECT id, distribution_id, component, name, version, canonical, arch, dir, sort_key, object_key, size, sha256, md5,
        uploaded_at, state, stanza, primary_xml, filelists_xml, other_xml, pushed_by, pushed_job, yanked_at, yank_reason, yanked_by, removed
    FROM packages;

-- checked: what was looked at of the payload. An upload refers to its package from the claim on.
CREATE TABLE uploads_2 (
    id          INTEGER PRIMARY KEY,
    bucket      TEXT    NOT NULL,
    object      TEXT    NOT NULL,
    generation  TEXT    NOT NULL,
    size        INTEGER NOT NULL,
    state       TEXT    NOT NULL,
    outcome     TEXT    NOT NULL,
    reason      TEXT    NOT NULL,
    detail      TEXT    NOT NULL,
    package_id  INTEGER REFERENCES packages_2 (id),
    lease_owner TEXT    NOT NULL,
    lease_token TEXT    NOT NULL,
    lease_until INTEGER NOT NULL,
    attempts    INTEGER NOT NULL,
    received_at INTEGER NOT NULL,
    finished_at INTEGER,
    told        INTEGER NOT NULL,
    staged      INTEGER NOT NULL DEFAULT 1,
    checked     TEXT    NOT NULL DEFAULT '',
    UNIQUE (bucket, object, generation)
);
INSERT INTO uploads_2 (id, bucket, object, generation, size, state, outcome, reason, detail, package_id,
        lease_owner, lease_token, lease_until, attempts, received_at, finished_at, told, staged)
    SELECT id, bucket, object, generation, size, state, outcome, reason, detail, package_id,
        lease_owner, lease_token, lease_until, attempts, received_at, finished_at, told, staged
    FROM uploads;

CREATE TABLE upload_releases_2 (
    upload_id  INTEGER NOT NULL REFERENCES uploads_2 (id),
    release_id INTEGER NOT NULL REFERENCES releases (id),
    revision   INTEGER NOT NULL,
    PRIMARY KEY (upload_id, release_id)
);
INSERT INTO upload_releases_2 (upload_id, release_id, revision) SELECT upload_id, release_id, revision FROM upload_releases;

CREATE TABLE appearances_2 (
    package_id INTEGER NOT NULL REFERENCES packages_2 (id),
    release_id INTEGER NOT NULL REFERENCES releases (id),
    revision   INTEGER NOT NULL,
    PRIMARY KEY (package_id, release_id)
);
INSERT INTO appearances_2 (package_id, release_id, revision) SELECT package_id, release_id, revision FROM appearances;

CREATE TABLE unyanks_2 (
    package_id INTEGER PRIMARY KEY REFERENCES packages_2 (id),
    at         INTEGER NOT NULL
);
INSERT INTO unyanks_2 (package_id, at) SELECT package_id, at FROM unyanks;

DROP TABLE unyanks;
DROP TABLE appearances;
DROP TABLE upload_releases;
DROP TABLE uploads;
DROP TABLE packages;
ALTER TABLE packages_2 RENAME TO packages;
ALTER TABLE uploads_2 RENAME TO uploads;
ALTER TABLE upload_releases_2 RENAME TO upload_releases;
ALTER TABLE appearances_2 RENAME TO appearances;
ALTER TABLE unyanks_2 RENAME TO unyanks;

CREATE INDEX packages_in_order ON packages (distribution_id, state, dir, sort_key, component, variant);
CREATE INDEX packages_to_remove ON packages (removed, yanked_at);
CREATE INDEX uploads_by_state ON uploads (state, told);
CREATE INDEX uploads_staged ON uploads (staged, finished_at);
CREATE INDEX uploads_by_time ON uploads (received_at);
CREATE INDEX uploads_by_package ON uploads (package_id);
CREATE INDEX upload_releases_by_release ON upload_releases (release_id, revision);
CREATE INDEX appearances_by_revision ON appearances (release_id, revision);

-- verify_payload: when the worker reads payloads whole; retired: the architecture was taken out of the repository.
ALTER TABLE repositories ADD COLUMN verify_payload TEXT NOT NULL DEFAULT '';
ALTER TABLE releases ADD COLUMN retired INTEGER NOT NULL DEFAULT 0;

-- +goose Down
-- The narrower key may not fit any more: an older program makes a new catalog, and fills it from the bucket.
SELECT 1;
