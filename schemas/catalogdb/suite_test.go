package catalogdb_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"repomill/schemas/catalogdb"
)

// run is what every database has to pass. open returns an empty catalog, migrated, that ends with the test.
func run(t *testing.T, open func(*testing.T) *catalogdb.DB) {
	for _, tt := range []struct {
		fact string
		test func(*testing.T, *catalogdb.DB)
	}{
		{"migrating again changes nothing", migrateAgain},

		{"a DEB distribution is one release", declareDEB},
		{"an RPM distribution has a release for each directory", declareRPM},
		{"a declaration adds and never takes away", declareNeverShrinks},
		{"every pair that was drawn is known", drew},

		{"a claim finds itself again", claimAgain},
		{"a claimed identity keeps others out like an active one", claimTaken},
		{"identities compare as bytes", claimBytes},
		{"a claim needs a declared distribution", claimUndeclared},
		{"a fragment that is too large is a rejection", claimTooLarge},

		{"a call of Activate draws one revision for each release", activateOnce},
		{"a duplicate of a visible package is final at once", activateVisible},
		{"a duplicate waits until its package is visible", activateWaiting},
		{"an upload whose lease is lost is left out", activateLost},
		{"a noarch package waits for all directories", activateNoarch},
		{"a directory that was added meanwhile undoes the whole call", activateGrown},
		{"a package that is not claimed cannot be active", activateUnclaimed},

		{"an upload is published when all its releases are", publishAll},
		{"a published revision never falls", publishNeverFalls},
		{"publishing an unknown release is an error", publishUnknown},

		{"a lease keeps others out until it ends", takeHeld},
		{"an owner renews what it still holds", renew},
		{"a returned lease is free and counts no attempt", giveBack},
		{"what was taken up and left is found", unfinished},
		{"all leases can be reclaimed", reclaim},
		{"the attempt after the fifth is poison", poison},
		{"generations and names are uploads of their own", takeOther},
		{"a final state stays", final},
		{"a verdict says what became of an upload", verdict},
		{"recent uploads are those below a prefix", recent},
		{"finished uploads are told once", told},

		{"a snapshot does not see later writers", snapshotStays},
		{"rows come in the order of their sort keys", snapshotOrder},
		{"fragments come back as they were", snapshotFragments},
		{"a release shows what belongs to it", snapshotShows},
		{"a snapshot needs a release", snapshotUnknown},

		{"concurrent writers lose nothing", writeConcurrently},
		{"of concurrent claims one wins", claimConcurrently},
		{"of concurrent takers one has the lease", takeConcurrently},
		{"a publisher with a snapshot can ask and write", publishConcurrently},
		{"concurrent declarations make one repository", declareConcurrently},
	} {
		t.Run(tt.fact, func(t *testing.T) { tt.test(t, open(t)) })
	}
}

func TestSQLite(t *testing.T) {
	run(t, func(t *testing.T) *catalogdb.DB { return openSQLite(t, filepath.Join(t.TempDir(), "catalog.db")) })
}

func openSQLite(t *testing.T, path string) *catalogdb.DB {
	t.Helper()
	db, err := catalogdb.Open("sqlite://" + path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	if err := db.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	return db
}

func migrateAgain(t *testing.T, db *catalogdb.DB) {
	declare(t, db, jammy)
	before := releases(t, db)
	if err := db.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(before, releases(t, db)); diff != "" {
		t.Errorf("releases (-before +after):\n%s", diff)
	}
}

func TestOpenRefuses(t *testing.T) {
	for _, url := range []string{"", "catalog.db", "/catalog.db", "sqlite://", "sqlite:catalog.db", "file:///catalog.db", "postgres://host/db"} {
		if db, err := catalogdb.Open(url); err == nil {
			db.Close()
			t.Errorf("%q was opened", url)
		} else if !strings.Contains(err.Error(), "sqlite:///path/to/catalog.db") {
			t.Errorf("%q: got %v, want the form of a URL", url, err)
		}
	}
}

func TestSQLiteTakesAnyPath(t *testing.T) {
	for _, name := range []string{"with blank", "100%", "a?b=c", "a#b", "ä", "a&b", "a:b", "a+b", "%41"} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), name, "catalog.db")
			if err := os.Mkdir(filepath.Dir(path), 0o700); err != nil {
				t.Fatal(err)
			}
			declare(t, openSQLite(t, path), jammy)
			if _, err := os.Stat(path); err != nil {
				t.Error(err)
			}
			db := openSQLite(t, path) // as after a restart
			if got := releases(t, db); len(got) != 1 {
				t.Errorf("got %v after opening it again, want one release", got)
			}
		})
	}
}

func TestSQLiteTakesRelativePath(t *testing.T) {
	t.Chdir(t.TempDir())
	openSQLite(t, "catalog.db")
	if _, err := os.Stat("catalog.db"); err != nil {
		t.Error(err)
	}
}

// Two processes have a pool each; the database queues their writers.
func TestSQLiteForTwoProcesses(t *testing.T) {
	path := filepath.Join(t.TempDir(), "catalog.db")
	dbs := []*catalogdb.DB{openSQLite(t, path), openSQLite(t, path)}
	declare(t, dbs[0], jammy)
	const each = 20
	var wg sync.WaitGroup
	errs := make([]error, len(dbs))
	for i, db := range dbs {
		wg.Go(func() {
			for n := range each {
				errs[i] = errors.Join(errs[i], push(t, db, deb(jammy, fmt.Sprintf("p%d-%d", i, n), "1")))
			}
		})
	}
	wg.Wait()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
	checkPushed(t, dbs[0], jammy, len(dbs)*each)
}
