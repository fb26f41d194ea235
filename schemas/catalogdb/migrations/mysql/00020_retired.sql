-- +goose NO TRANSACTION
-- +goose Up
-- The architecture was taken out of the repository.
SET @missing = (SELECT COUNT(*) = 0 FROM information_schema.columns
    WHERE table_schema = DATABASE() AND table_name = 'releases' AND column_name = 'retired');
SET @change = IF(@missing, 'ALTER TABLE releases ADD COLUMN retired TINYINT NOT NULL DEFAULT 0', 'DO 0');
PREPARE change_releases FROM @change;
EXECUTE change_releases;
DEALLOCATE PREPARE change_releases;

-- +goose Down
ALTER TABLE releases DROP COLUMN retired;
