-- +goose Up
-- Why a worker cannot sign with keys that it was given, as JSON; and what the list of keys in the bucket was, for when
-- the bucket loses it.
ALTER TABLE workers ADD COLUMN key_faults TEXT NOT NULL DEFAULT '[]';
CREATE TABLE key_list (
    id       INTEGER NOT NULL PRIMARY KEY,
    revision INTEGER NOT NULL,
    body     BLOB    NOT NULL
);

-- +goose Down
DROP TABLE key_list;
ALTER TABLE workers DROP COLUMN key_faults;
