-- +goose NO TRANSACTION
-- +goose Up
-- What changed in a release since a revision. MySQL has no CREATE INDEX IF NOT EXISTS.
SET @missing = (SELECT COUNT(*) = 0 FROM information_schema.statistics
    WHERE table_schema = DATABASE() AND table_name = 'appearances' AND index_name = 'appearances_by_revision');
SET @change = IF(@missing, 'CREATE INDEX appearances_by_revision ON appearances (release_id, revision)', 'DO 0');
PREPARE change_appearances FROM @change;
EXECUTE change_appearances;
DEALLOCATE PREPARE change_appearances;

-- +goose Down
-- The foreign key needs the index by now.
DO 0;
