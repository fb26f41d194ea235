-- +goose NO TRANSACTION
-- +goose Up
-- Tables of reindex runs were made here. A reindex is a state of its release now.
DO 0;

-- +goose Down
DO 0;
