package catalogdb_test

import (
	"errors"
	"iter"
	"slices"
	"strings"
	"testing"
	"time"

	"repomill/schemas/catalog"
	"repomill/schemas/catalogdb"
)

// TestRecoveryLeavesWithdrawn withdraws packages by exact names while their release is recovered: what is back by now, and what was withdrawn
// before, when it is published still. The recovery goes on, or begins again with another revision, and brings neither back.
func TestRecoveryLeavesWithdrawn(t *testing.T) {
	defer catalogdb.SetRecovery(3, false)()
	for _, r := range []catalog.Release{jammy, el9} {
		for _, from := range []catalog.Revision{foreign, {Number: foreign.Number + 1, Nonce: "eeeeeeeeeeeeeeee"}} {
			onBoth(t, func(t *testing.T, e database) {
				db := open(t, e.url)
				declare(t, db, r)
				rows, version := ten(r), "=1"
				if r.Arch != "" {
					version = "=1-1"
				}
				pushAll(t, db, rows[6])
				yankAll(t, db, selectorOf(rows[6]))
				publish(t, db, r, revisionOf(t, db, r), start)
				for _, other := range otherArches(r) {
					publish(t, db, other, revisionOf(t, db, other), start)
				}
				withdraw := func(patterns ...string) (catalogdb.SelectedChange, error) {
					which := selection(t, "acme/tools", patterns)
					which.Back = true
					return db.YankSelected(t.Context(), which, catalogdb.Withdrawal{Yank: catalog.Yank{Reason: "leak"}, Now: true}, after(time.Minute), everything)
				}
				_, err := db.Recover(t.Context(), r, watched(rows, func(reading, row int) error {
					if reading != 2 || row != 5 {
						return nil
					}
					withdrawWhileRecovering(t, db, r, version, withdraw)
					return errKilled
				}), foreign, start)
				if !errors.Is(err, errKilled) {
					t.Fatal(err)
				}
				if due, err := db.DueNow(t.Context(), 10); err != nil || len(due) > 0 {
					t.Errorf("files go while clients see them: %v, %v", due, err)
				}
				recoverFrom := func(r catalog.Release, rows iter.Seq2[catalog.Package, error], from catalog.Revision) {
					t.Helper()
					if _, err := db.Recover(t.Context(), r, rows, from, after(time.Hour)); err != nil {
						t.Fatal(err)
					}
				}
				recoverFrom(r, published(rows...), from)
				for _, other := range otherArches(r) {
					recoverFrom(other, published(slices.DeleteFunc(slices.Clone(rows), func(k catalog.Package) bool { return k.Arch != "noarch" })...), from)
				}
				for _, of := range append(otherArches(r), r) {
					shown := names(t, db, of)
					if slices.ContainsFunc(shown, func(k string) bool { return strings.HasPrefix(k, "p2 ") || strings.HasPrefix(k, "p6 ") }) || !strings.HasPrefix(shown[len(shown)-1], "p8") {
						t.Errorf("%s shows %q", of, shown)
					}
					publish(t, db, of, revisionOf(t, db, of), after(time.Hour))
				}
				due, err := db.DueNow(t.Context(), 10)
				if err != nil || len(due) != 2 {
					t.Errorf("at the end the files of %d packages go: %v", len(due), err)
				}
			})
		}
	}
}

// otherArches returns another release that shows the noarch packages of an RPM release.
func otherArches(r catalog.Release) []catalog.Release {
	if r.Arch == "" {
		return nil
	}
	return []catalog.Release{in(r, "aarch64")}
}

// withdrawWhileRecovering asks for what is back, twice, and for what is not.
func withdrawWhileRecovering(t *testing.T, db *catalogdb.DB, r catalog.Release, version string, withdraw func(...string) (catalogdb.SelectedChange, error)) {
	t.Helper()
	done, err := withdraw("p2"+version, "p6"+version)
	if err != nil || len(done.Packages) != 2 || len(done.Recovering) != 1 || done.Recovering[0].Release != r {
		t.Fatalf("of what is back: %+v, %v", done, err)
	}
	revision, log := revisionOf(t, db, r), logOf(t, db, "acme/tools", time.Time{})
	if n := len(slices.DeleteFunc(slices.Clone(log), func(line string) bool {
		return !strings.Contains(line, "|package.yank|") || !strings.Contains(line, "|leak|")
	})); n != 2 {
		t.Errorf("the log has %d withdrawals: %q", n, log)
	}
	if again, err := withdraw("p2"+version, "p6"+version); err != nil || len(again.Packages) != 2 || revisionOf(t, db, r) != revision || len(logOf(t, db, "acme/tools", time.Time{})) != len(log) {
		t.Errorf("a repeat changes something: %+v, %v", again, err)
	}
	refused := func(want string, patterns ...string) {
		t.Helper()
		_, err := withdraw(patterns...)
		if said, is := errors.AsType[*catalogdb.RecoveringError](err); !is || said.Release != r || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", patterns, err)
		}
	}
	refused("(3 of 10 rows), and a part of them would be selected", "p*")
	refused("(3 of 10 rows), and p8"+version+" is not among those that are back: nothing is changed; try again when", "p2"+version, "p8"+version)
	if err := db.RecordReleaseFault(t.Context(), r, "an index is broken"); err != nil {
		t.Fatal(err)
	}
	refused("(3 of 10 rows; the last try failed: an index is broken), and p8", "p8"+version)
	refused("mend that fault, and try again", "p2")
	if got := revisionOf(t, db, r); got != revision {
		t.Errorf("what was refused has issued revision %d after %d", got, revision)
	}
}
