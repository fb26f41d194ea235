-- +goose NO TRANSACTION
-- +goose Up
-- When the worker reads payloads whole.
SET @missing = (SELECT COUNT(*) = 0 FROM information_schema.columns
    WHERE table_schema = DATABASE() AND table_name = 'repositories' AND column_name = 'verify_payload');
SET @change = IF(@missing, 'ALTER TABLE repositories ADD COLUMN verify_payload VARBINARY(16) NOT NULL DEFAULT ''''', 'DO 0');
PREPARE change_repositories FROM @change;
EXECUTE change_repositories;
DEALLOCATE PREPARE change_repositories;

-- +goose Down
ALTER TABLE repositories DROP COLUMN verify_payload;
