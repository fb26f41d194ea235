-- +goose NO TRANSACTION
-- +goose Up
-- dir is the RPM architecture directory, "noarch" for all of them, "" for DEB. removed is 1 if the file
-- of a yanked package is about to be deleted, 2 if it is.
CREATE TABLE IF NOT EXISTS packages (
    id              BIGINT          NOT NULL AUTO_INCREMENT PRIMARY KEY,
    distribution_id BIGINT          NOT NULL,
    component       VARBINARY(255)  NOT NULL,
    name            VARBINARY(255)  NOT NULL,
    version         VARBINARY(512)  NOT NULL,
    canonical       VARBINARY(512)  NOT NULL,
    arch            VARBINARY(64)   NOT NULL,
    dir             VARBINARY(64)   NOT NULL,
    sort_key        VARBINARY(2048) NOT NULL,
    object_key      VARBINARY(1024) NOT NULL,
    size            BIGINT          NOT NULL,
    sha256          VARBINARY(64)   NOT NULL,
    md5             VARBINARY(32)   NOT NULL,
    uploaded_at     BIGINT          NOT NULL,
    state           VARBINARY(16)   NOT NULL,
    stanza          LONGBLOB,
    primary_xml     LONGBLOB,
    filelists_xml   LONGBLOB,
    other_xml       LONGBLOB,
    pushed_by       VARBINARY(255)  NOT NULL,
    pushed_job      VARBINARY(2048) NOT NULL,
    yanked_at       BIGINT,
    yank_reason     MEDIUMBLOB,
    yanked_by       VARBINARY(255)  NOT NULL,
    removed         TINYINT         NOT NULL DEFAULT 0,
    UNIQUE KEY packages_by_identity (distribution_id, name, canonical, arch),
    KEY packages_in_order (distribution_id, state, dir, sort_key),
    KEY packages_to_remove (removed, yanked_at),
    FOREIGN KEY (distribution_id) REFERENCES distributions (id)
) ENGINE = InnoDB;

-- +goose Down
DROP TABLE IF EXISTS packages;
