-- +goose NO TRANSACTION
-- +goose Up
-- The reindex of a release that was asked for last. It is done when done has reached asked; lease_owner works on it
-- until lease_until, at most. source is 'rows' or 'published'; renderer is the least version of the program that may do
-- it. result is JSON.
CREATE TABLE IF NOT EXISTS reindexes (
    release_id  BIGINT         NOT NULL PRIMARY KEY,
    asked       BIGINT         NOT NULL,
    done        BIGINT         NOT NULL,
    source      VARBINARY(16)  NOT NULL,
    repair      TINYINT        NOT NULL,
    renderer    BIGINT         NOT NULL,
    asked_by    VARBINARY(255) NOT NULL,
    asked_at    BIGINT         NOT NULL,
    lease_owner VARBINARY(255) NOT NULL,
    lease_until BIGINT         NOT NULL,
    attempts    INTEGER        NOT NULL,
    rendered    BIGINT         NOT NULL,
    outcome     VARBINARY(16)  NOT NULL,
    result      MEDIUMBLOB     NOT NULL,
    finished_at BIGINT,
    FOREIGN KEY (release_id) REFERENCES releases (id)
) ENGINE = InnoDB;

-- +goose Down
DROP TABLE IF EXISTS reindexes;
