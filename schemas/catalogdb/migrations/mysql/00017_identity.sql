-- +goose NO TRANSACTION
-- +goose Up
-- Several components have packages of one name, version and architecture. variant is part of the identity, and empty.
SET @missing = (SELECT COUNT(*) = 0 FROM information_schema.columns
    WHERE table_schema = DATABASE() AND table_name = 'packages' AND column_name = 'variant');
SET @change = IF(@missing, 'ALTER TABLE packages ADD COLUMN variant VARBINARY(64) NOT NULL DEFAULT '''',
    DROP KEY packages_by_identity, ADD UNIQUE KEY packages_by_identity (distribution_id, name, canonical, arch, component, variant),
    DROP KEY packages_in_order, ADD KEY packages_in_order (distribution_id, state, dir, sort_key, component, variant)', 'DO 0');
PREPARE change_packages FROM @change;
EXECUTE change_packages;
DEALLOCATE PREPARE change_packages;

-- +goose Down
-- The narrower key may not fit any more: an older program makes a new catalog, and fills it from the bucket.
DO 0;
