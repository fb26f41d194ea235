-- +goose Up
-- When the last withdrawal of an active package was taken back: what a published release says of it may be older.
CREATE TABLE unyanks (
    package_id INTEGER PRIMARY KEY REFERENCES packages (id),
    at         INTEGER NOT NULL
);

-- Processes that publish, and when each was last at work. ended: in good order.
CREATE TABLE workers (
    name    TEXT    PRIMARY KEY,
    seen_at INTEGER NOT NULL,
    ended   INTEGER NOT NULL
);

-- +goose Down
DROP TABLE workers;
DROP TABLE unyanks;
