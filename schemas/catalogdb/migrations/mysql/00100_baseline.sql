-- +goose NO TRANSACTION
-- +goose Up
-- Names and keys are bytes: nothing is folded or padded. Times are milliseconds since 1970, UTC. Lists are JSON arrays.
-- (settings_revision, settings_nonce) is issued with every change of settings; revision 0 was never issued. given_keys are the
-- keys that clients were given; keyring_package says whether there is a package with them, and what it held last. deletion is a list of
-- one while the repository is deleted; removed: its objects are gone, and the row keeps the name. deleted_parts are its distributions and
-- components that are deleted. Until removing_until a process removes objects.
-- mutable: the same version with other bytes replaces the older ones.
CREATE TABLE IF NOT EXISTS repositories (
    id                          BIGINT           NOT NULL AUTO_INCREMENT,
    owner                       VARBINARY(255)   NOT NULL,
    name                        VARBINARY(255)   NOT NULL,
    visibility                  VARBINARY(32)    NOT NULL,
    origin                      VARBINARY(1024)  NOT NULL,
    label                       VARBINARY(1024)  NOT NULL,
    settings_revision           BIGINT           NOT NULL,
    settings_nonce              VARBINARY(16)    NOT NULL,
    published_settings_revision BIGINT           NOT NULL,
    package_keys                MEDIUMBLOB       NOT NULL,
    tokens                      MEDIUMBLOB       NOT NULL,
    created_at                  BIGINT           NOT NULL,
    verify_payload              VARBINARY(16)    NOT NULL DEFAULT '',
    require_signed              VARBINARY(64)    NOT NULL DEFAULT '[]',
    given_keys                  VARCHAR(2000)    CHARACTER SET ascii COLLATE ascii_bin NOT NULL DEFAULT '',
    keyring_package             VARBINARY(16000) NOT NULL DEFAULT '[]',
    description                 VARBINARY(1200)  NOT NULL DEFAULT '',
    retention                   MEDIUMBLOB       NOT NULL DEFAULT ('[]'),
    snapshot_rule               VARBINARY(200)   NOT NULL DEFAULT '[]',
    deletion                    VARBINARY(8000)  NOT NULL DEFAULT '[]',
    deleted_parts               MEDIUMBLOB       NOT NULL DEFAULT ('[]'),
    removed                     TINYINT          NOT NULL DEFAULT 0,
    removing_until              BIGINT           NOT NULL DEFAULT 0,
    mutable                     TINYINT          NOT NULL DEFAULT 0,
    PRIMARY KEY (id),
    UNIQUE KEY repositories_by_name (owner, name)
) ENGINE = InnoDB;

CREATE TABLE IF NOT EXISTS distributions (
    id            BIGINT         NOT NULL AUTO_INCREMENT,
    repository_id BIGINT         NOT NULL,
    os            VARBINARY(255) NOT NULL,
    version       VARBINARY(255) NOT NULL,
    format        VARBINARY(16)  NOT NULL,
    components    MEDIUMBLOB     NOT NULL,
    architectures MEDIUMBLOB     NOT NULL,
    created_at    BIGINT         NOT NULL,
    PRIMARY KEY (id),
    UNIQUE KEY distributions_by_name (repository_id, os, version),
    FOREIGN KEY (repository_id) REFERENCES repositories (id)
) ENGINE = InnoDB;

-- What one pointer describes. (revision, nonce) is issued with every change. fault says why the last publish failed.
-- retired: the architecture was taken out of the repository. signed_by: the keys of the published signatures. generation counts
-- the renders of the whole release; renderer is the version of what rendered the published indexes.
CREATE TABLE IF NOT EXISTS releases (
    id                 BIGINT        NOT NULL AUTO_INCREMENT,
    distribution_id    BIGINT        NOT NULL,
    arch               VARBINARY(64) NOT NULL,
    revision           BIGINT        NOT NULL,
    nonce              VARBINARY(16) NOT NULL,
    published_revision BIGINT        NOT NULL,
    fault              MEDIUMBLOB    NOT NULL,
    retired            TINYINT       NOT NULL DEFAULT 0,
    signed_by          VARCHAR(2000) CHARACTER SET ascii COLLATE ascii_bin NOT NULL DEFAULT '',
    generation         BIGINT        NOT NULL DEFAULT 0,
    renderer           BIGINT        NOT NULL DEFAULT 0,
    PRIMARY KEY (id),
    UNIQUE KEY releases_by_arch (distribution_id, arch),
    FOREIGN KEY (distribution_id) REFERENCES distributions (id)
) ENGINE = InnoDB;

-- Every pair that this catalog issued, so that a pointer with any other pair shows lost history.
CREATE TABLE IF NOT EXISTS publications (
    release_id   BIGINT        NOT NULL,
    revision     BIGINT        NOT NULL,
    nonce        VARBINARY(16) NOT NULL,
    drawn_at     BIGINT        NOT NULL,
    published_at BIGINT        NULL,
    PRIMARY KEY (release_id, revision),
    FOREIGN KEY (release_id) REFERENCES releases (id)
) ENGINE = InnoDB;

