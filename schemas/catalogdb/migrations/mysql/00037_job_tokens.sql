-- +goose NO TRANSACTION
-- +goose Up
-- What CI jobs got for their ID tokens, until it expires. digest is of the secret; trusts is a JSON array of ids.
CREATE TABLE IF NOT EXISTS job_tokens (
    digest     VARBINARY(64)   NOT NULL PRIMARY KEY,
    trusts     VARBINARY(4000) NOT NULL,
    name       VARBINARY(1024) NOT NULL,
    job        VARBINARY(1024) NOT NULL,
    expires_at BIGINT          NOT NULL,
    KEY job_tokens_by_expiry (expires_at)
) ENGINE = InnoDB;

-- +goose Down
DROP TABLE IF EXISTS job_tokens;
