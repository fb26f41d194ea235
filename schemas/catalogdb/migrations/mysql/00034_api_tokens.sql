-- +goose NO TRANSACTION
-- +goose Up
-- Tokens of the API, as digests. owner and name are empty for all. scopes is a JSON array. slot is empty for the live
-- token of a name, and the id of one that was revoked.
CREATE TABLE IF NOT EXISTS api_tokens (
    number       BIGINT         NOT NULL AUTO_INCREMENT PRIMARY KEY,
    id           VARBINARY(16)  NOT NULL,
    sha256       VARBINARY(64)  NOT NULL,
    owner        VARBINARY(255) NOT NULL,
    name         VARBINARY(255) NOT NULL,
    label        VARBINARY(255) NOT NULL,
    slot         VARBINARY(16)  NOT NULL,
    scopes       VARBINARY(255) NOT NULL,
    parent       VARBINARY(16)  NOT NULL,
    made_by      VARBINARY(255) NOT NULL,
    job          VARBINARY(2048) NOT NULL,
    created_at   BIGINT         NOT NULL,
    expires_at   BIGINT,
    last_used_at BIGINT,
    revoked_at   BIGINT,
    UNIQUE KEY api_tokens_by_id (id),
    UNIQUE KEY api_tokens_by_digest (sha256),
    UNIQUE KEY api_tokens_by_label (owner, name, label, slot),
    KEY api_tokens_by_parent (parent),
    KEY api_tokens_by_end (expires_at)
) ENGINE = InnoDB;

-- Who changed what, and why. owner and name are of the target, and empty for all.
CREATE TABLE IF NOT EXISTS audit (
    id     BIGINT          NOT NULL AUTO_INCREMENT PRIMARY KEY,
    at     BIGINT          NOT NULL,
    actor  VARBINARY(255)  NOT NULL,
    action VARBINARY(32)   NOT NULL,
    owner  VARBINARY(255)  NOT NULL,
    name   VARBINARY(255)  NOT NULL,
    target VARBINARY(2048) NOT NULL,
    detail MEDIUMBLOB      NOT NULL,
    why    MEDIUMBLOB      NOT NULL,
    job    VARBINARY(2048) NOT NULL,
    KEY audit_by_time (at, id)
) ENGINE = InnoDB;

-- +goose Down
DROP TABLE IF EXISTS audit;
DROP TABLE IF EXISTS api_tokens;