-- The pairs of pointers that this catalog did not issue, and whose rows it has taken over.
CREATE TABLE IF NOT EXISTS foreign_pairs (
    release_id BIGINT        NOT NULL,
    revision   BIGINT        NOT NULL,
    nonce      VARBINARY(64) NOT NULL,
    adopted_at BIGINT        NOT NULL,
    PRIMARY KEY (release_id, revision, nonce),
    FOREIGN KEY (release_id) REFERENCES releases (id)
) ENGINE = InnoDB;

-- The releases whose rows are being taken over from pointers that this catalog did not issue. The first done of total rows are, whose
-- digest is sum. shared: they changed other releases of the distribution, too, which are not published until the end.
CREATE TABLE IF NOT EXISTS recoveries (
    release_id BIGINT        NOT NULL,
    revision   BIGINT        NOT NULL,
    nonce      VARBINARY(64) NOT NULL,
    done       BIGINT        NOT NULL,
    total      BIGINT        NOT NULL,
    sum        VARBINARY(64) NOT NULL,
    inserted   BIGINT        NOT NULL,
    replaced   BIGINT        NOT NULL,
    yanked     BIGINT        NOT NULL,
    shared     TINYINT       NOT NULL,
    began_at   BIGINT        NOT NULL,
    PRIMARY KEY (release_id),
    FOREIGN KEY (release_id) REFERENCES releases (id)
) ENGINE = InnoDB;

-- Every pair of settings that this catalog issued, or took over from the bucket.
CREATE TABLE IF NOT EXISTS settings_pairs (
    repository_id BIGINT        NOT NULL,
    revision      BIGINT        NOT NULL,
    nonce         VARBINARY(64) NOT NULL,
    drawn_at      BIGINT        NOT NULL,
    PRIMARY KEY (repository_id, revision, nonce),
    FOREIGN KEY (repository_id) REFERENCES repositories (id)
) ENGINE = InnoDB;

-- Who has a release for itself for a while: other publishers wait.
CREATE TABLE IF NOT EXISTS release_holds (
    release_id BIGINT         NOT NULL,
    holder     VARBINARY(255) NOT NULL,
    held_until BIGINT         NOT NULL,
    PRIMARY KEY (release_id),
    FOREIGN KEY (release_id) REFERENCES releases (id)
) ENGINE = InnoDB;

-- The reindex of a release that was asked for last. It is done when done has reached asked; lease_owner works on it until
-- lease_until, at most. source is 'rows' or 'published'; renderer is the least version of the program that may do it. result is JSON.
CREATE TABLE IF NOT EXISTS reindexes (
    release_id  BIGINT         NOT NULL,
    asked       BIGINT         NOT NULL,
    done        BIGINT         NOT NULL,
    source      VARBINARY(16)  NOT NULL,
    repair      TINYINT        NOT NULL,
    renderer    BIGINT         NOT NULL,
    asked_by    VARBINARY(255) NOT NULL,
    asked_at    BIGINT         NOT NULL,
    lease_owner VARBINARY(255) NOT NULL,
    lease_until BIGINT         NOT NULL,
    attempts    INT            NOT NULL,
    rendered    BIGINT         NOT NULL,
    outcome     VARBINARY(16)  NOT NULL,
    result      MEDIUMBLOB     NOT NULL,
    finished_at BIGINT         NULL,
    PRIMARY KEY (release_id),
    FOREIGN KEY (release_id) REFERENCES releases (id)
) ENGINE = InnoDB;

-- dir is the RPM architecture directory, "noarch" for all of them, "" for DEB. variant is part of the identity: the beginning of sha256 in a mutable repository, else empty.
-- file is the last part of object_key.
-- removed: 1, the file of a yanked package is about to be deleted; 2, it is; 3, it is being stored again, in a mutable repository. signer: the key that a package says it was signed with.
-- source is that of a DEB, "name version"; phase is the percentage in its stanza, NULL for none.
-- embargo: the file lies under the hidden key that has it, until the train of the package is published; empty for none.
CREATE TABLE IF NOT EXISTS packages (
    id              BIGINT          NOT NULL AUTO_INCREMENT,
    distribution_id BIGINT          NOT NULL,
    component       VARBINARY(255)  NOT NULL,
    name            VARBINARY(255)  NOT NULL,
    version         VARBINARY(512)  NOT NULL,
    canonical       VARBINARY(512)  NOT NULL,
    arch            VARBINARY(64)   NOT NULL,
    dir             VARBINARY(64)   NOT NULL,
    sort_key        VARBINARY(2048) NOT NULL,
    object_key      VARBINARY(1024) NOT NULL,
    file            VARBINARY(512)  NOT NULL,
    size            BIGINT          NOT NULL,
    sha256          VARBINARY(64)   NOT NULL,
    md5             VARBINARY(32)   NOT NULL,
    uploaded_at     BIGINT          NOT NULL,
    state           VARBINARY(16)   NOT NULL,
    stanza          LONGBLOB        NULL,
    primary_xml     LONGBLOB        NULL,
    filelists_xml   LONGBLOB        NULL,
    other_xml       LONGBLOB        NULL,
    pushed_by       VARBINARY(255)  NOT NULL,
    pushed_job      VARBINARY(2048) NOT NULL,
    yanked_at       BIGINT          NULL,
    yank_reason     MEDIUMBLOB      NULL,
    yanked_by       VARBINARY(255)  NOT NULL,
    removed         TINYINT         NOT NULL DEFAULT 0,
    variant         VARBINARY(64)   NOT NULL DEFAULT '',
    signer          VARBINARY(64)   NOT NULL DEFAULT '',
    source          VARBINARY(768)  NOT NULL DEFAULT '',
    phase           INT             NULL,
    embargo         VARBINARY(32)   NOT NULL DEFAULT '',
    PRIMARY KEY (id),
    UNIQUE KEY packages_by_identity (distribution_id, name, canonical, arch, component, variant),
    KEY packages_to_remove (removed, yanked_at),
    KEY packages_by_file (distribution_id, state, file),
    KEY packages_in_order (distribution_id, state, dir, sort_key, component, variant),
    KEY packages_by_source (distribution_id, component, source),
    KEY packages_by_phase (distribution_id, phase),
    KEY packages_by_embargo (embargo),
    FOREIGN KEY (distribution_id) REFERENCES distributions (id)
) ENGINE = InnoDB;

