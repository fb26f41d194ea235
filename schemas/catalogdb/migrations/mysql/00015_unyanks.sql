-- +goose NO TRANSACTION
-- +goose Up
-- When the last withdrawal of an active package was taken back: what a published release says of it may be older.
CREATE TABLE IF NOT EXISTS unyanks (
    package_id BIGINT NOT NULL PRIMARY KEY,
    at         BIGINT NOT NULL,
    FOREIGN KEY (package_id) REFERENCES packages (id)
) ENGINE = InnoDB;

-- +goose Down
DROP TABLE IF EXISTS unyanks;
