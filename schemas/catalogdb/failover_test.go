package catalogdb_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"repomill/schemas/catalog"
	"repomill/schemas/catalogdb"
	"repomill/testdata/mysqltest"
)

// The server is killed while writers work, and comes back: no one notices, and nothing is lost or done twice.
func TestMySQLIsKilledAndComesBack(t *testing.T) {
	s := mysqltest.NewServer(t)
	db := open(t, s.Database(t))
	declare(t, db, jammy)
	const each, pushers = 15, 4
	var done atomic.Int64
	var wg sync.WaitGroup
	for i := range pushers {
		wg.Go(func() {
			for n := range each {
				if err := push(t, db, deb(jammy, fmt.Sprintf("p%d-%d", i, n), "1")); err != nil {
					t.Error(err)
				}
				if _, err := db.Releases(t.Context()); err != nil {
					t.Error(err)
				}
				done.Add(1)
			}
		})
	}
	for done.Load() < each*pushers/3 && !t.Failed() {
		time.Sleep(time.Millisecond)
	}
	s.Kill(t)
	s.Restart(t)
	wg.Wait()
	checkPushed(t, db, jammy, each*pushers)
}

// A primary that a fail-over made a replica refuses writes, and what it shows may be old.
func TestMySQLBecomesAReplica(t *testing.T) {
	s := mysqltest.NewServer(t)
	s.Exec(t, "CREATE USER kim@localhost", "GRANT ALL ON *.* TO kim@localhost", "REVOKE SUPER, READ ONLY ADMIN, READ_ONLY ADMIN ON *.* FROM kim@localhost")
	db := open(t, strings.Replace(s.Database(t), "root@", "kim@", 1))
	declare(t, db, jammy)
	s.Exec(t, "SET GLOBAL read_only = 1")
	brief := func() context.Context {
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		t.Cleanup(cancel)
		return ctx
	}
	_, err := db.Declare(brief(), catalogdb.Declaration{Repository: tools, Distro: distro(noble)}, start)
	if err == nil || !strings.Contains(err.Error(), "read-only") {
		t.Errorf("a write to a replica: got %v", err)
	}
	view, err := db.Snapshot(brief(), jammy)
	if err == nil {
		view.Close()
	}
	checkSentence(t, err, "name the primary")
	time.AfterFunc(200*time.Millisecond, func() { s.Exec(t, "SET GLOBAL read_only = 0") })
	declare(t, db, noble)
	snapshot(t, db, noble).Close()
}

func TestMySQLRepeatsADeadlock(t *testing.T) {
	db := open(t, mysqltest.Start(t))
	declare(t, db, jammy)
	declare(t, db, noble)
	var met sync.WaitGroup
	met.Add(2)
	var tries atomic.Int64
	update := func(first, second string) error {
		once := sync.OnceFunc(func() { met.Done(); met.Wait() })
		return db.Tx(t.Context(), func(tx *sql.Tx) error {
			tries.Add(1)
			for _, version := range []string{first, second} {
				if _, err := tx.Exec(`UPDATE releases SET published_revision = published_revision + 1
					WHERE distribution_id = (SELECT id FROM distributions WHERE version = ?)`, version); err != nil {
					return err
				}
				once() // both have one lock, and ask for the other's
			}
			return nil
		})
	}
	errs := make(chan error, 2)
	go func() { errs <- update("jammy", "noble") }()
	go func() { errs <- update("noble", "jammy") }()
	if err := errors.Join(<-errs, <-errs); err != nil {
		t.Fatal(err)
	}
	for _, s := range releases(t, db) {
		if s.Published != 2 {
			t.Errorf("%s was changed %d times, want 2", s.Release, s.Published)
		}
	}
	if tries.Load() < 3 {
		t.Errorf("%d tries: there was no deadlock", tries.Load())
	}
}

// Of two publishers of the last two releases of an upload, the second one to commit finishes the upload.
func TestMySQLPublishersMeet(t *testing.T) {
	db := open(t, mysqltest.Start(t))
	declare(t, db, el9)
	for n := range 20 {
		s := store(t, db, rpm(el9, fmt.Sprintf("p%d", n), "1-1", "noarch"), "1", "aarch64", "x86_64")
		activate(t, db, s)
		var wg sync.WaitGroup
		for _, arch := range []string{"aarch64", "x86_64"} {
			wg.Go(func() {
				if err := db.Publish(t.Context(), in(el9, arch), int64(n)+2, start); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		checkUpload(t, db, s.Upload, catalog.Published)
	}
}

// MariaDB from 11.6 on refuses to change rows that others changed since they were read (error 1020).
func TestMariaDBWithSnapshotIsolation(t *testing.T) {
	s := mysqltest.NewServer(t, "--innodb-snapshot-isolation=ON")
	e := onMySQL(s.Database(t))
	for fact, test := range map[string]func(*testing.T, *catalogdb.DB){
		"concurrent writers lose nothing":               writeConcurrently,
		"concurrent declarations make one repository":   declareConcurrently,
		"concurrent changes of settings are all made":   changeConcurrently,
		"of concurrent takers one has the lease":        takeConcurrently,
		"a release recovers what it missed":             recoverFromBackup,
		"an upload is published when all releases are":  publishAll,
		"a noarch package waits for all directories":    activateNoarch,
		"a snapshot does not see what came afterwards":  snapshotStays,
		"of concurrent recoveries one counts":           recoverConcurrently,
		"a publisher with a snapshot can ask and write": publishConcurrently,
	} {
		t.Run(fact, func(t *testing.T) { test(t, e.cleared(t)) })
	}
}
