-- +goose Up
-- How what is published is signed, and which keys clients are given: what differs from how it should be is done again.
-- A worker says which keys it has.
ALTER TABLE releases     ADD COLUMN signed_by  TEXT NOT NULL DEFAULT '';
ALTER TABLE repositories ADD COLUMN given_keys TEXT NOT NULL DEFAULT '';
ALTER TABLE workers      ADD COLUMN held_keys  TEXT NOT NULL DEFAULT '';

-- +goose Down
ALTER TABLE workers      DROP COLUMN held_keys;
ALTER TABLE repositories DROP COLUMN given_keys;
ALTER TABLE releases     DROP COLUMN signed_by;
