package catalogdb_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"repomill/schemas/catalog"
	"repomill/schemas/catalogdb"
)

// recoverPending has a catalog that changed since a release was published take that release over, or rebuild it.
func recoverPending(t *testing.T, db *catalogdb.DB) {
	declare(t, db, jammy)
	w := selectorOf
	var last catalog.Revision // that is published
	publishNow := func() {
		last = stateOf(t, db, jammy).Revision
		publish(t, db, jammy, last.Number, start)
	}
	back := func(k catalog.Package, now time.Time) {
		if _, err := db.Unyank(t.Context(), w(k), now); err != nil {
			t.Error(err)
		}
	}
	later := record.At.Add(time.Hour)
	for i, tt := range []struct {
		fact string
		ours func(k catalog.Package) (published catalog.Package) // what happened here; what the release has
		own  catalog.PackageState                                // after the release is read under a pair of our own
		lost catalog.PackageState                                // and under one of a history that was lost
	}{
		{"an unyank that is not published stays", func(k catalog.Package) catalog.Package {
			pushAll(t, db, k)
			yankAll(t, db, w(k))
			publishNow()
			back(k, later)
			return withdrawn(k)
		}, catalog.Active, catalog.Active},
		{"a yank that is not published stays", func(k catalog.Package) catalog.Package {
			pushAll(t, db, k)
			publishNow()
			yankAll(t, db, w(k))
			return k
		}, catalog.Yanked, catalog.Yanked},
		{"a yank that is not published stays, of other bytes, too", func(k catalog.Package) catalog.Package {
			pushAll(t, db, k)
			publishNow()
			yankAll(t, db, w(k))
			return other(k)
		}, catalog.Yanked, catalog.Yanked},
		{"of an unyank and a yank, neither published, the later one counts", func(k catalog.Package) catalog.Package {
			pushAll(t, db, k)
			yankAll(t, db, w(k))
			publishNow()
			back(k, later)
			yankAll(t, db, w(k))
			return withdrawn(k)
		}, catalog.Yanked, catalog.Yanked},
		{"an unyank that is published before it is lost does not count", func(k catalog.Package) catalog.Package {
			pushAll(t, db, k)
			yankAll(t, db, w(k))
			back(k, later)
			publishNow()
			return withdrawn(k)
		}, catalog.Yanked, catalog.Yanked},
		{"a withdrawal that was lost is later than an unyank", func(k catalog.Package) catalog.Package {
			pushAll(t, db, k)
			yankAll(t, db, w(k))
			publishNow()
			back(k, record.At.Add(-time.Hour))
			return withdrawn(k)
		}, catalog.Active, catalog.Yanked},
		{"what was pushed and is withdrawn there is withdrawn", func(k catalog.Package) catalog.Package {
			publishNow()
			pushAll(t, db, k)
			return withdrawn(k)
		}, catalog.Yanked, catalog.Yanked},
	} {
		for own, want := range map[bool]catalog.PackageState{true: tt.own, false: tt.lost} {
			k := deb(jammy, "p"+string(rune('a'+i)), map[bool]string{true: "1", false: "2"}[own])
			rows := published(tt.ours(k))
			take, pair := db.Rebuild, last
			if !own {
				take, pair = db.Recover, catalog.Revision{Number: last.Number, Nonce: "ffff" + k.Name + k.Version}
			}
			if _, err := take(t.Context(), jammy, rows, pair, later); err != nil {
				t.Errorf("%s: %v", tt.fact, err)
			}
			if got, err := db.Find(t.Context(), k); err != nil || got.State != want {
				t.Errorf("%s, own %v: the package is %s, %v; want %s", tt.fact, own, got.State, err, want)
			}
			publishNow()
		}
	}
}

// A yank whose publication was not recorded is not later than what was read.
func rebuildUnrecorded(t *testing.T, db *catalogdb.DB) {
	declare(t, db, jammy)
	k := deb(jammy, "hello", "1")
	pushAll(t, db, k)
	yankAll(t, db, selectorOf(k))
	pair := stateOf(t, db, jammy).Revision // published, and not recorded
	got, err := db.Rebuild(t.Context(), jammy, published(k), pair, start)
	if diff := cmp.Diff(catalogdb.Recovered{Inserted: 1}, got); diff != "" || err != nil {
		t.Errorf("rebuilt %v (-want +got):\n%s", err, diff)
	}
	checkPackage(t, db, k, catalog.Active)
}
