-- +goose NO TRANSACTION
-- +goose Up
-- Processes that publish, and when each was last at work. ended: in good order.
CREATE TABLE IF NOT EXISTS workers (
    name    VARBINARY(255) NOT NULL PRIMARY KEY,
    seen_at BIGINT         NOT NULL,
    ended   BIGINT         NOT NULL
) ENGINE = InnoDB;

-- +goose Down
DROP TABLE IF EXISTS workers;
