-- +goose Up
-- Text compares as bytes. Times are milliseconds since 1970, UTC. Lists are JSON arrays.
-- (settings_revision, settings_nonce) is issued with every change of settings; revision 0 was never issued. given_keys are the
-- keys that clients were given; keyring_package says whether there is a package with them, and what it held last. deletion is a list of
-- one while the repository is deleted; removed: its objects are gone, and the row keeps the name. deleted_parts are its distributions and
-- components that are deleted. Until removing_until a process removes objects.
-- mutable: the same version with other bytes replaces the older ones.
CREATE TABLE repositories (
    id                          INTEGER PRIMARY KEY,
    owner                       TEXT    NOT NULL,
    name                        TEXT    NOT NULL,
    visibility                  TEXT    NOT NULL,
    origin                      TEXT    NOT NULL,
    label                       TEXT    NOT NULL,
    created_at                  INTEGER NOT NULL,
    settings_revision           INTEGER NOT NULL DEFAULT 0,
    settings_nonce              TEXT    NOT NULL DEFAULT '',
    published_settings_revision INTEGER NOT NULL DEFAULT 0,
    package_keys                TEXT    NOT NULL DEFAULT '[]',
    tokens                      TEXT    NOT NULL DEFAULT '[]',
    verify_payload              TEXT    NOT NULL DEFAULT '',
    require_signed              TEXT    NOT NULL DEFAULT '[]',
    given_keys                  TEXT    NOT NULL DEFAULT '',
    keyring_package             TEXT    NOT NULL DEFAULT '[]',
    description                 TEXT    NOT NULL DEFAULT '',
    retention                   TEXT    NOT NULL DEFAULT '[]',
    snapshot_rule               TEXT    NOT NULL DEFAULT '[]',
    deletion                    TEXT    NOT NULL DEFAULT '[]',
    deleted_parts               TEXT    NOT NULL DEFAULT '[]',
    removed                     INTEGER NOT NULL DEFAULT 0,
    removing_until              INTEGER NOT NULL DEFAULT 0,
    mutable                     INTEGER NOT NULL DEFAULT 0,
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

-- What one pointer describes. (revision, nonce) is issued with every change. fault says why the last publish failed.
-- retired: the architecture was taken out of the repository. signed_by: the keys of the published signatures. generation counts
-- the renders of the whole release; renderer is the version of what rendered the published indexes.
CREATE TABLE releases (
    id                 INTEGER PRIMARY KEY,
    distribution_id    INTEGER NOT NULL REFERENCES distributions (id),
    arch               TEXT    NOT NULL,
    revision           INTEGER NOT NULL,
    nonce              TEXT    NOT NULL,
    published_revision INTEGER NOT NULL,
    fault              TEXT    NOT NULL,
    retired            INTEGER NOT NULL DEFAULT 0,
    signed_by          TEXT    NOT NULL DEFAULT '',
    generation         INTEGER NOT NULL DEFAULT 0,
    renderer           INTEGER NOT NULL DEFAULT 0,
    UNIQUE (distribution_id, arch)
);

-- Every pair that this catalog issued, so that a pointer with any other pair shows lost history.
CREATE TABLE publications (
    release_id   INTEGER NOT NULL REFERENCES releases (id),
    revision     INTEGER NOT NULL,
    nonce        TEXT    NOT NULL,
    drawn_at     INTEGER NOT NULL,
    published_at INTEGER,
    PRIMARY KEY (release_id, revision)
);

-- The pairs of pointers that this catalog did not issue, and whose rows it has taken over.
CREATE TABLE foreign_pairs (
    release_id INTEGER NOT NULL REFERENCES releases (id),
    revision   INTEGER NOT NULL,
    nonce      TEXT    NOT NULL,
    adopted_at INTEGER NOT NULL,
    PRIMARY KEY (release_id, revision, nonce)
);

-- The releases whose rows are being taken over from pointers that this catalog did not issue. The first done of total rows are, whose
-- digest is sum. shared: they changed other releases of the distribution, too, which are not published until the end.
CREATE TABLE recoveries (
    release_id INTEGER PRIMARY KEY REFERENCES releases (id),
    revision   INTEGER NOT NULL,
    nonce      TEXT    NOT NULL,
    done       INTEGER NOT NULL,
    total      INTEGER NOT NULL,
    sum        TEXT    NOT NULL,
    inserted   INTEGER NOT NULL,
    replaced   INTEGER NOT NULL,
    yanked     INTEGER NOT NULL,
    shared     INTEGER NOT NULL,
    began_at   INTEGER NOT NULL
);

-- Every pair of settings that this catalog issued, or took over from the bucket.
CREATE TABLE settings_pairs (
    repository_id INTEGER NOT NULL REFERENCES repositories (id),
    revision      INTEGER NOT NULL,
    nonce         TEXT    NOT NULL,
    drawn_at      INTEGER NOT NULL,
    PRIMARY KEY (repository_id, revision, nonce)
);

-- Who has a release for itself for a while: other publishers wait.
CREATE TABLE release_holds (
    release_id INTEGER PRIMARY KEY REFERENCES releases (id),
    holder     TEXT    NOT NULL,
    held_until INTEGER NOT NULL
);

-- The reindex of a release that was asked for last. It is done when done has reached asked; lease_owner works on it until
-- lease_until, at most. source is 'rows' or 'published'; renderer is the least version of the program that may do it. result is JSON.
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

-- dir is the RPM architecture directory, "noarch" for all of them, "" for DEB. variant is part of the identity: the beginning of sha256 in a mutable repository, else empty.
-- file is the last part of object_key.
-- removed: 1, the file of a yanked package is about to be deleted; 2, it is; 3, it is being stored again, in a mutable repository. signer: the key that a package says it was signed with.
-- source is that of a DEB, "name version"; phase is the percentage in its stanza, NULL for none.
-- embargo: the file lies under the hidden key that has it, until the train of the package is published; empty for none.
CREATE TABLE packages (
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
    file            TEXT    NOT NULL,
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
    signer          TEXT    NOT NULL DEFAULT '',
    source          TEXT    NOT NULL DEFAULT '',
    phase           INTEGER NULL,
    embargo         TEXT    NOT NULL DEFAULT '',
    UNIQUE (distribution_id, name, canonical, arch, component, variant)
);
CREATE INDEX packages_by_embargo ON packages (embargo) WHERE embargo <> '';
CREATE INDEX packages_by_file ON packages (distribution_id, state, file);
CREATE INDEX packages_in_order ON packages (distribution_id, state, dir, sort_key, component, variant);
CREATE INDEX packages_to_remove ON packages (removed, yanked_at);
CREATE INDEX packages_by_source ON packages (distribution_id, component, source);
CREATE INDEX packages_by_phase ON packages (distribution_id, phase);

-- What was asked for the phase of a source package: percentage is that of its binaries since revision of the release. steps is a JSON
-- array of the percentages that follow, the first at next_at, the others each every milliseconds later.
CREATE TABLE phases (
    distribution_id INTEGER NOT NULL REFERENCES distributions (id),
    component       TEXT    NOT NULL,
    source          TEXT    NOT NULL,
    percentage      INTEGER NOT NULL,
    revision        INTEGER NOT NULL,
    steps           TEXT    NOT NULL DEFAULT '[]',
    every           INTEGER NOT NULL DEFAULT 0,
    next_at         INTEGER NULL,
    changed_at      INTEGER NOT NULL,
    actor           TEXT    NOT NULL,
    why             TEXT    NOT NULL,
    job             TEXT    NOT NULL,
    PRIMARY KEY (distribution_id, component, source)
) WITHOUT ROWID;
CREATE INDEX phases_by_revision ON phases (distribution_id, revision);
CREATE INDEX phases_by_time ON phases (next_at);

-- One generation of one staged object. outcome is the final state that a stored upload will have. detail explains a rejection or,
-- before the end, the last fault. An upload refers to its package from the claim on. staged: the object still lies in the staging
-- bucket. verdict_written: its verdict object is written. checked: what was looked at of the payload. pushed_by, pushed_job: what is known of
-- the pusher once the object was opened. repository is owner/name, the first part of object. replaced: the digest whose place its package took, in a
-- mutable repository.
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
    verdict_written INTEGER NOT NULL,
    staged      INTEGER NOT NULL DEFAULT 1,
    checked     TEXT    NOT NULL DEFAULT '',
    pushed_by   TEXT    NOT NULL DEFAULT '',
    pushed_job  TEXT    NOT NULL DEFAULT '',
    replaced    TEXT    NOT NULL DEFAULT '',
    repository  TEXT    NOT NULL DEFAULT '',
    UNIQUE (bucket, object, generation)
);
CREATE INDEX uploads_by_package ON uploads (package_id);
CREATE INDEX uploads_by_state ON uploads (state, verdict_written);
CREATE INDEX uploads_by_time ON uploads (received_at);
CREATE INDEX uploads_by_repository ON uploads (repository, state, received_at);
CREATE INDEX uploads_staged ON uploads (staged, finished_at);

