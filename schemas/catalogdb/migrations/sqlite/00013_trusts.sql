-- +goose Up
-- Whose ID tokens open what: name is empty for all repositories of the owner, and claims is a JSON object. And ID tokens
-- that were exchanged, until they expire: digest is of issuer and jti; nonce is of the call that used it. And what CI jobs
-- got for them, until that expires: digest is of the secret; trusts is a JSON array of ids.
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
CREATE TABLE trust_uses (
    digest     TEXT    NOT NULL PRIMARY KEY,
    nonce      TEXT    NOT NULL,
    expires_at INTEGER NOT NULL
);
CREATE INDEX trust_uses_by_expiry ON trust_uses (expires_at);
CREATE TABLE job_tokens (
    digest     TEXT    NOT NULL PRIMARY KEY,
    trusts     TEXT    NOT NULL,
    name       TEXT    NOT NULL,
    job        TEXT    NOT NULL,
    expires_at INTEGER NOT NULL
);
CREATE INDEX job_tokens_by_expiry ON job_tokens (expires_at);

-- +goose Down
DROP TABLE job_tokens;
DROP TABLE trust_uses;
DROP TABLE trusts;
