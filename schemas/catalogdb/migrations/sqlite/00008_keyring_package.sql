-- +goose Up
-- The packages of a repository's keys: whether they are made, and what was made last.
ALTER TABLE repositories ADD COLUMN keyring_package TEXT NOT NULL DEFAULT '[]';

-- +goose Down
ALTER TABLE repositories DROP COLUMN keyring_package;
