-- +goose NO TRANSACTION
-- +goose Up
CREATE TABLE IF NOT EXISTS distributions (
    id            BIGINT         NOT NULL AUTO_INCREMENT PRIMARY KEY,
    repository_id BIGINT         NOT NULL,
    os            VARBINARY(255) NOT NULL,
    version       VARBINARY(255) NOT NULL,
    format        VARBINARY(16)  NOT NULL,
    components    MEDIUMBLOB     NOT NULL,
    architectures MEDIUMBLOB     NOT NULL,
    created_at    BIGINT         NOT NULL,
    UNIQUE KEY distributions_by_name (repository_id, os, version),
    FOREIGN KEY (repository_id) REFERENCES repositories (id)
) ENGINE = InnoDB;

-- +goose Down
DROP TABLE IF EXISTS distributions;