-- What was asked for the phase of a source package: percentage is that of its binaries since revision of the release. steps is a JSON
-- array of the percentages that follow, the first at next_at, the others each every milliseconds later.
CREATE TABLE IF NOT EXISTS phases (
    distribution_id BIGINT          NOT NULL,
    component       VARBINARY(255)  NOT NULL,
    source          VARBINARY(768)  NOT NULL,
    percentage      INT             NOT NULL,
    revision        BIGINT          NOT NULL,
    steps           VARBINARY(2048) NOT NULL DEFAULT '[]',
    every           BIGINT          NOT NULL DEFAULT 0,
    next_at         BIGINT          NULL,
    changed_at      BIGINT          NOT NULL,
    actor           VARBINARY(255)  NOT NULL,
    why             MEDIUMBLOB      NOT NULL,
    job             VARBINARY(2048) NOT NULL,
    PRIMARY KEY (distribution_id, component, source),
    KEY phases_by_revision (distribution_id, revision),
    KEY phases_by_time (next_at),
    FOREIGN KEY (distribution_id) REFERENCES distributions (id)
) ENGINE = InnoDB;

-- One generation of one staged object. outcome is the final state that a stored upload will have. detail explains a rejection or,
-- before the end, the last fault. An upload refers to its package from the claim on. staged: the object still lies in the staging
-- bucket. verdict_written: its verdict object is written. checked: what was looked at of the payload. pushed_by, pushed_job: what is known of
-- the pusher once the object was opened. repository is owner/name, the first part of object. replaced: the digest whose place its package took, in a
-- mutable repository.
CREATE TABLE IF NOT EXISTS uploads (
    id          BIGINT          NOT NULL AUTO_INCREMENT,
    bucket      VARBINARY(255)  NOT NULL,
    object      VARBINARY(2048) NOT NULL,
    generation  VARBINARY(255)  NOT NULL,
    size        BIGINT          NOT NULL,
    state       VARBINARY(16)   NOT NULL,
    outcome     VARBINARY(16)   NOT NULL,
    reason      VARBINARY(64)   NOT NULL,
    detail      MEDIUMBLOB      NOT NULL,
    package_id  BIGINT          NULL,
    lease_owner VARBINARY(255)  NOT NULL,
    lease_token VARBINARY(16)   NOT NULL,
    lease_until BIGINT          NOT NULL,
    attempts    INT             NOT NULL,
    received_at BIGINT          NOT NULL,
    finished_at BIGINT          NULL,
    verdict_written TINYINT     NOT NULL,
    staged      TINYINT         NOT NULL DEFAULT 1,
    checked     VARBINARY(16)   NOT NULL DEFAULT '',
    pushed_by   VARBINARY(255)  NOT NULL DEFAULT '',
    pushed_job  VARBINARY(2048) NOT NULL DEFAULT '',
    replaced    VARBINARY(64)   NOT NULL DEFAULT '',
    repository  VARBINARY(511)  NOT NULL DEFAULT '',
    PRIMARY KEY (id),
    UNIQUE KEY uploads_by_name (bucket, object, generation),
    KEY uploads_by_state (state, verdict_written),
    KEY uploads_by_time (received_at),
    KEY uploads_by_repository (repository, state, received_at),
    KEY uploads_staged (staged, finished_at),
    KEY package_id (package_id),
    FOREIGN KEY (package_id) REFERENCES packages (id)
) ENGINE = InnoDB;

