-- +goose NO TRANSACTION
-- +goose Up
-- Uploads whose bytes are those of a published package, package_id. target is owner/name/os/version[/component].
CREATE TABLE IF NOT EXISTS promotions (
    upload_id  BIGINT          NOT NULL PRIMARY KEY,
    package_id BIGINT          NOT NULL,
    target     VARBINARY(1024) NOT NULL,
    actor      VARBINARY(255)  NOT NULL,
    why        MEDIUMBLOB      NOT NULL,
    job        VARBINARY(2048) NOT NULL,
    KEY promotions_by_package (package_id, target),
    FOREIGN KEY (upload_id) REFERENCES uploads (id),
    FOREIGN KEY (package_id) REFERENCES packages (id)
) ENGINE = InnoDB;

-- +goose Down
DROP TABLE IF EXISTS promotions;
