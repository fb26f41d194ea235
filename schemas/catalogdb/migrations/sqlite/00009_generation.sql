-- +goose Up
-- How often a release had to be rendered from nothing: its rows were taken over, or a reindex found other indexes.
ALTER TABLE releases ADD COLUMN generation INTEGER NOT NULL DEFAULT 0;

-- +goose Down
ALTER TABLE releases DROP COLUMN generation;