-- The releases, and their revisions, that an upload waits for.
CREATE TABLE IF NOT EXISTS upload_releases (
    upload_id  BIGINT NOT NULL,
    release_id BIGINT NOT NULL,
    revision   BIGINT NOT NULL,
    PRIMARY KEY (upload_id, release_id),
    KEY upload_releases_by_release (release_id, revision),
    FOREIGN KEY (upload_id) REFERENCES uploads (id),
    FOREIGN KEY (release_id) REFERENCES releases (id)
) ENGINE = InnoDB;

-- The revisions of a release that show a package: from came to before went, NULL while the latest does. came_at is when clients first
-- saw it, and went_at when they first did not any more: NULL if they never did or do not yet, 0 if that is not known.
CREATE TABLE IF NOT EXISTS visibility (
    release_id BIGINT NOT NULL,
    package_id BIGINT NOT NULL,
    came       BIGINT NOT NULL,
    went       BIGINT NULL,
    came_at    BIGINT NULL,
    went_at    BIGINT NULL,
    PRIMARY KEY (release_id, package_id, came),
    KEY visibility_by_coming (release_id, came, package_id),
    KEY visibility_by_going (release_id, went, package_id),
    KEY package_id (package_id),
    FOREIGN KEY (package_id) REFERENCES packages (id),
    FOREIGN KEY (release_id) REFERENCES releases (id)
) ENGINE = InnoDB;

-- States of a repository that are kept. target is owner/name[/os/version]. ident is empty before a worker has begun. slot is the name, or
-- the nonce of one without a name. until is when it is deleted by itself; a failed one is forgotten then. signed_by: fingerprints.
CREATE TABLE IF NOT EXISTS snapshots (
    id            BIGINT          NOT NULL AUTO_INCREMENT,
    nonce         VARBINARY(16)   NOT NULL,
    repository_id BIGINT          NOT NULL,
    target        VARBINARY(2048) NOT NULL,
    ident         VARBINARY(16)   NOT NULL,
    name          VARBINARY(64)   NOT NULL,
    slot          VARBINARY(65)   NOT NULL,
    state         VARBINARY(16)   NOT NULL,
    asked_at      BIGINT          NOT NULL,
    until         BIGINT          NULL,
    automatic     TINYINT         NOT NULL,
    actor         VARBINARY(255)  NOT NULL,
    why           MEDIUMBLOB      NOT NULL,
    job           VARBINARY(2048) NOT NULL,
    attempts      BIGINT          NOT NULL DEFAULT 0,
    not_before    BIGINT          NOT NULL DEFAULT 0,
    fault         VARBINARY(4000) NOT NULL DEFAULT '',
    signed_by     VARBINARY(2000) NOT NULL DEFAULT '',
    PRIMARY KEY (id),
    UNIQUE KEY snapshots_by_nonce (nonce),
    UNIQUE KEY snapshots_by_slot (repository_id, slot),
    KEY snapshots_by_ident (repository_id, ident),
    KEY snapshots_by_state (state, not_before),
    FOREIGN KEY (repository_id) REFERENCES repositories (id)
) ENGINE = InnoDB;

-- The releases of a kept snapshot. A package that came with came_until or before, and went after went_after, or not, is held: its file
-- stays. Both are revision, but after a loss of the catalog, when it is not known exactly what the snapshot has. packages are as many
-- as the pointer shows; -1 if that is not known.
CREATE TABLE IF NOT EXISTS snapshot_releases (
    snapshot_id BIGINT NOT NULL,
    release_id  BIGINT NOT NULL,
    revision    BIGINT NOT NULL,
    came_until  BIGINT NOT NULL,
    went_after  BIGINT NOT NULL,
    packages    BIGINT NOT NULL DEFAULT -1,
    PRIMARY KEY (snapshot_id, release_id),
    KEY snapshot_releases_by_release (release_id, went_after, came_until),
    FOREIGN KEY (snapshot_id) REFERENCES snapshots (id),
    FOREIGN KEY (release_id) REFERENCES releases (id)
) ENGINE = InnoDB;

-- When the last withdrawal of an active package was taken back: what a published release says of it may be older.
CREATE TABLE IF NOT EXISTS unyanks (
    package_id BIGINT NOT NULL,
    at         BIGINT NOT NULL,
    PRIMARY KEY (package_id),
    FOREIGN KEY (package_id) REFERENCES packages (id)
) ENGINE = InnoDB;

-- Packages that another one needs by exact version: of name, with a canonical version from this one until that one. There are no
-- foreign keys: what needs a package holds no one who changes it.
CREATE TABLE IF NOT EXISTS exact_needs (
    distribution_id BIGINT         NOT NULL,
    package_id      BIGINT         NOT NULL,
    name            VARBINARY(255) NOT NULL,
    from_version    VARBINARY(512) NOT NULL,
    until_version   VARBINARY(512) NOT NULL,
    PRIMARY KEY (distribution_id, package_id, name, from_version)
) ENGINE = InnoDB;

