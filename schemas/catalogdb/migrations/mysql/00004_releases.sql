-- +goose NO TRANSACTION
-- +goose Up
-- What one pointer describes. (revision, nonce) is drawn anew with every change. fault says why the
-- last publish came to nothing.
CREATE TABLE IF NOT EXISTS releases (
    id                 BIGINT        NOT NULL AUTO_INCREMENT PRIMARY KEY,
    distribution_id    BIGINT        NOT NULL,
    arch               VARBINARY(64) NOT NULL,
    revision           BIGINT        NOT NULL,
    nonce              VARBINARY(16) NOT NULL,
    published_revision BIGINT        NOT NULL,
    fault              MEDIUMBLOB    NOT NULL,
    UNIQUE KEY releases_by_arch (distribution_id, arch),
    FOREIGN KEY (distribution_id) REFERENCES distributions (id)
) ENGINE = InnoDB;

-- +goose Down
DROP TABLE IF EXISTS releases;
