package catalogdb

import (
	"errors"
	"strings"

	"github.com/pressly/goose/v3"
)

// A dialect is what differs between the databases. All other SQL is what they share.
type dialect struct {
	name         string // of the folder of migrations
	goose        goose.Dialect
	forUpdate    string             // ends a SELECT whose rows stay locked; SQLite has one writer at a time
	clock        string             // asks for the time, in milliseconds since 1970
	missingTable func(error) bool   // whether an error says that a table does not exist
	missingField func(error) bool   // the same of a column
	remedy       func(error) remedy // what helps against an error
}

var sqliteDialect = dialect{
	name:  "sqlite",
	goose: goose.DialectSQLite3,
	clock: `SELECT CAST(unixepoch('now', 'subsec') * 1000 AS INTEGER)`,
	missingTable: func(err error) bool {
		return strings.Contains(err.Error(), "no such table")
	},
	missingField: func(err error) bool {
		return strings.Contains(err.Error(), "no such column") || strings.Contains(err.Error(), "has no column named")
	},
	remedy: func(err error) remedy {
		const busy, locked, mask = 5, 6, 0xff // SQLITE_BUSY, SQLITE_LOCKED; more bits tell them finer
		var e sqliteError
		if errors.Is(err, errBroken) || errors.As(err, &e) && (e.Code()&mask == busy || e.Code()&mask == locked) {
			return repeat
		}
		return none
	},
}

var mysqlDialect = dialect{
	name:         "mysql",
	goose:        goose.DialectMySQL,
	forUpdate:    " FOR UPDATE",
	clock:        `SELECT CAST(UNIX_TIMESTAMP(NOW(3)) * 1000 AS SIGNED)`,
	missingTable: func(err error) bool { return mysqlError(err) == 1146 }, // ER_NO_SUCH_TABLE
	missingField: func(err error) bool { return mysqlError(err) == 1054 }, // ER_BAD_FIELD_ERROR
	remedy:       mysqlRemedy,
}
