-- +goose NO TRANSACTION
-- +goose Up
-- How what is published is signed: what differs from how it should be is signed again.
SET @missing = (SELECT COUNT(*) = 0 FROM information_schema.columns
    WHERE table_schema = DATABASE() AND table_name = 'releases' AND column_name = 'signed_by');
SET @change = IF(@missing, 'ALTER TABLE releases ADD COLUMN signed_by VARCHAR(2000) CHARACTER SET ascii COLLATE ascii_bin NOT NULL DEFAULT ''''', 'DO 0');
PREPARE change_releases FROM @change;
EXECUTE change_releases;
DEALLOCATE PREPARE change_releases;

-- +goose Down
ALTER TABLE releases DROP COLUMN signed_by;
