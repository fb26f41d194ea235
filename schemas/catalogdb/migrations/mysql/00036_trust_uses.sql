-- +goose NO TRANSACTION
-- +goose Up
-- ID tokens that were exchanged, until they expire. digest is of issuer and jti; nonce is of the call that used it.
CREATE TABLE IF NOT EXISTS trust_uses (
    digest     VARBINARY(64) NOT NULL PRIMARY KEY,
    nonce      VARBINARY(16) NOT NULL,
    expires_at BIGINT        NOT NULL,
    KEY trust_uses_by_expiry (expires_at)
) ENGINE = InnoDB;

-- +goose Down
DROP TABLE IF EXISTS trust_uses;
