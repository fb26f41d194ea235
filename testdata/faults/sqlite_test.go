package faults_test

import (
	"fmt"
	"net/url"
	"reflect"
	"strings"
	"sync"
	"unsafe"

	"modernc.org/libc"
	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"repomill/testdata/faults"
)

// scripts has the script of each SQLite file.
var scripts sync.Map // path: *script

func init() { sqlite.RegisterConnectionHook(follow) }

// A connection is one to an SQLite file that has a script.
type connection struct {
	script *script
	deaf   bool // its next commit is stored, and reported as a failure
}

var connections sync.Map // handle of SQLite: *connection

// follow has the commits of a new connection follow the script of its file. SQLite itself makes them fail: its
// commit hook turns a commit into a rollback, and an error of its WAL hook is reported by the statement
// whose commit is on the disk already (sqlite.org/c3ref/wal_hook.html).
func follow(conn sqlite.ExecQuerierContext, dsn string) error {
	name, _, _ := strings.Cut(strings.TrimPrefix(dsn, "file:"), "?")
	path, err := url.PathUnescape(name)
	if err != nil {
		return err
	}
	s, ok := scripts.Load(path)
	if !ok {
		return nil
	}
	fields := reflect.ValueOf(conn).Elem()
	handle, tls := fields.FieldByName("db"), fields.FieldByName("tls")
	if handle.Kind() != reflect.Uintptr || tls.Kind() != reflect.Pointer {
		return fmt.Errorf("a connection of the driver is not what it was: %s", fields.Type())
	}
	c := &connection{script: s.(*script)}
	connections.Store(uintptr(handle.Uint()), c)
	conn.(sqlite.HookRegisterer).RegisterCommitHook(c.commit)
	hook := walHook
	sqlite3.Xsqlite3_wal_hook((*libc.TLS)(tls.UnsafePointer()), uintptr(handle.Uint()), *(*uintptr)(unsafe.Pointer(&hook)), 0)
	return nil
}

// commit is called before each commit; anything but 0 makes it a rollback.
func (c *connection) commit() int32 {
	f := c.script.next("commit")
	c.deaf = f == faults.Stored
	if f == faults.Lost {
		return 1
	}
	return 0
}

// walHook is called after each commit; anything but SQLITE_OK is reported.
func walHook(_ *libc.TLS, _, handle, _ uintptr, _ int32) int32 {
	c, ok := connections.Load(handle)
	if ok && c.(*connection).deaf {
		c.(*connection).deaf = false
		return sqlite3.SQLITE_IOERR
	}
	return sqlite3.SQLITE_OK
}
