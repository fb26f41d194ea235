//go:build !nosqlite

package catalogdb

import (
	"database/sql/driver"

	"modernc.org/sqlite"
)

// HasSQLite says whether this program reads catalogs in files.
const HasSQLite = true

func newSQLiteConnector(name string) (driver.Connector, error) { return sqlite.NewConnector(name) }