-- When rules of retention are applied to a distribution by workers: next at next_at. rules are the rule sets (JSON) that were applied
-- at applied_at, when withdrawn packages left and archived were to be copied to the archive;
-- stopped says why others that no rule keeps stayed, for people.
CREATE TABLE IF NOT EXISTS retentions (
    distribution_id BIGINT          NOT NULL,
    next_at         BIGINT          NOT NULL,
    rules           MEDIUMBLOB      NOT NULL,
    applied_at      BIGINT          NOT NULL,
    withdrawn       BIGINT          NOT NULL,
    archived        BIGINT          NOT NULL,
    stopped         VARBINARY(2000) NOT NULL,
    PRIMARY KEY (distribution_id),
    FOREIGN KEY (distribution_id) REFERENCES distributions (id)
) ENGINE = InnoDB;

-- Random secrets that are made when they are first needed: cache authenticates what processes keep of the rows outside of the catalog.
CREATE TABLE IF NOT EXISTS secrets (
    name  VARCHAR(32) NOT NULL PRIMARY KEY,
    value VARBINARY(64) NOT NULL
) ENGINE = InnoDB;

-- A copy of the list of keys in the bucket, for when the bucket loses it.
CREATE TABLE IF NOT EXISTS key_list (
    id       BIGINT     NOT NULL,
    revision BIGINT     NOT NULL,
    body     MEDIUMBLOB NOT NULL,
    PRIMARY KEY (id)
) ENGINE = InnoDB;

-- Processes that publish, and when each was last at work. ended: in good order. held_keys are the keys that it has; key_faults is a
-- JSON array of why it cannot sign with those that it was given.
CREATE TABLE IF NOT EXISTS workers (
    name       VARBINARY(255)  NOT NULL,
    seen_at    BIGINT          NOT NULL,
    ended      BIGINT          NOT NULL,
    held_keys  VARCHAR(2000)   CHARACTER SET ascii COLLATE ascii_bin NOT NULL DEFAULT '',
    key_faults VARBINARY(8000) NOT NULL DEFAULT '[]',
    PRIMARY KEY (name)
) ENGINE = InnoDB;

-- Tokens of the API, as digests. owner and name are empty for all. scopes is a JSON array. slot is empty for the live token of a
-- name, and the id of one that was revoked.
CREATE TABLE IF NOT EXISTS api_tokens (
    number       BIGINT          NOT NULL AUTO_INCREMENT,
    id           VARBINARY(16)   NOT NULL,
    sha256       VARBINARY(64)   NOT NULL,
    owner        VARBINARY(255)  NOT NULL,
    name         VARBINARY(255)  NOT NULL,
    label        VARBINARY(255)  NOT NULL,
    slot         VARBINARY(16)   NOT NULL,
    scopes       VARBINARY(255)  NOT NULL,
    parent       VARBINARY(16)   NOT NULL,
    made_by      VARBINARY(255)  NOT NULL,
    job          VARBINARY(2048) NOT NULL,
    created_at   BIGINT          NOT NULL,
    expires_at   BIGINT          NULL,
    last_used_at BIGINT          NULL,
    revoked_at   BIGINT          NULL,
    PRIMARY KEY (number),
    UNIQUE KEY api_tokens_by_id (id),
    UNIQUE KEY api_tokens_by_digest (sha256),
    UNIQUE KEY api_tokens_by_label (owner, name, label, slot),
    KEY api_tokens_by_parent (parent),
    KEY api_tokens_by_end (expires_at)
) ENGINE = InnoDB;

-- Whose ID tokens open what: name is empty for all repositories of the owner, and claims is a JSON object.
CREATE TABLE IF NOT EXISTS trusts (
    id         VARBINARY(32)   NOT NULL,
    owner      VARBINARY(255)  NOT NULL,
    name       VARBINARY(255)  NOT NULL,
    scope      VARBINARY(32)   NOT NULL,
    issuer     VARBINARY(512)  NOT NULL,
    audience   VARBINARY(512)  NOT NULL,
    claims     VARBINARY(8000) NOT NULL,
    created_at BIGINT          NOT NULL,
    PRIMARY KEY (id),
    KEY trusts_by_issuer (issuer)
) ENGINE = InnoDB;

-- ID tokens that were exchanged, until they expire: digest is of issuer and jti; nonce is of the call that used it.
CREATE TABLE IF NOT EXISTS trust_uses (
    digest     VARBINARY(64) NOT NULL,
    nonce      VARBINARY(16) NOT NULL,
    expires_at BIGINT        NOT NULL,
    PRIMARY KEY (digest),
    KEY trust_uses_by_expiry (expires_at)
) ENGINE = InnoDB;

-- What CI jobs got for their ID tokens, until that expires: digest is of the secret; trusts is a JSON array of ids.
CREATE TABLE IF NOT EXISTS job_tokens (
    digest     VARBINARY(64)   NOT NULL,
    trusts     VARBINARY(4000) NOT NULL,
    name       VARBINARY(1024) NOT NULL,
    job        VARBINARY(1024) NOT NULL,
    expires_at BIGINT          NOT NULL,
    PRIMARY KEY (digest),
    KEY job_tokens_by_expiry (expires_at)
) ENGINE = InnoDB;