-- The releases, and their revisions, that an upload waits for.
CREATE TABLE upload_releases (
    upload_id  INTEGER NOT NULL REFERENCES uploads (id),
    release_id INTEGER NOT NULL REFERENCES releases (id),
    revision   INTEGER NOT NULL,
    PRIMARY KEY (upload_id, release_id)
);
CREATE INDEX upload_releases_by_release ON upload_releases (release_id, revision);

-- The revisions of a release that show a package: from came to before went, NULL while the latest does. came_at is when clients first
-- saw it, and went_at when they first did not any more: NULL if they never did or do not yet, 0 if that is not known.
CREATE TABLE visibility (
    release_id INTEGER NOT NULL REFERENCES releases (id),
    package_id INTEGER NOT NULL REFERENCES packages (id),
    came       INTEGER NOT NULL,
    went       INTEGER NULL,
    came_at    INTEGER NULL,
    went_at    INTEGER NULL,
    PRIMARY KEY (release_id, package_id, came)
) WITHOUT ROWID;
CREATE INDEX visibility_by_coming ON visibility (release_id, came, package_id);
CREATE INDEX visibility_by_going ON visibility (release_id, went, package_id);
CREATE INDEX visibility_by_package ON visibility (package_id);

-- States of a repository that are kept. target is owner/name[/os/version]. ident is empty before a worker has begun. slot is the name, or
-- the nonce of one without a name. until is when it is deleted by itself; a failed one is forgotten then. signed_by: fingerprints.
CREATE TABLE snapshots (
    id            INTEGER PRIMARY KEY AUTOINCREMENT,
    nonce         TEXT    NOT NULL UNIQUE,
    repository_id INTEGER NOT NULL REFERENCES repositories (id),
    target        TEXT    NOT NULL,
    ident         TEXT    NOT NULL,
    name          TEXT    NOT NULL,
    slot          TEXT    NOT NULL,
    state         TEXT    NOT NULL,
    asked_at      INTEGER NOT NULL,
    until         INTEGER NULL,
    automatic     INTEGER NOT NULL,
    actor         TEXT    NOT NULL,
    why           TEXT    NOT NULL,
    job           TEXT    NOT NULL,
    attempts      INTEGER NOT NULL DEFAULT 0,
    not_before    INTEGER NOT NULL DEFAULT 0,
    fault         TEXT    NOT NULL DEFAULT '',
    signed_by     TEXT    NOT NULL DEFAULT '',
    UNIQUE (repository_id, slot)
);
CREATE INDEX snapshots_by_ident ON snapshots (repository_id, ident);
CREATE INDEX snapshots_by_state ON snapshots (state, not_before);

