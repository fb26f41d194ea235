-- +goose Up
-- Uploads whose bytes are those of a published package, package_id. target is owner/name/os/version[/component].
CREATE TABLE promotions (
    upload_id  INTEGER NOT NULL PRIMARY KEY REFERENCES uploads (id),
    package_id INTEGER NOT NULL REFERENCES packages (id),
    target     TEXT    NOT NULL,
    actor      TEXT    NOT NULL,
    why        TEXT    NOT NULL,
    job        TEXT    NOT NULL
);
CREATE INDEX promotions_by_package ON promotions (package_id, target);

-- +goose Down
DROP TABLE promotions;
