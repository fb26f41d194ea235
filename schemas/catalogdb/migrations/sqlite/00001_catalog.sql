-- +goose Up
-- Text compares as bytes. Times are milliseconds since 1970, UTC. Lists are JSON arrays.
CREATE TABLE repositories (
    id         INTEGER PRIMARY KEY,
    owner      TEXT    NOT NULL,
    name       TEXT    NOT NULL,
    visibility TEXT    NOT NULL,
    origin     TEXT    NOT NULL,
    label      TEXT    NOT NULL,
    created_at INTEGER NOT NULL,
    UNIQUE (owner, name)
);

CREATE TABLE distributions (
    id            INTEGER PRIMARY KEY,
    repository_id INTEGER NOT NULL REFERENCES repositories (id),
    os            TEXT    NOT NULL,
    version       TEXT    NOT NULL,
    format        TEXT    NOT NULL,
    components    TEXT    NOT NULL,
    architectures TEXT    NOT NULL,
    created_at    INTEGER NOT NULL,
    UNIQUE (repository_id, os, version)
);

-- What one pointer describes. (revision, nonce) is drawn anew with every change. fault says why the
-- last publish came to nothing.
CREATE TABLE releases (
    id                 INTEGER PRIMARY KEY,
    distribution_id    INTEGER NOT NULL REFERENCES distributions (id),
    arch               TEXT    NOT NULL,
    revision           INTEGER NOT NULL,
    nonce              TEXT    NOT NULL,
    published_revision INTEGER NOT NULL,
    fault              TEXT    NOT NULL,
    UNIQUE (distribution_id, arch)
);

-- Every pair that this catalog ever drew, so that a pointer with any other pair shows lost history.
CREATE TABLE publications (
    release_id   INTEGER NOT NULL REFERENCES releases (id),
    revision     INTEGER NOT NULL,
    nonce        TEXT    NOT NULL,
    drawn_at     INTEGER NOT NULL,
    published_at INTEGER,
    PRIMARY KEY (release_id, revision)
);

-- dir is the RPM architecture directory, "noarch" for all of them, "" for DEB.
CREATE TABLE packages (
    id              INTEGER PRIMARY KEY,
    distribution_id INTEGER NOT NULL REFERENCES distributions (id),
    component       TEXT    NOT NULL,
    name            TEXT    NOT NULL,
    version         TEXT    NOT NULL,
    canonical       TEXT    NOT NULL,
    arch            TEXT    NOT NULL,
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
    UNIQUE (distribution_id, name, canonical, arch)
);
CREATE INDEX packages_in_order ON packages (distribution_id, state, dir, sort_key);

-- One generation of one staged object. outcome is the final state that a stored upload will have.
-- detail explains a rejection or, before the end, the last fault.
CREATE TABLE uploads (
    id          INTEGER PRIMARY KEY,
    bucket      TEXT    NOT NULL,
    object      TEXT    NOT NULL,
    generation  TEXT    NOT NULL,
    size        INTEGER NOT NULL,
    state       TEXT    NOT NULL,
    outcome     TEXT    NOT NULL,
    reason      TEXT    NOT NULL,
    detail      TEXT    NOT NULL,
    package_id  INTEGER REFERENCES packages (id),
    lease_owner TEXT    NOT NULL,
    lease_token TEXT    NOT NULL,
    lease_until INTEGER NOT NULL,
    attempts    INTEGER NOT NULL,
    received_at INTEGER NOT NULL,
    finished_at INTEGER,
    told        INTEGER NOT NULL,
    UNIQUE (bucket, object, generation)
);
CREATE INDEX uploads_by_state ON uploads (state, told);

-- The releases, and their revisions, that an upload waits for.
CREATE TABLE upload_releases (
    upload_id  INTEGER NOT NULL REFERENCES uploads (id),
    release_id INTEGER NOT NULL REFERENCES releases (id),
    revision   INTEGER NOT NULL,
    PRIMARY KEY (upload_id, release_id)
);
CREATE INDEX upload_releases_by_release ON upload_releases (release_id, revision);

-- +goose Down
DROP TABLE upload_releases;
DROP TABLE uploads;
DROP TABLE packages;
DROP TABLE publications;
DROP TABLE releases;
DROP TABLE distributions;
DROP TABLE repositories;