-- The releases of a kept snapshot. A package that came with came_until or before, and went after went_after, or not, is held: its file
-- stays. Both are revision, but after a loss of the catalog, when it is not known exactly what the snapshot has. packages are as many
-- as the pointer shows; -1 if that is not known.
CREATE TABLE snapshot_releases (
    snapshot_id INTEGER NOT NULL REFERENCES snapshots (id),
    release_id  INTEGER NOT NULL REFERENCES releases (id),
    revision    INTEGER NOT NULL,
    came_until  INTEGER NOT NULL,
    went_after  INTEGER NOT NULL,
    packages    INTEGER NOT NULL DEFAULT -1,
    PRIMARY KEY (snapshot_id, release_id)
) WITHOUT ROWID;
CREATE INDEX snapshot_releases_by_release ON snapshot_releases (release_id, went_after, came_until);

-- When the last withdrawal of an active package was taken back: what a published release says of it may be older.
CREATE TABLE unyanks (
    package_id INTEGER PRIMARY KEY REFERENCES packages (id),
    at         INTEGER NOT NULL
);

-- Packages that another one needs by exact version: of name, with a canonical version from this one until that one. There are no
-- foreign keys: what needs a package holds no one who changes it.
CREATE TABLE exact_needs (
    distribution_id INTEGER NOT NULL,
    package_id      INTEGER NOT NULL,
    name            TEXT    NOT NULL,
    from_version    TEXT    NOT NULL,
    until_version   TEXT    NOT NULL,
    PRIMARY KEY (distribution_id, package_id, name, from_version)
) WITHOUT ROWID;

