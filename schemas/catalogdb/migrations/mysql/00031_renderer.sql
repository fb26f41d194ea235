-- +goose NO TRANSACTION
-- +goose Up
-- The version of what rendered the published indexes.
SET @missing = (SELECT COUNT(*) = 0 FROM information_schema.columns
    WHERE table_schema = DATABASE() AND table_name = 'releases' AND column_name = 'renderer');
SET @change = IF(@missing, 'ALTER TABLE releases ADD COLUMN renderer BIGINT NOT NULL DEFAULT 0', 'DO 0');
PREPARE change_releases FROM @change;
EXECUTE change_releases;
DEALLOCATE PREPARE change_releases;
SET @change = IF(@missing, 'UPDATE releases SET renderer = 1', 'DO 0');
PREPARE change_releases FROM @change;
EXECUTE change_releases;
DEALLOCATE PREPARE change_releases;

-- +goose Down
ALTER TABLE releases DROP COLUMN renderer;
