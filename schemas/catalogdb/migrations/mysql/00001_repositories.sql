-- +goose NO TRANSACTION
-- +goose Up
-- Names and keys are bytes: nothing is folded or padded. Times are milliseconds since 1970, UTC. Lists
-- are JSON arrays. (settings_revision, settings_nonce) is drawn anew with every change.
CREATE TABLE IF NOT EXISTS repositories (
    id                          BIGINT         NOT NULL AUTO_INCREMENT PRIMARY KEY,
    owner                       VARBINARY(255) NOT NULL,
    name                        VARBINARY(255) NOT NULL,
    visibility                  VARBINARY(32)  NOT NULL,
    origin                      VARBINARY(1024) NOT NULL,
    label                       VARBINARY(1024) NOT NULL,
    settings_revision           BIGINT         NOT NULL,
    settings_nonce              VARBINARY(16)  NOT NULL,
    published_settings_revision BIGINT         NOT NULL,
    package_keys                MEDIUMBLOB     NOT NULL,
    tokens                      MEDIUMBLOB     NOT NULL,
    created_at                  BIGINT         NOT NULL,
    UNIQUE KEY repositories_by_name (owner, name)
) ENGINE = InnoDB;

-- +goose Down
DROP TABLE IF EXISTS repositories;