-- Who changed what, and why. owner and name are of the target, and empty for all. elsewhere is another repository that
-- detail names.
CREATE TABLE IF NOT EXISTS audit (
    id     BIGINT          NOT NULL AUTO_INCREMENT,
    at     BIGINT          NOT NULL,
    actor  VARBINARY(255)  NOT NULL,
    action VARBINARY(32)   NOT NULL,
    owner  VARBINARY(255)  NOT NULL,
    name   VARBINARY(255)  NOT NULL,
    target VARBINARY(2048) NOT NULL,
    detail MEDIUMBLOB      NOT NULL,
    why    MEDIUMBLOB      NOT NULL,
    job    VARBINARY(2048) NOT NULL,
    elsewhere VARBINARY(511) NOT NULL DEFAULT '',
    PRIMARY KEY (id),
    KEY audit_by_time (at, id),
    KEY audit_by_repository (owner, name, at)
) ENGINE = InnoDB;

-- Uploads whose bytes are those of a published package, package_id. target is owner/name/os/version[/component].
-- rules is the digest of the rules of retention by which it leaves.
CREATE TABLE IF NOT EXISTS promotions (
    upload_id       BIGINT          NOT NULL PRIMARY KEY,
    package_id      BIGINT          NOT NULL,
    target          VARBINARY(1024) NOT NULL,
    actor           VARBINARY(255)  NOT NULL,
    why             MEDIUMBLOB      NOT NULL,
    job             VARBINARY(2048) NOT NULL,
    move            VARBINARY(16)   NOT NULL DEFAULT '',
    withdraw_reason VARBINARY(4096) NOT NULL DEFAULT '',
    move_detail     VARBINARY(4096) NOT NULL DEFAULT '',
    rules           VARBINARY(64)   NOT NULL DEFAULT '',
    KEY promotions_by_package (package_id, target),
    KEY promotions_to_move (move, upload_id),
    FOREIGN KEY (upload_id) REFERENCES uploads (id),
    FOREIGN KEY (package_id) REFERENCES packages (id)
) ENGINE = InnoDB;

-- Release trains: packages of the repositories of an owner that become active in one transaction. not_before is when a worker is to do
-- that, NULL while it is not asked to; actor, why and job are of who asked. fault is a JSON array of why the last attempt did not.
-- embargo: nothing shows its packages before. copying: their files are on the way to their public keys.
-- planned is the digest of the plan that is to be published, and nothing else; empty for what the train holds.
CREATE TABLE IF NOT EXISTS trains (
    id         BIGINT          NOT NULL AUTO_INCREMENT PRIMARY KEY,
    owner      VARBINARY(63)   NOT NULL,
    name       VARBINARY(64)   NOT NULL,
    state      VARBINARY(16)   NOT NULL,
    embargo    TINYINT         NOT NULL DEFAULT 0,
    copying    TINYINT         NOT NULL DEFAULT 0,
    planned    VARBINARY(64)   NOT NULL DEFAULT '',
    opened_at  BIGINT          NOT NULL,
    not_before BIGINT          NULL,
    actor      VARBINARY(255)  NOT NULL,
    why        MEDIUMBLOB      NOT NULL,
    job        VARBINARY(2048) NOT NULL,
    attempts   INT             NOT NULL,
    fault      MEDIUMBLOB      NOT NULL,
    ended_at   BIGINT          NULL,
    UNIQUE KEY (owner, name),
    KEY trains_asked (not_before)
) ENGINE = InnoDB;

-- The uploads of release trains.
CREATE TABLE IF NOT EXISTS train_uploads (
    upload_id BIGINT NOT NULL PRIMARY KEY,
    train_id  BIGINT NOT NULL,
    KEY train_uploads_by_train (train_id, upload_id),
    FOREIGN KEY (upload_id) REFERENCES uploads (id),
    FOREIGN KEY (train_id) REFERENCES trains (id)
) ENGINE = InnoDB;

-- What was counted of logs in one transaction. name is of the run and its part, so that a repeated part is found; result is JSON.
CREATE TABLE IF NOT EXISTS log_batches (
    id         BIGINT         NOT NULL AUTO_INCREMENT,
    name       VARBINARY(255) NOT NULL,
    counted_at BIGINT         NOT NULL,
    result     MEDIUMBLOB     NOT NULL,
    PRIMARY KEY (id),
    UNIQUE KEY log_batches_by_name (name),
    KEY log_batches_by_time (counted_at)
) ENGINE = InnoDB;

-- How far a log file was counted, in bytes after decompression. source is the URL of an object, or a folder; identity is the
-- version of the object, or the digest of the first line of a file. state is what the file looked like when it was read.
-- seen_at is when a run last found it.
CREATE TABLE IF NOT EXISTS log_files (
    id       BIGINT          NOT NULL AUTO_INCREMENT,
    source   VARBINARY(2048) NOT NULL,
    identity VARBINARY(255)  NOT NULL,
    state    VARBINARY(255)  NOT NULL,
    counted  BIGINT          NOT NULL,
    batch_id BIGINT          NOT NULL,
    seen_at  BIGINT          NOT NULL,
    PRIMARY KEY (id),
    UNIQUE KEY log_files_by_name (source, identity),
    KEY log_files_by_time (seen_at)
) ENGINE = InnoDB;

