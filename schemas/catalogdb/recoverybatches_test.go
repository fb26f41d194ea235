package catalogdb_test

import (
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"repomill/schemas/catalog"
	"repomill/schemas/catalogdb"
	"repomill/testdata/mysqltest"
)

// ten are packages that another catalog published: the last one was withdrawn.
func ten(r catalog.Release) (rows []catalog.Package) {
	for i := range 9 {
		if r.Arch == "" {
			rows = append(rows, deb(r, fmt.Sprint("p", i), "1"))
		} else {
			rows = append(rows, rpm(r, fmt.Sprint("p", i), "1-1", []string{"noarch", "x86_64"}[i%2]))
		}
	}
	if r.Arch == "" {
		return append(rows, withdrawn(deb(r, "p9", "1")))
	}
	return append(rows, withdrawn(rpm(r, "p9", "1-1", "noarch")))
}

// watched yields rows and calls at before each: reading is 1 for the first time that they are read. It ends with the error that at returns.
func watched(rows []catalog.Package, at func(reading, row int) error) iter.Seq2[catalog.Package, error] {
	reading := 0
	return func(yield func(catalog.Package, error) bool) {
		reading++
		row := 0
		for k, err := range published(rows...) {
			if err == nil {
				err = at(reading, row)
			}
			row++
			if !yield(k, err) || err != nil {
				return
			}
		}
	}
}

var errKilled = errors.New("killed")

// TestRecoveryGoesOn interrupts a recovery before each row. The next one goes on behind the last whole batch, and ends as one that was not
// interrupted.
func TestRecoveryGoesOn(t *testing.T) {
	defer catalogdb.SetRecovery(3, false)()
	for _, r := range []catalog.Release{jammy, el9} {
		onBoth(t, func(t *testing.T, e database) {
			db := open(t, e.url)
			var want string
			for row := range 11 {
				e.cleared(t)
				declare(t, db, r)
				killed := func(reading, n int) error {
					if reading == 2 && n == row {
						return errKilled
					}
					return nil
				}
				_, err := db.Recover(t.Context(), r, watched(ten(r), killed), foreign, after(time.Hour))
				switch known, asked := db.KnowsRevision(t.Context(), r, foreign); {
				case errors.Is(err, errKilled) == (row == 10) || asked != nil || known == (row < 10):
					t.Fatalf("killed at row %d: %v, known %v, %v", row, err, known, asked)
				case row < 10:
					checkProgress(t, db, r, int64(row/3*3), 10)
				}
				got, err := db.Recover(t.Context(), r, published(ten(r)...), foreign, after(time.Hour))
				if err != nil || got.Inserted != map[bool]int{true: 10}[row < 10] {
					t.Errorf("after the kill at row %d: %+v, %v", row, got, err)
				}
				checkProgress(t, db, r, 0, 0)
				if state := stateDump(t, e); row == 0 {
					want = state
				} else if diff := cmp.Diff(want, state); diff != "" {
					t.Errorf("killed at row %d (-whole +killed):\n%s", row, diff)
				}
			}
		})
	}
}

// checkProgress fails unless so many rows of a release are recovered; 0 of 0 if no recovery has begun.
func checkProgress(t *testing.T, db *catalogdb.DB, r catalog.Release, done, total int64) {
	t.Helper()
	if done == 0 {
		total = 0
	}
	var got catalogdb.RecoveryState
	if s := stateOf(t, db, r).Recovery; s != nil {
		got = *s
	}
	if want := (catalogdb.RecoveryState{Done: done, Total: total}); got != want {
		t.Errorf("%v are recovered, want %v", got, want)
	}
}

// TestMySQLRecoversOnceWithoutAnAnswer has each commit of a recovery fail in both ways.
func TestMySQLRecoversOnceWithoutAnAnswer(t *testing.T) {
	defer catalogdb.SetRecovery(3, false)()
	s := mysqltest.NewServer(t)
	p := newProxy(t, s.Socket())
	direct := onMySQL(s.Database(t))
	db := open(t, mysqltest.AtPort(direct.url, p.port))
	var want string
	for n := range 5 { // before which row a commit is broken, and before none
		for _, f := range []fault{lost, stored} {
			direct.cleared(t)
			declare(t, db, el9)
			before := p.faults.Load()
			got, err := db.Recover(t.Context(), el9, watched(ten(el9), func(reading, row int) error {
				if reading == 2 && row == min(3*n-2, 9) {
					p.next.Store(int32(f))
				}
				return nil
			}), foreign, start)
			if err != nil || got.Inserted != 10 || p.faults.Load()-before != map[bool]int32{true: 1}[n > 0] {
				t.Errorf("%s at commit %d: %+v, %v, %d faults", f, n, got, err, p.faults.Load()-before)
			}
			if state := stateDump(t, direct); want == "" {
				want = state
			} else if diff := cmp.Diff(want, state); diff != "" {
				t.Errorf("%s at commit %d (-without +with):\n%s", f, n, diff)
			}
		}
	}
}

