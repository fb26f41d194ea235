-- +goose NO TRANSACTION
-- +goose Up
-- What was looked at of the payload.
SET @missing = (SELECT COUNT(*) = 0 FROM information_schema.columns
    WHERE table_schema = DATABASE() AND table_name = 'uploads' AND column_name = 'checked');
SET @change = IF(@missing, 'ALTER TABLE uploads ADD COLUMN checked VARBINARY(16) NOT NULL DEFAULT ''''', 'DO 0');
PREPARE change_uploads FROM @change;
EXECUTE change_uploads;
DEALLOCATE PREPARE change_uploads;

-- +goose Down
ALTER TABLE uploads DROP COLUMN checked;