-- When rules of retention are applied to a distribution by workers: next at next_at. rules are the rule sets (JSON) that were applied
-- at applied_at, when withdrawn packages left and archived were to be copied to the archive;
-- stopped says why others that no rule keeps stayed, for people.
CREATE TABLE retentions (
    distribution_id INTEGER NOT NULL PRIMARY KEY REFERENCES distributions (id),
    next_at         INTEGER NOT NULL,
    rules           TEXT    NOT NULL,
    applied_at      INTEGER NOT NULL,
    withdrawn       INTEGER NOT NULL,
    archived        INTEGER NOT NULL,
    stopped         TEXT    NOT NULL
);

-- Random secrets that are made when they are first needed: cache authenticates what processes keep of the rows outside of the catalog.
CREATE TABLE secrets (
    name  TEXT NOT NULL PRIMARY KEY,
    value BLOB NOT NULL
);

-- A copy of the list of keys in the bucket, for when the bucket loses it.
CREATE TABLE key_list (
    id       INTEGER NOT NULL PRIMARY KEY,
    revision INTEGER NOT NULL,
    body     BLOB    NOT NULL
);

-- Processes that publish, and when each was last at work. ended: in good order. held_keys are the keys that it has; key_faults is a
-- JSON array of why it cannot sign with those that it was given.
CREATE TABLE workers (
    name       TEXT    PRIMARY KEY,
    seen_at    INTEGER NOT NULL,
    ended      INTEGER NOT NULL,
    held_keys  TEXT    NOT NULL DEFAULT '',
    key_faults TEXT    NOT NULL DEFAULT '[]'
);

-- Tokens of the API, as digests. owner and name are empty for all. scopes is a JSON array. slot is empty for the live token of a
-- name, and the id of one that was revoked.
CREATE TABLE api_tokens (
    number       INTEGER PRIMARY KEY AUTOINCREMENT,
    id           TEXT    NOT NULL UNIQUE,
    sha256       TEXT    NOT NULL UNIQUE,
    owner        TEXT    NOT NULL,
    name         TEXT    NOT NULL,
    label        TEXT    NOT NULL,
    slot         TEXT    NOT NULL,
    scopes       TEXT    NOT NULL,
    parent       TEXT    NOT NULL,
    made_by      TEXT    NOT NULL,
    job          TEXT    NOT NULL,
    created_at   INTEGER NOT NULL,
    expires_at   INTEGER,
    last_used_at INTEGER,
    revoked_at   INTEGER,
    UNIQUE (owner, name, label, slot)
);
CREATE INDEX api_tokens_by_end ON api_tokens (expires_at);
CREATE INDEX api_tokens_by_parent ON api_tokens (parent);

-- Whose ID tokens open what: name is empty for all repositories of the owner, and claims is a JSON object.
CREATE TABLE trusts (
    id         TEXT    NOT NULL PRIMARY KEY,
    owner      TEXT    NOT NULL,
    name       TEXT    NOT NULL,
    scope      TEXT    NOT NULL,
    issuer     TEXT    NOT NULL,
    audience   TEXT    NOT NULL,
    claims     TEXT    NOT NULL,
    created_at INTEGER NOT NULL
);
CREATE INDEX trusts_by_issuer ON trusts (issuer);

-- ID tokens that were exchanged, until they expire: digest is of issuer and jti; nonce is of the call that used it.
CREATE TABLE trust_uses (
    digest     TEXT    NOT NULL PRIMARY KEY,
    nonce      TEXT    NOT NULL,
    expires_at INTEGER NOT NULL
);
CREATE INDEX trust_uses_by_expiry ON trust_uses (expires_at);

