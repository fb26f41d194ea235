-- +goose NO TRANSACTION
-- +goose Up
-- Who has a release for itself for a while: other publishers wait.
CREATE TABLE IF NOT EXISTS release_holds (
    release_id BIGINT         NOT NULL PRIMARY KEY,
    holder     VARBINARY(255) NOT NULL,
    held_until BIGINT         NOT NULL,
    FOREIGN KEY (release_id) REFERENCES releases (id)
) ENGINE = InnoDB;

-- +goose Down
DROP TABLE IF EXISTS release_holds;
