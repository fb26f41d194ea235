package catalogdb_test

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"repomill/schemas/catalog"
	"repomill/schemas/catalogdb"
)

const gitlab = "https://gitlab.acme.example"

// trust returns a trust of an issuer for an owner or one of its repositories.
func trust(owner, name, issuer string, created time.Time) catalog.Trust {
	t := catalog.Trust{Owner: owner, Name: name, Scope: "push", Issuer: issuer, Audience: "packages.acme.example",
		Claims: map[string]string{"project_path": "acme/tools", "ref": "v*"}, Created: created}
	t.ID = t.Digest()
	return t
}

func addTrust(t *testing.T, db *catalogdb.DB, v catalog.Trust) {
	t.Helper()
	if err := db.AddTrust(t.Context(), v); err != nil {
		t.Fatal(err)
	}
}

func trusts(t *testing.T, db *catalogdb.DB) {
	declare(t, db, jammy)
	all := trust("acme", "", gitlab, after(time.Second))
	one := trust("acme", "tools", gitlab, start)
	other := trust("acme", "tools", gitlab+"/", start) // another issuer
	for _, v := range []catalog.Trust{all, one, other} {
		addTrust(t, db, v)
	}
	if err := db.AddTrust(t.Context(), one); !errors.Is(err, catalogdb.ErrExists) {
		t.Errorf("the same again: %v", err)
	}
	if err := db.AddTrust(t.Context(), trust("acme", "tool", gitlab, start)); !errors.Is(err, catalogdb.ErrNotFound) {
		t.Errorf("a repository that is not declared: %v", err)
	}
	long := trust("acme", "tools", gitlab, start)
	long.Claims = map[string]string{"sub": strings.Repeat("x", 8000)}
	if err := db.AddTrust(t.Context(), long); err == nil || !strings.Contains(err.Error(), "use fewer or shorter ones") {
		t.Errorf("claims that are too long: %v", err)
	}
	of := func(fact string, want ...catalog.Trust) {
		t.Helper()
		got, err := db.TrustsOf(t.Context(), gitlab)
		if diff := cmp.Diff(want, got); diff != "" || err != nil {
			t.Errorf("%s: %v (-want +got):\n%s", fact, err, diff)
		}
	}
	of("both of an issuer, the oldest first", one, all)
	if got, err := db.Trusts(t.Context()); err != nil || len(got) != 3 || got[0].ID != all.ID {
		t.Errorf("all: %+v, %v", got, err)
	}
	if got, err := db.RemoveTrust(t.Context(), one.ID); err != nil || cmp.Diff(one, got) != "" {
		t.Errorf("removed %+v, %v", got, err)
	}
	if _, err := db.RemoveTrust(t.Context(), one.ID); !errors.Is(err, catalogdb.ErrNotFound) {
		t.Errorf("removed twice: %v", err)
	}
	of("one was removed", all)
}

func idTokenUses(t *testing.T, db *catalogdb.DB) {
	use := func(fact, issuer, jti string, now time.Time, first bool) {
		t.Helper()
		err := db.UseIDToken(t.Context(), issuer, jti, start.Add(5*time.Minute), now)
		if first && err != nil || !first && !errors.Is(err, catalogdb.ErrExists) {
			t.Errorf("%s: %v", fact, err)
		}
	}
	use("the first", gitlab, "a", start, true)
	use("again", gitlab, "a", start, false)
	use("another jti", gitlab, "b", start, true)
	use("a jti that differs in case", gitlab, "A", start, true)
	use("that of another issuer", gitlab+"/x", "a", start, true)
	use("one that has just expired, and clocks differ", gitlab, "a", start.Add(10*time.Minute), false)
	use("a later one, which prunes", gitlab, "c", start.Add(2*time.Hour), true)
	use("one that was pruned", gitlab, "a", start, true)
}

func idTokenUsesConcurrently(t *testing.T, db *catalogdb.DB) {
	for n := range 5 {
		var done sync.WaitGroup
		var used atomic.Int32
		for range 8 {
			done.Go(func() {
				switch err := db.UseIDToken(t.Context(), gitlab, fmt.Sprint("race", n), start.Add(time.Minute), start); {
				case err == nil:
					used.Add(1)
				case !errors.Is(err, catalogdb.ErrExists):
					t.Error(err)
				}
			})
		}
		done.Wait()
		if used.Load() != 1 {
			t.Errorf("%d calls used one ID token", used.Load())
		}
	}
}
