-- +goose NO TRANSACTION
-- +goose Up
-- One generation of one staged object. outcome is the final state that a stored upload will have.
-- detail explains a rejection or, before the end, the last fault. staged says that the object still
-- lies in the staging bucket.
CREATE TABLE IF NOT EXISTS uploads (
    id          BIGINT          NOT NULL AUTO_INCREMENT PRIMARY KEY,
    bucket      VARBINARY(255)  NOT NULL,
    object      VARBINARY(2048) NOT NULL,
    generation  VARBINARY(255)  NOT NULL,
    size        BIGINT          NOT NULL,
    state       VARBINARY(16)   NOT NULL,
    outcome     VARBINARY(16)   NOT NULL,
    reason      VARBINARY(64)   NOT NULL,
    detail      MEDIUMBLOB      NOT NULL,
    package_id  BIGINT,
    lease_owner VARBINARY(255)  NOT NULL,
    lease_token VARBINARY(16)   NOT NULL,
    lease_until BIGINT          NOT NULL,
    attempts    INTEGER         NOT NULL,
    received_at BIGINT          NOT NULL,
    finished_at BIGINT,
    told        TINYINT         NOT NULL,
    staged      TINYINT         NOT NULL DEFAULT 1,
    UNIQUE KEY uploads_by_name (bucket, object, generation),
    KEY uploads_by_state (state, told),
    KEY uploads_by_time (received_at),
    KEY uploads_staged (staged, finished_at),
    FOREIGN KEY (package_id) REFERENCES packages (id)
) ENGINE = InnoDB;

-- +goose Down
DROP TABLE IF EXISTS uploads;