-- What CI jobs got for their ID tokens, until that expires: digest is of the secret; trusts is a JSON array of ids.
CREATE TABLE job_tokens (
    digest     TEXT    NOT NULL PRIMARY KEY,
    trusts     TEXT    NOT NULL,
    name       TEXT    NOT NULL,
    job        TEXT    NOT NULL,
    expires_at INTEGER NOT NULL
);
CREATE INDEX job_tokens_by_expiry ON job_tokens (expires_at);

-- Who changed what, and why. owner and name are of the target, and empty for all. elsewhere is another repository that
-- detail names.
CREATE TABLE audit (
    id     INTEGER PRIMARY KEY AUTOINCREMENT,
    at     INTEGER NOT NULL,
    actor  TEXT    NOT NULL,
    action TEXT    NOT NULL,
    owner  TEXT    NOT NULL,
    name   TEXT    NOT NULL,
    target TEXT    NOT NULL,
    detail TEXT    NOT NULL,
    why    TEXT    NOT NULL,
    job    TEXT    NOT NULL,
    elsewhere TEXT NOT NULL DEFAULT ''
);
CREATE INDEX audit_by_time ON audit (at, id);
CREATE INDEX audit_by_repository ON audit (owner, name, at);

-- Uploads whose bytes are those of a published package, package_id. target is owner/name/os/version[/component]. move is empty for a
-- copy; waiting: the package is withdrawn with withdraw_reason once clients see the copy; done or kept after that, and move_detail
-- says why it was kept. rules is the digest of the rules of retention by which it leaves.
CREATE TABLE promotions (
    upload_id       INTEGER NOT NULL PRIMARY KEY REFERENCES uploads (id),
    package_id      INTEGER NOT NULL REFERENCES packages (id),
    target          TEXT    NOT NULL,
    actor           TEXT    NOT NULL,
    why             TEXT    NOT NULL,
    job             TEXT    NOT NULL,
    move            TEXT    NOT NULL DEFAULT '',
    withdraw_reason TEXT    NOT NULL DEFAULT '',
    move_detail     TEXT    NOT NULL DEFAULT '',
    rules           TEXT    NOT NULL DEFAULT ''
);
CREATE INDEX promotions_by_package ON promotions (package_id, target);
CREATE INDEX promotions_to_move ON promotions (move, upload_id);

-- Release trains: packages of the repositories of an owner that become active in one transaction. not_before is when a worker is to do
-- that, NULL while it is not asked to; actor, why and job are of who asked. fault is a JSON array of why the last attempt did not.
-- embargo: nothing shows its packages before. copying: their files are on the way to their public keys.
-- planned is the digest of the plan that is to be published, and nothing else; empty for what the train holds.
CREATE TABLE trains (
    id         INTEGER PRIMARY KEY,
    owner      TEXT    NOT NULL,
    name       TEXT    NOT NULL,
    state      TEXT    NOT NULL,
    embargo    INTEGER NOT NULL DEFAULT 0,
    copying    INTEGER NOT NULL DEFAULT 0,
    planned    TEXT    NOT NULL DEFAULT '',
    opened_at  INTEGER NOT NULL,
    not_before INTEGER NULL,
    actor      TEXT    NOT NULL,
    why        TEXT    NOT NULL,
    job        TEXT    NOT NULL,
    attempts   INTEGER NOT NULL,
    fault      TEXT    NOT NULL,
    ended_at   INTEGER NULL,
    UNIQUE (owner, name)
);
CREATE INDEX trains_asked ON trains (not_before);

-- The uploads of release trains.
CREATE TABLE train_uploads (
    upload_id INTEGER NOT NULL PRIMARY KEY REFERENCES uploads (id),
    train_id  INTEGER NOT NULL REFERENCES trains (id)
);
CREATE INDEX train_uploads_by_train ON train_uploads (train_id, upload_id);

-- What was counted of logs in one transaction. name is of the run and its part, so that a repeated part is found; result is JSON.
CREATE TABLE log_batches (
    id         INTEGER PRIMARY KEY,
    name       TEXT    NOT NULL UNIQUE,
    counted_at INTEGER NOT NULL,
    result     TEXT    NOT NULL
);
CREATE INDEX log_batches_by_time ON log_batches (counted_at);

