package catalogdb_test

import (
	"database/sql"
	"errors"
	"testing"
	"time"

	"repomill/schemas/catalog"
	"repomill/schemas/catalogdb"
	"repomill/testdata/mysqltest"
)

// holdLock runs statement in a transaction, then f beside it, and commits half a second later.
func holdLock(t *testing.T, db *catalogdb.DB, f func(), meanwhile func(), statement string) {
	var beside chan struct{}
	done := make(chan struct{})
	err := db.Tx(t.Context(), func(tx *sql.Tx) error {
		rows, err := tx.Query(statement)
		if err != nil {
			return err
		}
		rows.Close()
		go func() { f(); close(done) }()
		time.Sleep(500 * time.Millisecond)
		if meanwhile != nil {
			m := make(chan struct{})
			go func() { meanwhile(); close(m) }()
			beside = m
			select {
			case <-m:
			case <-time.After(1500 * time.Millisecond): // it waits for f
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	<-done
	if beside != nil {
		<-beside
	}
}

// Either a package is restored or its files are removed, in either order of the two transactions.
func TestUnyankOrRemove(t *testing.T) {
	db := onMySQL(mysqltest.Start(t)).cleared(t)
	declare(t, db, jammy)
	k := deb(jammy, "hello", "1")
	if err := push(t, db, k); err != nil {
		t.Fatal(err)
	}
	w := catalogdb.PackageSelector{Repository: tools, Distribution: jammy.Distribution, Name: "hello", Version: "1"}
	both := 0
	for range 100 {
		if _, err := db.Yank(t.Context(), w, catalog.Yank{Reason: "r"}, start); err != nil {
			t.Fatal(err)
		}
		unyanked := make(chan error)
		go func() { _, err := db.Unyank(t.Context(), w, start); unyanked <- err }()
		removing := db.Removing(t.Context(), k)
		err := <-unyanked
		if err == nil && removing == nil {
			both++
		}
		if errors.Is(err, catalogdb.ErrRemoved) { // make it removable again for the next turn
			if err := db.Tx(t.Context(), func(tx *sql.Tx) error { _, err := tx.Exec("UPDATE packages SET removed = 0"); return err }); err != nil {
				t.Fatal(err)
			}
			if _, err := db.Unyank(t.Context(), w, start); err != nil {
				t.Fatal(err)
			}
		}
	}
	if both > 0 {
		k, _ := db.Find(t.Context(), k)
		t.Errorf("in %d of 100 turns both Unyank and Removing said yes: the row is %s and its file is about to be deleted", both, k.State)
	}
}

// A directory that is declared while a noarch package becomes active has it sooner or later.
func TestActivateBesideANewDirectory(t *testing.T) {
	db := onMySQL(mysqltest.Start(t)).cleared(t)
	declare(t, db, el9)
	seen := 0
	a := store(t, db, rpm(el9, "a", "1-1", "noarch"), "1", "aarch64", "x86_64")
	ppc := in(el9, "ppc64le")
	holdLock(t, db, func() {
		t.Logf("Activate: %v", db.Activate(t.Context(), []catalogdb.Stored{a}, start))
	}, func() {
		declare(t, db, el9, "ppc64le")
		s, err := db.Snapshot(t.Context(), ppc)
		if err != nil {
			t.Fatal(err)
		}
		n, _ := s.Count(t.Context())
		seen = n
		t.Logf("first publish of ppc64le: revision %d with %d packages", s.Revision.Number, n)
		s.Close()
		if err := db.Publish(t.Context(), ppc, s.Revision.Number, start); err != nil {
			t.Fatal(err)
		}
	}, "SELECT id FROM packages WHERE name = 'a' FOR UPDATE")
	n, _ := db.Count(t.Context(), ppc)
	st := stateOf(t, db, ppc)
	if n != seen && st.Published >= st.Revision.Number {
		t.Errorf("ppc64le has %d rows, published %d of revision %d: no one publishes them, and no one copies their files", n, st.Published, st.Revision.Number)
	}
}

// A directory that is declared while a package is withdrawn does not go on with it.
func TestYankBesideANewDirectory(t *testing.T) {
	db := onMySQL(mysqltest.Start(t)).cleared(t)
	declare(t, db, el9)
	if err := push(t, db, rpm(el9, "a", "1-1", "noarch"), "aarch64", "x86_64"); err != nil {
		t.Fatal(err)
	}
	ppc := in(el9, "ppc64le")
	published := 0
	holdLock(t, db, func() {
		_, err := db.Yank(t.Context(), catalogdb.PackageSelector{Repository: tools, Distribution: el9.Distribution, Name: "a", Version: "1-1"}, catalog.Yank{Reason: "r"}, start)
		t.Logf("Yank: %v", err)
	}, func() {
		declare(t, db, el9, "ppc64le")
		s, err := db.Snapshot(t.Context(), ppc)
		if err != nil {
			t.Fatal(err)
		}
		published, _ = s.Count(t.Context())
		s.Close()
		if err := db.Publish(t.Context(), ppc, s.Revision.Number, start); err != nil {
			t.Fatal(err)
		}
	}, "SELECT id FROM packages WHERE name = 'a' FOR UPDATE")
	n, _ := db.Count(t.Context(), ppc)
	st := stateOf(t, db, ppc)
	if n != published && st.Published >= st.Revision.Number {
		t.Errorf("ppc64le was published with %d packages and has %d rows, published %d of revision %d: clients go on seeing what was yanked", published, n, st.Published, st.Revision.Number)
	}
}
