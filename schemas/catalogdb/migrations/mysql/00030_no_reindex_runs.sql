-- +goose NO TRANSACTION
-- +goose Up
DROP TABLE IF EXISTS reindex_runs;

-- +goose Down
DO 0;