-- How far a log file was counted, in bytes after decompression. source is the URL of an object, or a folder; identity is the
-- version of the object, or the digest of the first line of a file. state is what the file looked like when it was read.
-- seen_at is when a run last found it.
CREATE TABLE log_files (
    id       INTEGER PRIMARY KEY,
    source   TEXT    NOT NULL,
    identity TEXT    NOT NULL,
    state    TEXT    NOT NULL,
    counted  INTEGER NOT NULL,
    batch_id INTEGER NOT NULL,
    seen_at  INTEGER NOT NULL,
    UNIQUE (source, identity)
);
CREATE INDEX log_files_by_time ON log_files (seen_at);

-- Downloads of a package on a day (days since 1970, UTC), or in a month if months is 1: day is the first of it then. legacy is the
-- rule of an old URL.
CREATE TABLE downloads (
    package_id     INTEGER NOT NULL REFERENCES packages (id),
    months         INTEGER NOT NULL,
    day            INTEGER NOT NULL,
    client         TEXT    NOT NULL,
    client_version TEXT    NOT NULL,
    country        TEXT    NOT NULL,
    legacy         TEXT    NOT NULL,
    downloads      INTEGER NOT NULL,
    PRIMARY KEY (package_id, months, day, client, client_version, country, legacy)
) WITHOUT ROWID;
CREATE INDEX downloads_by_day ON downloads (months, day);

-- Other requests in a repository: kind is metadata, install or redirect. distribution is os/version, if the path has it.
CREATE TABLE log_requests (
    repository_id INTEGER NOT NULL REFERENCES repositories (id),
    months        INTEGER NOT NULL,
    day           INTEGER NOT NULL,
    kind          TEXT    NOT NULL,
    distribution  TEXT    NOT NULL,
    client        TEXT    NOT NULL,
    legacy        TEXT    NOT NULL,
    requests      INTEGER NOT NULL,
    PRIMARY KEY (repository_id, months, day, kind, distribution, client, legacy)
) WITHOUT ROWID;
CREATE INDEX log_requests_by_day ON log_requests (months, day);

-- What is read of the files of a DEB, by its bytes. state is wanted, done, skipped, failed or gone: of what is gone, the list of files
-- is to be deleted, then the row. Until not_before it has a reader, or waits for its next attempt. There are no foreign keys: a reader
-- waits for no one who holds a repository.
CREATE TABLE package_contents (
    repository_id INTEGER NOT NULL,
    sha256        TEXT    NOT NULL,
    name          TEXT    NOT NULL,
    version       TEXT    NOT NULL,
    canonical     TEXT    NOT NULL,
    size          INTEGER NOT NULL,
    state         TEXT    NOT NULL,
    files         INTEGER NOT NULL DEFAULT 0,
    changelog     BLOB    NULL,
    fault         TEXT    NOT NULL DEFAULT '',
    attempts      INTEGER NOT NULL DEFAULT 0,
    not_before    INTEGER NOT NULL,
    at            INTEGER NOT NULL,
    PRIMARY KEY (repository_id, sha256)
);
CREATE INDEX package_contents_in_order ON package_contents (state, not_before);

-- How far the pages of a repository are. wanted: how often all of them were asked for; up to walk they are being queued, behind
-- next_name, and up to queued they are. front_asked counts what changed the front page: settings_revision, given_keys, key_list and
-- visibility are what it was last asked for, and front_done is what it has. packages and names sum up page_names. snapshots is 1
-- once the repository has had a snapshot: pages of versions link them. failing counts the requests that failed last. renderer is the version of what makes pages. A lease ends early if lease_until is 0.
CREATE TABLE page_states (
    repository_id     INTEGER NOT NULL REFERENCES repositories (id),
    visibility        TEXT    NOT NULL,
    settings_revision INTEGER NOT NULL,
    given_keys        TEXT    NOT NULL,
    key_list          INTEGER NOT NULL,
    renderer          INTEGER NOT NULL,
    wanted            INTEGER NOT NULL DEFAULT 0,
    walk              INTEGER NOT NULL DEFAULT 0,
    queued            INTEGER NOT NULL DEFAULT 0,
    next_name         TEXT    NOT NULL DEFAULT '',
    front_asked       INTEGER NOT NULL DEFAULT 0,
    front_taken       INTEGER NOT NULL DEFAULT 0,
    front_done        INTEGER NOT NULL DEFAULT 0,
    front_since       INTEGER NOT NULL DEFAULT 0,
    front_attempts    INTEGER NOT NULL DEFAULT 0,
    front_not_before  INTEGER NOT NULL DEFAULT 0,
    packages          INTEGER NOT NULL DEFAULT 0,
    names             INTEGER NOT NULL DEFAULT 0,
    snapshots         INTEGER NOT NULL DEFAULT 0,
    failing           INTEGER NOT NULL DEFAULT 0,
    fault             TEXT    NOT NULL DEFAULT '',
    lease_owner       TEXT    NOT NULL DEFAULT '',
    lease_token       TEXT    NOT NULL DEFAULT '',
    lease_until       INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (repository_id)
);