-- Downloads of a package on a day (days since 1970, UTC), or in a month if months is 1: day is the first of it then. legacy is the
-- rule of an old URL.
CREATE TABLE IF NOT EXISTS downloads (
    package_id     BIGINT        NOT NULL,
    months         TINYINT       NOT NULL,
    day            BIGINT        NOT NULL,
    client         VARBINARY(32) NOT NULL,
    client_version VARBINARY(32) NOT NULL,
    country        VARBINARY(2)  NOT NULL,
    legacy         VARBINARY(32) NOT NULL,
    downloads      BIGINT        NOT NULL,
    PRIMARY KEY (package_id, months, day, client, client_version, country, legacy),
    KEY downloads_by_day (months, day),
    FOREIGN KEY (package_id) REFERENCES packages (id)
) ENGINE = InnoDB;

-- Other requests in a repository: kind is metadata, install or redirect. distribution is os/version, if the path has it.
CREATE TABLE IF NOT EXISTS log_requests (
    repository_id BIGINT         NOT NULL,
    months        TINYINT        NOT NULL,
    day           BIGINT         NOT NULL,
    kind          VARBINARY(16)  NOT NULL,
    distribution  VARBINARY(511) NOT NULL,
    client        VARBINARY(32)  NOT NULL,
    legacy        VARBINARY(32)  NOT NULL,
    requests      BIGINT         NOT NULL,
    PRIMARY KEY (repository_id, months, day, kind, distribution, client, legacy),
    KEY log_requests_by_day (months, day),
    FOREIGN KEY (repository_id) REFERENCES repositories (id)
) ENGINE = InnoDB;

-- What is read of the files of a DEB, by its bytes. state is wanted, done, skipped, failed or gone: of what is gone, the list of files
-- is to be deleted, then the row. Until not_before it has a reader, or waits for its next attempt. There are no foreign keys: a reader
-- waits for no one who holds a repository.
CREATE TABLE IF NOT EXISTS package_contents (
    repository_id BIGINT          NOT NULL,
    sha256        VARBINARY(64)   NOT NULL,
    name          VARBINARY(255)  NOT NULL,
    version       VARBINARY(512)  NOT NULL,
    canonical     VARBINARY(512)  NOT NULL,
    size          BIGINT          NOT NULL,
    state         VARBINARY(16)   NOT NULL,
    files         BIGINT          NOT NULL DEFAULT 0,
    changelog     BLOB            NULL,
    fault         VARBINARY(2000) NOT NULL DEFAULT '',
    attempts      INT             NOT NULL DEFAULT 0,
    not_before    BIGINT          NOT NULL,
    at            BIGINT          NOT NULL,
    PRIMARY KEY (repository_id, sha256),
    KEY package_contents_in_order (state, not_before)
) ENGINE = InnoDB;

-- How far the pages of a repository are. wanted: how often all of them were asked for; up to walk they are being queued, behind
-- next_name, and up to queued they are. front_asked counts what changed the front page: settings_revision, given_keys, key_list and
-- visibility are what it was last asked for, and front_done is what it has. packages and names sum up page_names. snapshots is 1
-- once the repository has had a snapshot: pages of versions link them. failing counts the requests that failed last. renderer is the version of what makes pages. A lease ends early if lease_until is 0.
CREATE TABLE IF NOT EXISTS page_states (
    repository_id     BIGINT          NOT NULL,
    visibility        VARBINARY(32)   NOT NULL,
    settings_revision BIGINT          NOT NULL,
    given_keys        VARCHAR(2000)   CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    key_list          BIGINT          NOT NULL,
    renderer          BIGINT          NOT NULL,
    wanted            BIGINT          NOT NULL DEFAULT 0,
    walk              BIGINT          NOT NULL DEFAULT 0,
    queued            BIGINT          NOT NULL DEFAULT 0,
    next_name         VARBINARY(255)  NOT NULL DEFAULT '',
    front_asked       BIGINT          NOT NULL DEFAULT 0,
    front_taken       BIGINT          NOT NULL DEFAULT 0,
    front_done        BIGINT          NOT NULL DEFAULT 0,
    front_since       BIGINT          NOT NULL DEFAULT 0,
    front_attempts    INT             NOT NULL DEFAULT 0,
    front_not_before  BIGINT          NOT NULL DEFAULT 0,
    packages          BIGINT          NOT NULL DEFAULT 0,
    names             BIGINT          NOT NULL DEFAULT 0,
    snapshots         BIGINT          NOT NULL DEFAULT 0,
    failing           BIGINT          NOT NULL DEFAULT 0,
    fault             VARBINARY(2000) NOT NULL DEFAULT '',
    lease_owner       VARBINARY(255)  NOT NULL DEFAULT '',
    lease_token       VARBINARY(16)   NOT NULL DEFAULT '',
    lease_until       BIGINT          NOT NULL DEFAULT 0,
    PRIMARY KEY (repository_id),
    FOREIGN KEY (repository_id) REFERENCES repositories (id)
) ENGINE = InnoDB;

