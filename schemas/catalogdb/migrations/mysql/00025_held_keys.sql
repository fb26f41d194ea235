-- +goose NO TRANSACTION
-- +goose Up
-- Which keys a worker can sign with.
SET @missing = (SELECT COUNT(*) = 0 FROM information_schema.columns
    WHERE table_schema = DATABASE() AND table_name = 'workers' AND column_name = 'held_keys');
SET @change = IF(@missing, 'ALTER TABLE workers ADD COLUMN held_keys VARCHAR(2000) CHARACTER SET ascii COLLATE ascii_bin NOT NULL DEFAULT ''''', 'DO 0');
PREPARE change_workers FROM @change;
EXECUTE change_workers;
DEALLOCATE PREPARE change_workers;

-- +goose Down
ALTER TABLE workers DROP COLUMN held_keys;
