-- +goose NO TRANSACTION
-- +goose Up
-- Whose ID tokens open what. name is empty for all repositories of the owner. claims is a JSON object.
CREATE TABLE IF NOT EXISTS trusts (
    id         VARBINARY(32)   NOT NULL PRIMARY KEY,
    owner      VARBINARY(255)  NOT NULL,
    name       VARBINARY(255)  NOT NULL,
    scope      VARBINARY(32)   NOT NULL,
    issuer     VARBINARY(512)  NOT NULL,
    audience   VARBINARY(512)  NOT NULL,
    claims     VARBINARY(8000) NOT NULL,
    created_at BIGINT          NOT NULL,
    KEY trusts_by_issuer (issuer)
) ENGINE = InnoDB;

-- +goose Down
DROP TABLE IF EXISTS trusts;
