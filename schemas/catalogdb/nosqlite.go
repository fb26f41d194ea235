//go:build nosqlite

package catalogdb

import (
	"database/sql/driver"
	"errors"
)

// HasSQLite says whether this program reads catalogs in files.
const HasSQLite = false

func newSQLiteConnector(string) (driver.Connector, error) {
	return nil, errors.New("this program has no SQLite: use repomill")
}
