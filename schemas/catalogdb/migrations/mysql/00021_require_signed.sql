-- +goose NO TRANSACTION
-- +goose Up
-- The formats whose packages need a signature by a package key.
SET @missing = (SELECT COUNT(*) = 0 FROM information_schema.columns
    WHERE table_schema = DATABASE() AND table_name = 'repositories' AND column_name = 'require_signed');
SET @change = IF(@missing, 'ALTER TABLE repositories ADD COLUMN require_signed VARBINARY(64) NOT NULL DEFAULT ''[]''', 'DO 0');
PREPARE change_repositories FROM @change;
EXECUTE change_repositories;
DEALLOCATE PREPARE change_repositories;

-- +goose Down
ALTER TABLE repositories DROP COLUMN require_signed;