-- What was queued of the pages of a release: all that came or went with a revision up to this one and, of the next one, the packages
-- up to package_id. While walking is 1, names behind next_name are to be queued, too: whole and requested_at are of their requests.
CREATE TABLE page_cursors (
    release_id   INTEGER NOT NULL REFERENCES releases (id),
    generation   INTEGER NOT NULL,
    retired      INTEGER NOT NULL,
    revision     INTEGER NOT NULL,
    package_id   INTEGER NOT NULL DEFAULT 0,
    walking      INTEGER NOT NULL DEFAULT 0,
    whole        INTEGER NOT NULL DEFAULT 0,
    requested_at INTEGER NOT NULL DEFAULT 0,
    next_name    TEXT    NOT NULL DEFAULT '',
    PRIMARY KEY (release_id)
);

-- Pages to be made: of a version, or of all versions of a name if version is empty. whole: they were asked for with all others, and
-- can wait. taken is the token of the lease of the process that makes them; again is set if they were asked for since. There are no
-- foreign keys: a request waits for no one who holds a repository.
CREATE TABLE page_requests (
    id            INTEGER PRIMARY KEY,
    repository_id INTEGER NOT NULL,
    name          TEXT    NOT NULL,
    version       TEXT    NOT NULL,
    at            INTEGER NOT NULL,
    whole         INTEGER NOT NULL,
    alone         INTEGER NOT NULL DEFAULT 0,
    attempts      INTEGER NOT NULL DEFAULT 0,
    not_before    INTEGER NOT NULL DEFAULT 0,
    fault         TEXT    NOT NULL DEFAULT '',
    taken         TEXT    NOT NULL DEFAULT '',
    again         INTEGER NULL,
    UNIQUE (repository_id, name, version)
);
CREATE INDEX page_requests_in_order ON page_requests (repository_id, whole, at, id, not_before);

-- The packages of a repository that clients see, by name. A name of a higher level begins a part of the list of that level.
CREATE TABLE page_names (
    repository_id INTEGER NOT NULL,
    name          TEXT    NOT NULL,
    level         INTEGER NOT NULL,
    summary       TEXT    NOT NULL,
    version       TEXT    NOT NULL,
    formats       TEXT    NOT NULL,
    at            INTEGER NOT NULL,
    packages      INTEGER NOT NULL,
    PRIMARY KEY (repository_id, name)
) WITHOUT ROWID;
CREATE INDEX page_names_by_level ON page_names (repository_id, level, name);

-- +goose Down
DROP TABLE package_contents;
DROP TABLE page_names;
DROP TABLE page_requests;
DROP TABLE page_cursors;
DROP TABLE page_states;
DROP TABLE log_requests;
DROP TABLE downloads;
DROP TABLE log_files;
DROP TABLE log_batches;
DROP TABLE train_uploads;
DROP TABLE trains;
DROP TABLE promotions;
DROP TABLE audit;
DROP TABLE job_tokens;
DROP TABLE trust_uses;
DROP TABLE trusts;
DROP TABLE api_tokens;
DROP TABLE workers;
DROP TABLE key_list;
DROP TABLE secrets;
DROP TABLE retentions;
DROP TABLE exact_needs;
DROP TABLE unyanks;
DROP TABLE snapshot_releases;
DROP TABLE snapshots;
DROP TABLE visibility;
DROP TABLE upload_releases;
DROP TABLE uploads;
DROP TABLE phases;
DROP TABLE packages;
DROP TABLE reindexes;
DROP TABLE release_holds;
DROP TABLE settings_pairs;
DROP TABLE recoveries;
DROP TABLE foreign_pairs;
DROP TABLE publications;
DROP TABLE releases;
DROP TABLE distributions;
DROP TABLE repositories;
