-- +goose Up
-- Tokens of the API, as digests. owner and name are empty for all. scopes is a JSON array. slot is empty for the live
-- token of a name, and the id of one that was revoked.
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
CREATE INDEX api_tokens_by_parent ON api_tokens (parent);
CREATE INDEX api_tokens_by_end ON api_tokens (expires_at);

-- Who changed what, and why. owner and name are of the target, and empty for all.
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
    job    TEXT    NOT NULL
);
CREATE INDEX audit_by_time ON audit (at, id);

-- +goose Down
DROP TABLE audit;
DROP TABLE api_tokens;
