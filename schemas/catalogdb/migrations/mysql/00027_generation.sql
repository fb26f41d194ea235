-- +goose NO TRANSACTION
-- +goose Up
-- How often a release had to be rendered from nothing: its rows were taken over, or a reindex found other indexes.
SET @missing = (SELECT COUNT(*) = 0 FROM information_schema.columns
    WHERE table_schema = DATABASE() AND table_name = 'releases' AND column_name = 'generation');
SET @change = IF(@missing, 'ALTER TABLE releases ADD COLUMN generation BIGINT NOT NULL DEFAULT 0', 'DO 0');
PREPARE change_releases FROM @change;
EXECUTE change_releases;
DEALLOCATE PREPARE change_releases;

-- +goose Down
ALTER TABLE releases DROP COLUMN generation;