// TestRecoveryRefusesOtherRows has rows change between the readings: none of their batch is imported.
func TestRecoveryRefusesOtherRows(t *testing.T) {
	defer catalogdb.SetRecovery(3, false)()
	onBoth(t, func(t *testing.T, e database) {
		db := open(t, e.url)
		declare(t, db, jammy)
		rows := ten(jammy)
		_, err := db.Recover(t.Context(), jammy, watched(rows, func(reading, row int) error {
			if reading == 2 && row == 2 {
				rows[4] = deb(jammy, "forged", "1")
			}
			return nil
		}), foreign, start)
		if err == nil || !strings.Contains(err.Error(), "changed while they were read") {
			t.Errorf("got %v", err)
		}
		if got := names(t, db, jammy); !slices.Equal(got, []string{"p0 1 amd64", "p1 1 amd64", "p2 1 amd64"}) {
			t.Errorf("rows: %q", got)
		}
		if got := recoverAll(t, db, jammy, rows...); got.Inserted != 10 { // another release has that pair now: all is compared
			t.Errorf("got %+v", got)
		}
	})
}

// TestRecoveryLetsOthersWork has things happen in the repository while a release of it is recovered.
func TestRecoveryLetsOthersWork(t *testing.T) {
	defer catalogdb.SetRecovery(3, false)()
	onBoth(t, func(t *testing.T, e database) {
		db := open(t, e.url)
		declare(t, db, jammy)
		rows := ten(jammy)
		var early, added catalogdb.Stored
		_, err := db.Recover(t.Context(), jammy, watched(rows, func(reading, row int) error {
			if reading != 2 || row != 4 {
				return nil
			}
			holder, claimed, err := db.Claim(t.Context(), other(rows[0]), catalog.Upload{})
			if err != nil || claimed || holder.File != rows[0].File {
				t.Errorf("of other bytes of what is here again, %s is claimed: %v, %v", holder.File.SHA256, claimed, err)
			}
			early, added = store(t, db, other(rows[7]), "1"), store(t, db, deb(jammy, "new", "1"), "1")
			activate(t, db, early, added)
			yankAll(t, db, selectorOf(rows[1]))
			checkProgress(t, db, jammy, 3, 10)
			return nil
		}), foreign, start)
		if err != nil {
			t.Fatal(err)
		}
		want := []string{"new 1 amd64", "p0 1 amd64", "p2 1 amd64", "p3 1 amd64", "p4 1 amd64", "p5 1 amd64", "p6 1 amd64", "p7 1 amd64", "p8 1 amd64"}
		if diff := cmp.Diff(want, names(t, db, jammy)); diff != "" {
			t.Errorf("%s shows (-want +got):\n%s", jammy, diff)
		}
		if found, err := db.Find(t.Context(), rows[7]); err != nil || found.File != rows[7].File {
			t.Errorf("p7 has %s, %v, and not what was published", found.File.SHA256, err)
		}
		if v := verdictOf(t, db, early.Upload); v.State != catalog.Rejected || v.Reason != catalog.Conflict {
			t.Errorf("the upload with other bytes: %+v", v)
		}
		publish(t, db, jammy, stateOf(t, db, jammy).Revision.Number, after(time.Hour))
		checkUpload(t, db, added.Upload, catalog.Published)
	})
}

