-- +goose NO TRANSACTION
-- +goose Up
-- The packages of a repository's keys: whether they are made, and what was made last.
SET @missing = (SELECT COUNT(*) = 0 FROM information_schema.columns
    WHERE table_schema = DATABASE() AND table_name = 'repositories' AND column_name = 'keyring_package');
SET @change = IF(@missing, 'ALTER TABLE repositories ADD COLUMN keyring_package VARBINARY(16000) NOT NULL DEFAULT ''[]''', 'DO 0');
PREPARE change_repositories FROM @change;
EXECUTE change_repositories;
DEALLOCATE PREPARE change_repositories;

-- +goose Down
ALTER TABLE repositories DROP COLUMN keyring_package;
