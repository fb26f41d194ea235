// Package mysqltest starts private MariaDB servers for tests: one that all tests of a binary share, each
// with a database of its own, and others that a test may kill and start again.
//
// The judge is MariaDB (packages mariadb-server-core and mariadb-client-core of Debian and Ubuntu), not
// MySQL. What the tests of a catalog prove here holds for MySQL 8 as far as both speak the same SQL:
// InnoDB, VARBINARY and LONGBLOB columns, FOR UPDATE, READ COMMITTED, the error numbers. Of MariaDB
// alone are the error 1020 (innodb_snapshot_isolation) and the tools' names. Servers run with what
// MySQL allows and a careful operator would not: no strict mode, and collations that fold case,
// accents and trailing blanks. So a client that relies on them fails.
package mysqltest

import (
	"os"
	"sync"
	"testing"
)

// shared is what the tests of this binary have in common.
var shared struct {
	sync.Mutex
	template string  // a data directory as it was installed, to copy
	server   *Server // of [Start]
	users    int     // tests that use any of it now
	stays    bool    // between tests, until Main ends it
}

// Start returns the URL of a new, empty database on the server that all tests of this binary share. The
// database is dropped when the test ends. Without mariadbd the test is skipped.
//
// The server ends with the last of the tests that use it at a time, and in any case with the binary. Call
// [Main] to have it stay from one test to the next.
func Start(t testing.TB) (url string) {
	t.Helper()
	use(t)
	shared.Lock()
	defer shared.Unlock()
	if shared.server == nil {
		s, err := start(shared.template)
		if err != nil {
			t.Fatal(err)
		}
		shared.server = s
	}
	return shared.server.Database(t)
}

// Statements returns how many statements clients have sent to the server that tests share. Each is a round trip, and so is the
// preparation of one.
func Statements(t testing.TB) (n int) {
	t.Helper()
	shared.Lock()
	defer shared.Unlock()
	db, err := shared.server.open("")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	rows, err := db.QueryContext(t.Context(), "SHOW GLOBAL STATUS WHERE Variable_name IN ('Questions', 'Com_stmt_prepare')")
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var name string
		var count int
		if err := rows.Scan(&name, &count); err != nil {
			t.Fatal(err)
		}
		n += count
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return n
}

// use skips a test unless there is a server, and makes the template for as long as tests use it.
func use(t testing.TB) {
	t.Helper()
	find(t)
	shared.Lock()
	defer shared.Unlock()
	if shared.template == "" {
		dir, err := install()
		if err != nil {
			t.Fatal(err)
		}
		shared.template = dir
	}
	shared.users++
	t.Cleanup(func() {
		shared.Lock()
		defer shared.Unlock()
		if shared.users--; shared.users == 0 && !shared.stays {
			end()
		}
	})
}

// Main runs the tests of a binary with one server for all of them, and returns the exit code:
//
//	func TestMain(m *testing.M) { os.Exit(mysqltest.Main(m)) }
func Main(m *testing.M) int {
	shared.stays = true
	defer end()
	return m.Run()
}

// end ends what tests share.
func end() {
	if shared.server != nil {
		shared.server.end()
		shared.server = nil
	}
	os.RemoveAll(shared.template) //nolint:errcheck // a temporary directory, or none
	shared.template = ""
}
