-- +goose NO TRANSACTION
-- +goose Up
-- What the list of keys in the bucket was, for when the bucket loses it. There is one row.
CREATE TABLE IF NOT EXISTS key_list (
    id       BIGINT     NOT NULL PRIMARY KEY,
    revision BIGINT     NOT NULL,
    body     MEDIUMBLOB NOT NULL
) ENGINE = InnoDB;

-- +goose Down
DROP TABLE IF EXISTS key_list;
