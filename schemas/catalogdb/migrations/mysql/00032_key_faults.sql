-- +goose NO TRANSACTION
-- +goose Up
-- Why a worker cannot sign with keys that it was given, as JSON.
SET @missing = (SELECT COUNT(*) = 0 FROM information_schema.columns
    WHERE table_schema = DATABASE() AND table_name = 'workers' AND column_name = 'key_faults');
SET @change = IF(@missing, 'ALTER TABLE workers ADD COLUMN key_faults VARBINARY(8000) NOT NULL DEFAULT ''[]''', 'DO 0');
PREPARE change_workers FROM @change;
EXECUTE change_workers;
DEALLOCATE PREPARE change_workers;

-- +goose Down
ALTER TABLE workers DROP COLUMN key_faults;
