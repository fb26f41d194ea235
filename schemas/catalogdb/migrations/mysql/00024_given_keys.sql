-- +goose NO TRANSACTION
-- +goose Up
-- Which keys the published objects give to clients.
SET @missing = (SELECT COUNT(*) = 0 FROM information_schema.columns
    WHERE table_schema = DATABASE() AND table_name = 'repositories' AND column_name = 'given_keys');
SET @change = IF(@missing, 'ALTER TABLE repositories ADD COLUMN given_keys VARCHAR(2000) CHARACTER SET ascii COLLATE ascii_bin NOT NULL DEFAULT ''''', 'DO 0');
PREPARE change_repositories FROM @change;
EXECUTE change_repositories;
DEALLOCATE PREPARE change_repositories;

-- +goose Down
ALTER TABLE repositories DROP COLUMN given_keys;