-- What was queued of the pages of a release: all that came or went with a revision up to this one and, of the next one, the packages
-- up to package_id. While walking is 1, names behind next_name are to be queued, too: whole and requested_at are of their requests.
CREATE TABLE IF NOT EXISTS page_cursors (
    release_id   BIGINT         NOT NULL,
    generation   BIGINT         NOT NULL,
    retired      TINYINT        NOT NULL,
    revision     BIGINT         NOT NULL,
    package_id   BIGINT         NOT NULL DEFAULT 0,
    walking      TINYINT        NOT NULL DEFAULT 0,
    whole        TINYINT        NOT NULL DEFAULT 0,
    requested_at BIGINT         NOT NULL DEFAULT 0,
    next_name    VARBINARY(255) NOT NULL DEFAULT '',
    PRIMARY KEY (release_id),
    FOREIGN KEY (release_id) REFERENCES releases (id)
) ENGINE = InnoDB;

-- Pages to be made: of a version, or of all versions of a name if version is empty. whole: they were asked for with all others, and
-- can wait. alone: no page but that of the version says what changed. taken is the token of the lease of the process that makes them;
-- again is set if they were asked for since. There are no foreign keys: a request waits for no one who holds a repository.
CREATE TABLE IF NOT EXISTS page_requests (
    id            BIGINT          NOT NULL AUTO_INCREMENT,
    repository_id BIGINT          NOT NULL,
    name          VARBINARY(255)  NOT NULL,
    version       VARBINARY(512)  NOT NULL,
    at            BIGINT          NOT NULL,
    whole         TINYINT         NOT NULL,
    alone         TINYINT         NOT NULL DEFAULT 0,
    attempts      INT             NOT NULL DEFAULT 0,
    not_before    BIGINT          NOT NULL DEFAULT 0,
    fault         VARBINARY(2000) NOT NULL DEFAULT '',
    taken         VARBINARY(16)   NOT NULL DEFAULT '',
    again         BIGINT          NULL,
    PRIMARY KEY (id),
    UNIQUE KEY page_requests_by_name (repository_id, name, version),
    KEY page_requests_in_order (repository_id, whole, at, id, not_before)
) ENGINE = InnoDB;

-- The packages of a repository that clients see, by name. A name of a higher level begins a part of the list of that level.
CREATE TABLE IF NOT EXISTS page_names (
    repository_id BIGINT          NOT NULL,
    name          VARBINARY(255)  NOT NULL,
    level         INT             NOT NULL,
    summary       VARBINARY(1000) NOT NULL,
    version       VARBINARY(512)  NOT NULL,
    formats       VARBINARY(64)   NOT NULL,
    at            BIGINT          NOT NULL,
    packages      BIGINT          NOT NULL,
    PRIMARY KEY (repository_id, name),
    KEY page_names_by_level (repository_id, level, name)
) ENGINE = InnoDB;

-- +goose Down
DROP TABLE IF EXISTS package_contents;
DROP TABLE IF EXISTS page_names;
DROP TABLE IF EXISTS page_requests;
DROP TABLE IF EXISTS page_cursors;
DROP TABLE IF EXISTS page_states;
DROP TABLE IF EXISTS log_requests;
DROP TABLE IF EXISTS downloads;
DROP TABLE IF EXISTS log_files;
DROP TABLE IF EXISTS log_batches;
DROP TABLE IF EXISTS train_uploads;
DROP TABLE IF EXISTS trains;
DROP TABLE IF EXISTS promotions;
DROP TABLE IF EXISTS audit;
DROP TABLE IF EXISTS job_tokens;
DROP TABLE IF EXISTS trust_uses;
DROP TABLE IF EXISTS trusts;
DROP TABLE IF EXISTS api_tokens;
DROP TABLE IF EXISTS workers;
DROP TABLE IF EXISTS key_list;
DROP TABLE IF EXISTS secrets;
DROP TABLE IF EXISTS retentions;
DROP TABLE IF EXISTS exact_needs;
DROP TABLE IF EXISTS unyanks;
DROP TABLE IF EXISTS snapshot_releases;
DROP TABLE IF EXISTS snapshots;
DROP TABLE IF EXISTS visibility;
DROP TABLE IF EXISTS upload_releases;
DROP TABLE IF EXISTS uploads;
DROP TABLE IF EXISTS phases;
DROP TABLE IF EXISTS packages;
DROP TABLE IF EXISTS reindexes;
DROP TABLE IF EXISTS release_holds;
DROP TABLE IF EXISTS settings_pairs;
DROP TABLE IF EXISTS recoveries;
DROP TABLE IF EXISTS foreign_pairs;
DROP TABLE IF EXISTS publications;
DROP TABLE IF EXISTS releases;
DROP TABLE IF EXISTS distributions;
DROP TABLE IF EXISTS repositories;