// TestRecoveryIsShared has several processes recover one release: each row is imported once.
func TestRecoveryIsShared(t *testing.T) {
	defer catalogdb.SetRecovery(3, false)()
	onBoth(t, func(t *testing.T, e database) {
		db := open(t, e.url)
		declare(t, db, jammy)
		inserted := make([]int, 4)
		race(func(i int) {
			if i >= len(inserted) {
				return
			}
			got, err := open(t, e.url).Recover(t.Context(), jammy, published(ten(jammy)...), foreign, start)
			if err != nil {
				t.Error(err)
			}
			inserted[i] = got.Inserted
		})
		if slices.Sort(inserted); !slices.Equal(inserted, []int{0, 0, 0, 10}) {
			t.Errorf("inserted %v", inserted)
		}
		if n := len(names(t, db, jammy)); n != 9 {
			t.Errorf("%d packages", n)
		}
	})
}

// TestRecoveryHoldsOthersBack has the recovery of one directory change noarch packages, which another one shows, too.
func TestRecoveryHoldsOthersBack(t *testing.T) {
	defer catalogdb.SetRecovery(3, false)()
	onBoth(t, func(t *testing.T, e database) {
		db := open(t, e.url)
		declare(t, db, el9)
		retained(t, db, catalog.Retention{Newest: 3, Automatic: true})
		recovering := func(r catalog.Release) (own bool, other string) {
			s := snapshot(t, db, r)
			defer s.Close()
			if o := s.OtherRecovering; o != nil {
				other = o.Release.Arch
			}
			return s.Recovering, other
		}
		_, err := db.Recover(t.Context(), el9, watched(ten(el9), func(reading, row int) error {
			if reading == 2 && row == 5 {
				own, other := recovering(el9)
				_, beside := recovering(in(el9, "aarch64"))
				if due := dueAt(t, db, start); len(due) > 0 {
					t.Errorf("rules are applied to a part of the release: %+v", due)
				}
				if !own || other != "" || beside != "x86_64" {
					t.Errorf("recovering %v, %q; beside it %q", own, other, beside)
				}
			}
			return nil
		}), foreign, start)
		own, _ := recovering(el9)
		_, beside := recovering(in(el9, "aarch64"))
		if err != nil || own || beside != "" {
			t.Errorf("at the end: %v, recovering %v, beside it %q", err, own, beside)
		}
		checkRevision(t, db, in(el9, "aarch64"), 2)
		checkRevision(t, db, in(el9, "SRPMS"), 1)
		if due := dueAt(t, db, start); len(due) != 1 {
			t.Errorf("at the end %d rule sets are due", len(due))
		}
	})
}

// TestRecoveryIsAbandoned has a recovery end because the pointer is one of this catalog: the bucket was restored from a copy.
func TestRecoveryIsAbandoned(t *testing.T) {
	defer catalogdb.SetRecovery(3, false)()
	onBoth(t, func(t *testing.T, e database) {
		db := open(t, e.url)
		declare(t, db, el9)
		_, err := db.Recover(t.Context(), el9, watched(ten(el9), func(reading, row int) error {
			if reading == 2 && row == 5 {
				return errKilled
			}
			return nil
		}), foreign, start)
		if !errors.Is(err, errKilled) {
			t.Fatal(err)
		}
		publish(t, db, el9, 1, start) // late: the recovery goes on
		if err := db.AbandonRecovery(t.Context(), el9, start); err != nil {
			t.Fatal(err)
		}
		checkRevision(t, db, el9, 2) // with the rows that came
		checkProgress(t, db, el9, 0, 0)
		checkRevision(t, db, in(el9, "aarch64"), 2) // it shows noarch packages that came
		s := snapshot(t, db, in(el9, "aarch64"))
		defer s.Close()
		if s.OtherRecovering != nil {
			t.Errorf("it waits for %v", s.OtherRecovering)
		}
	})
}

