-- +goose NO TRANSACTION
-- +goose Up
-- The key that a package says it was signed with.
SET @missing = (SELECT COUNT(*) = 0 FROM information_schema.columns
    WHERE table_schema = DATABASE() AND table_name = 'packages' AND column_name = 'signer');
SET @change = IF(@missing, 'ALTER TABLE packages ADD COLUMN signer VARBINARY(64) NOT NULL DEFAULT ''''', 'DO 0');
PREPARE change_packages FROM @change;
EXECUTE change_packages;
DEALLOCATE PREPARE change_packages;

-- +goose Down
ALTER TABLE packages DROP COLUMN signer;
