-- +goose NO TRANSACTION
-- +goose Up
-- A reindex is a state of its release.
DROP TABLE IF EXISTS reindex_releases;

-- +goose Down
DO 0;