// TestRecoveryRefusesSelections asks for what patterns, rules and a point select while a part of the packages is here, and before any is.
func TestRecoveryRefusesSelections(t *testing.T) {
	defer catalogdb.SetRecovery(3, false)()
	onBoth(t, func(t *testing.T, e database) {
		db := open(t, e.url)
		declare(t, db, jammy)
		publish(t, db, jammy, 1, start)
		all := selection(t, "acme/tools/ubuntu/jammy", []string{"*"}, catalog.Active)
		ask := func() (errs []error) {
			_, err := db.Select(t.Context(), all)
			errs = append(errs, err)
			_, err = db.YankSelected(t.Context(), all, catalogdb.Withdrawal{Yank: catalog.Yank{Reason: "bad"}}, start, everything)
			errs = append(errs, err)
			_, err = db.Retention(t.Context(), all.Target, start)
			errs = append(errs, err)
			_, err = db.ReadRollback(t.Context(), all.Target, catalogdb.Point{Revision: 1})
			errs = append(errs, err)
			_, err = db.Candidates(t.Context(), catalogdb.PromotionSearch{From: all, To: tools})
			return append(errs, err)
		}
		refused := func(when, how string) {
			t.Helper()
			for i, err := range ask() {
				if said, is := errors.AsType[*catalogdb.RecoveringError](err); !is || said.Release != jammy || !strings.Contains(err.Error(), how) {
					t.Errorf("%s, question %d: %v", when, i, err)
				}
			}
		}
		_, err := db.Recover(t.Context(), jammy, watched(ten(jammy), func(reading, row int) error {
			if reading == 2 && row == 5 {
				refused("half-way", "(3 of 10 rows)")
			}
			return nil
		}), foreign, start)
		if err != nil {
			t.Fatal(err)
		}
		publish(t, db, jammy, revisionOf(t, db, jammy), start)
		for i, err := range ask() {
			if err != nil && !(i == 3 && errors.Is(err, catalogdb.ErrNotPublished)) {
				t.Errorf("at the end, question %d: %v", i, err)
			}
		}

		from := settingsOf(t, db, tools) // of another catalog, which is lost
		e.cleared(t)
		from.Revision = catalog.Revision{Number: 99, Nonce: "ffffffffffffffff"}
		if err := db.ImportSettings(t.Context(), from, start); err != nil {
			t.Fatal(err)
		}
		refused("before it begins", "(not begun)")
		if err := db.AbandonRecovery(t.Context(), jammy, start); err != nil { // it was never published
			t.Fatal(err)
		}
		if _, err := db.Select(t.Context(), all); err != nil {
			t.Errorf("nothing is to be recovered: %v", err)
		}
	})
}

// TestRecoveryIsPassed has a recovery fail half-way: another directory shows what came by then, and the rest once it comes.
func TestRecoveryIsPassed(t *testing.T) {
	defer catalogdb.SetRecovery(3, false)()
	onBoth(t, func(t *testing.T, e database) {
		db := open(t, e.url)
		declare(t, db, el9)
		_, err := db.Recover(t.Context(), el9, watched(ten(el9), func(reading, row int) error {
			if reading == 2 && row == 5 {
				return errKilled
			}
			return nil
		}), foreign, start)
		if !errors.Is(err, errKilled) {
			t.Fatal(err)
		}
		other := func() *catalogdb.OtherRecovery {
			s := snapshot(t, db, in(el9, "aarch64"))
			defer s.Close()
			return s.OtherRecovering
		}
		if o := other(); o == nil || o.Failed(start) {
			t.Errorf("before it has failed: %+v", o)
		}
		if err := db.RecordReleaseFault(t.Context(), el9, "an index is broken"); err != nil {
			t.Fatal(err)
		}
		if held, err := db.LockRelease(t.Context(), el9, "one", time.Minute, start); err != nil || !held {
			t.Fatal(held, err)
		}
		if o := other(); o == nil || o.Failed(start) || !o.Failed(after(2*time.Minute)) {
			t.Errorf("while it is tried again: %+v", o)
		}
		for range 2 {
			if err := db.PassRecovery(t.Context(), el9, start); err != nil {
				t.Fatal(err)
			}
		}
		checkRevision(t, db, in(el9, "aarch64"), 2)
		checkRevision(t, db, el9, 1)
		if o := other(); o != nil {
			t.Errorf("it waits for %+v", o)
		}
		checkProgress(t, db, el9, 3, 10)
		if got, err := db.Recover(t.Context(), el9, published(ten(el9)...), foreign, start); err != nil || got.Inserted != 10 {
			t.Errorf("%+v, %v", got, err)
		}
		checkRevision(t, db, in(el9, "aarch64"), 3)
		if log := logOf(t, db, "acme/tools", time.Time{}); !slices.ContainsFunc(log, func(line string) bool {
			return strings.HasPrefix(line, "|release.recover|acme/tools/el/9/x86_64|from the indexes of revision") && strings.Contains(line, ": 10 packages were missing, 0 were replaced, 0 withdrawn")
		}) {
			t.Errorf("the log: %q", log)
		}
	})
}
