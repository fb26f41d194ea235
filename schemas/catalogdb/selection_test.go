package catalogdb_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"repomill/schemas/catalog"
	"repomill/schemas/catalogdb"
	"repomill/testdata/mysqltest"
)

// selection selects packages in some states, or active and withdrawn ones.
func selection(t *testing.T, target string, patterns []string, states ...catalog.PackageState) catalogdb.Selection {
	t.Helper()
	to, err := catalog.ParsePackageTarget(target)
	if err != nil {
		t.Fatal(err)
	}
	if len(states) == 0 {
		states = []catalog.PackageState{catalog.Active, catalog.Yanked}
	}
	s := catalogdb.Selection{Target: to, States: states}
	for _, text := range patterns {
		p, err := catalog.ParsePattern(text)
		if err != nil {
			t.Fatal(err)
		}
		s.Patterns = append(s.Patterns, p)
	}
	return s
}

// everything decides for all that is selected.
func everything(s catalogdb.Selected) ([]catalogdb.SelectedPackage, error) { return s.Packages, nil }

func textsOf(s catalogdb.Selected) (texts []string) {
	for _, p := range s.Packages {
		text := strings.TrimPrefix(p.Package.Place().String(), "acme/tools/") + " " + p.Package.Name + " " + p.Package.Version + " " + p.Package.Arch
		if p.Exact {
			text += ", exact"
		} else if p.Named {
			text += ", named"
		}
		texts = append(texts, text)
	}
	return texts
}

func selects(t *testing.T, db *catalogdb.DB) {
	declare(t, db, jammy)
	declare(t, db, noble)
	declare(t, db, el9)
	pushAll(t, db, deb(jammy, "hello", "1:1.0"), deb(jammy, "hello", "2.0"), deb(jammy, "hello-doc", "2.0"), deb(jammy, "Hello", "1"), deb(jammy, "hellp", "1"),
		deb(noble, "hello", "2.0"), rpm(el9, "hello", "2.0-1", "x86_64"), rpm(el9, "hello", "2.0-1", "noarch"), rpm(el9, "hello", "2.0-1", "src"))
	claim(t, db, deb(jammy, "hello", "3.0"))
	yankAll(t, db, selectorOf(deb(jammy, "hello-doc", "2.0")))
	for _, tt := range []struct {
		target    string
		patterns  string
		want      []string
		unmatched []string
	}{
		{"acme/tools/ubuntu/jammy", "hello", []string{"ubuntu/jammy/main hello 1:1.0 amd64, named", "ubuntu/jammy/main hello 2.0 amd64, named"}, nil},
		{"acme/tools/ubuntu/jammy/main", "hello=1:1.0", []string{"ubuntu/jammy/main hello 1:1.0 amd64, exact"}, nil},
		{"acme/tools/ubuntu/jammy/other", "hello", nil, []string{"hello"}},
		{"acme/tools/ubuntu/noble", "hello=2.0:arm64 hello=2.0:amd64", []string{"ubuntu/noble/main hello 2.0 amd64, exact"}, []string{"hello=2.0:arm64"}},
		{"acme/tools", "hello=2*", []string{"el/9 hello 2.0-1 noarch, named", "el/9 hello 2.0-1 src, named", "el/9 hello 2.0-1 x86_64, named", "ubuntu/jammy/main hello 2.0 amd64, named", "ubuntu/noble/main hello 2.0 amd64, named"}, nil},
		{"acme/tools/ubuntu/jammy", "hello-* Hell?", []string{"ubuntu/jammy/main Hello 1 amd64", "ubuntu/jammy/main hello-doc 2.0 amd64"}, nil},
		{"acme/tools/ubuntu/jammy", "hell[a-o] x* *p", []string{"ubuntu/jammy/main hello 1:1.0 amd64", "ubuntu/jammy/main hello 2.0 amd64", "ubuntu/jammy/main hellp 1 amd64"}, []string{"x*"}},
		{"acme/tools/ubuntu/focal", "*", nil, []string{"*"}},
	} {
		got, err := db.Select(t.Context(), selection(t, tt.target, strings.Fields(tt.patterns)))
		var unmatched []string
		for _, p := range got.Unmatched {
			unmatched = append(unmatched, p.String())
		}
		if diff := cmp.Diff(tt.want, textsOf(got)); diff != "" || err != nil {
			t.Errorf("%s of %s: %v (-want +got):\n%s", tt.patterns, tt.target, err, diff)
		}
		if !slices.Equal(unmatched, tt.unmatched) {
			t.Errorf("%s of %s: unmatched are %q, want %q", tt.patterns, tt.target, unmatched, tt.unmatched)
		}
	}
	got, err := db.Select(t.Context(), selection(t, "acme/tools", []string{"hello"}, catalog.Active))
	want := map[catalog.Release]int{jammy: 4, noble: 1, el9: 2, in(el9, "aarch64"): 1, in(el9, "SRPMS"): 1}
	if diff := cmp.Diff(want, got.Shown); diff != "" || err != nil {
		t.Errorf("releases show %v (-want +got):\n%s", err, diff)
	}
	if n := len(got.Packages[0].Releases); got.Packages[0].Package.Arch != "noarch" || n != 2 {
		t.Errorf("%+v is in %d releases, want 2", got.Packages[0].Package, n)
	}
	if _, err := db.Select(t.Context(), selection(t, "acme/none", []string{"*"})); !errors.Is(err, catalogdb.ErrNotFound) {
		t.Errorf("an unknown repository: %v", err)
	}
}

// One yank of a repository issues one revision of each release that it changes, and a repeat none.
func yankSelected(t *testing.T, db *catalogdb.DB) {
	releases := []catalog.Release{jammy, noble, el9, in(el9, "aarch64"), in(el9, "SRPMS")}
	for _, r := range releases[:3] {
		declare(t, db, r)
	}
	pushAll(t, db, deb(jammy, "hello", "1"), deb(jammy, "hello", "2"), deb(jammy, "bye", "1"), deb(noble, "hello", "2"), rpm(el9, "hello", "1-1", "noarch"), rpm(el9, "hello", "2-1", "x86_64"))
	waiting := store(t, db, deb(noble, "hello", "3"), "9")
	activate(t, db, waiting)
	all := selection(t, "acme/tools", []string{"hello"})
	revisions := func() (now []int64) {
		for _, r := range releases {
			now = append(now, stateOf(t, db, r).Revision.Number)
		}
		return now
	}
	check := func(fact string, done catalogdb.SelectedChange, err error, before []int64, rise ...int64) {
		t.Helper()
		for i, now := range revisions() {
			if now-before[i] != rise[i] {
				t.Errorf("%s: %s rose by %d, want %d", fact, releases[i], now-before[i], rise[i])
			}
			if done.Revisions[releases[i]] != now && rise[i] > 0 {
				t.Errorf("%s: the revision of %s is said to be %d, and is %d", fact, releases[i], done.Revisions[releases[i]], now)
			}
		}
		if err != nil || len(done.Packages) != 6 {
			t.Errorf("%s: %d packages, %v", fact, len(done.Packages), err)
		}
	}
	w := catalogdb.Withdrawal{Yank: record, Now: true}
	for i, rise := range [][]int64{{1, 1, 1, 1, 0}, {0, 0, 0, 0, 0}} {
		before := revisions()
		done, err := db.YankSelected(t.Context(), all, w, record.At, everything)
		check(fmt.Sprint("yank ", i), done, err, before, rise...)
	}
	if got := append(names(t, db, jammy), append(names(t, db, noble), names(t, db, el9)...)...); !slices.Equal(got, []string{"bye 1 amd64"}) {
		t.Errorf("releases show %q", got)
	}
	if v := verdictOf(t, db, waiting.Upload); v.State != catalog.Rejected || v.Reason != catalog.YankedIdentity {
		t.Errorf("what waited is %+v", v)
	}
	log := logOf(t, db, "acme/tools", start)
	for _, action := range []string{"kim|package.yank|", "|package.remove|"} {
		if n := strings.Count(strings.Join(log, "\n"), action); n != 6 {
			t.Errorf("the log has %d of %s in %q", n, action, log)
		}
	}
	before := revisions()
	done, err := db.UnyankSelected(t.Context(), all, after(time.Hour), everything)
	check("unyank", done, err, before, 1, 1, 1, 1, 0)
	if got := len(names(t, db, jammy)); got != 3 {
		t.Errorf("%d packages are back", got)
	}
	checkPackage(t, db, deb(noble, "hello", "3"), catalog.Active)
	if other, err := db.NotInState(t.Context(), done.Packages, catalog.Active); other != nil || err != nil {
		t.Errorf("after unyank: %+v, %v", other, err)
	}
	yankAll(t, db, selectorOf(deb(noble, "hello", "2")))
	if other, err := db.NotInState(t.Context(), done.Packages, catalog.Active); err != nil || other == nil || other.Distribution != noble.Distribution || other.Version != "2" || other.State != catalog.Yanked {
		t.Errorf("after a yank: %+v, %v", other, err)
	}
	if _, err := db.NotInState(t.Context(), append(done.Packages, deb(noble, "lost", "1")), catalog.Yanked); err != nil {
		t.Errorf("the first is in another state: %v", err)
	}
	if _, err := db.NotInState(t.Context(), []catalog.Package{deb(noble, "lost", "1")}, catalog.Yanked); !errors.Is(err, catalogdb.ErrNotFound) {
		t.Errorf("got %v, want ErrNotFound", err)
	}
}

// What was replaced or moved away does not come back by itself after it was yanked with Now, and what is published of it says so.
func yankBans(t *testing.T, db *catalogdb.DB) {
	declareMutable(t, db, jammy, noble)
	for i, k := range []catalog.Package{build(jammy, 1), build(jammy, 2), build(noble, 1)} {
		activate(t, db, storeAt(t, db, k, i))
	}
	yank := func(k catalog.Package, reason string) {
		t.Helper()
		if _, err := db.Yank(t.Context(), selectorOf(k), catalog.Yank{Reason: reason, At: start}, start); err != nil {
			t.Fatal(err)
		}
	}
	yank(build(jammy, 2), "broken")
	yank(build(noble, 1), catalogdb.MovedElsewhere)
	all := selection(t, "acme/tools", []string{"hello"})
	before := map[catalog.Release]int64{}
	for _, r := range []catalog.Release{jammy, noble} {
		s := snapshot(t, db, r)
		before[r] = s.Generation
		s.Close()
	}
	reasons := func() (got []string) {
		for _, k := range []catalog.Package{build(jammy, 1), build(jammy, 2), build(noble, 1)} {
			found, err := db.Find(t.Context(), k)
			if err != nil || found.Yank == nil {
				t.Fatal(found, err)
			}
			got = append(got, found.Yank.Reason)
		}
		return got
	}
	if _, err := db.YankSelected(t.Context(), all, catalogdb.Withdrawal{Yank: record}, record.At, everything); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{catalog.ReplacedReason, "broken", catalogdb.MovedElsewhere}, reasons()); diff != "" {
		t.Errorf("without Now (-want +got):\n%s", diff)
	}
	for range 2 { // a repeat changes nothing
		done, err := db.YankSelected(t.Context(), all, catalogdb.Withdrawal{Yank: record, Now: true}, record.At, everything)
		if err != nil || len(done.Packages) != 3 {
			t.Fatal(done, err)
		}
	}
	if diff := cmp.Diff([]string{record.Reason, "broken", record.Reason}, reasons()); diff != "" {
		t.Errorf("with Now (-want +got):\n%s", diff)
	}
	for r, generation := range before {
		s := snapshot(t, db, r)
		if s.Generation != generation+1 {
			t.Errorf("the generation of %s went from %d to %d", r, generation, s.Generation)
		}
		s.Close()
	}
	if n := strings.Count(strings.Join(logOf(t, db, "acme/tools", start), "\n"), "kim|package.yank|"); n != 2 {
		t.Errorf("the log has %d withdrawals by kim, want 2", n)
	}
}

// What cannot come back is said before, and keeps all others where they are if it is decided for.
func unyankSelectedRefuses(t *testing.T, db *catalogdb.DB) {
	declare(t, db, jammy)
	kept, removed := deb(jammy, "kept", "1"), deb(jammy, "removed", "1")
	pushAll(t, db, kept, removed)
	for _, k := range []catalog.Package{kept, removed} {
		yankAll(t, db, selectorOf(k))
	}
	if err := errors.Join(db.Removing(t.Context(), removed), db.Removed(t.Context(), removed)); err != nil {
		t.Fatal(err)
	}
	all := selection(t, "acme/tools", []string{"*"})
	found, err := db.Select(t.Context(), all)
	if err != nil || len(found.Packages) != 2 || found.Packages[0].Back != nil || !errors.Is(found.Packages[1].Back, catalogdb.ErrRemoved) || !found.Packages[1].Removed {
		t.Errorf("got %+v, %v", found.Packages, err)
	}
	if _, err := db.UnyankSelected(t.Context(), all, start, everything); !errors.Is(err, catalogdb.ErrRemoved) {
		t.Errorf("got %v, want ErrRemoved", err)
	}
	checkPackage(t, db, kept, catalog.Yanked)
	refused := errors.New("refused")
	_, err = db.UnyankSelected(t.Context(), all, start, func(catalogdb.Selected) ([]catalogdb.SelectedPackage, error) { return nil, refused })
	if !errors.Is(err, refused) {
		t.Errorf("got %v", err)
	}
	checkPackage(t, db, kept, catalog.Yanked)
	checkRevision(t, db, jammy, 5)
}

func promoteSelected(t *testing.T, db *catalogdb.DB) {
	there, taken := deb(stable, "there", "1"), deb(stable, "taken", "1")
	taken.File = file("other bytes")
	activated(t, db, deb(jammy, "hello", "1"), deb(jammy, "there", "1"), deb(jammy, "taken", "1"), there, taken)
	search := catalogdb.PromotionSearch{From: selection(t, "acme/tools", []string{"*"}, catalog.Active), To: stable.Repository,
		Place: func(catalog.Package, catalog.Settings) (catalog.Place, error) { return place(stable), nil }}
	states := func(c catalogdb.Candidates) (all []string) {
		for _, p := range c.Copies {
			state := "copy"
			if p.Holder != nil && p.Holder.File.SHA256 == p.Source.Package.File.SHA256 {
				state = "there"
			} else if p.Holder != nil {
				state = "taken"
			}
			all = append(all, p.Source.Package.Name+": "+state)
		}
		return all
	}
	found, err := db.Candidates(t.Context(), search)
	if diff := cmp.Diff([]string{"hello: copy", "taken: taken", "there: there"}, states(found)); diff != "" || err != nil {
		t.Errorf("found %v (-want +got):\n%s", err, diff)
	}
	decide := func(c catalogdb.Candidates) ([]catalogdb.Wish, error) {
		return []catalogdb.Wish{{Source: c.Copies[0].Source.Package, To: c.Copies[0].To}}, nil
	}
	first, err := db.PromoteSelected(t.Context(), search, start, decide)
	again, errAgain := db.PromoteSelected(t.Context(), search, start, decide)
	if err != nil || errAgain != nil || len(first) != 1 || !slices.Equal(first, again) {
		t.Errorf("got %v, %v and then %v, %v", first, err, again, errAgain)
	}
}

// More than the limit is refused, in one pattern and in several, and nothing changes.
func TestSelectionIsBounded(t *testing.T) {
	db := openSQLite(t, t.TempDir()+"/catalog.db")
	declare(t, db, jammy)
	pushAll(t, db, deb(jammy, "a", "1"), deb(jammy, "b", "1"), deb(jammy, "c", "1"))
	t.Cleanup(catalogdb.SetMaxSelected(2))
	for patterns, want := range map[string]error{"[ab]": nil, "*": catalogdb.ErrTooMany, "a b c": catalogdb.ErrTooMany} {
		if _, err := db.YankSelected(t.Context(), selection(t, "acme/tools", strings.Fields(patterns), catalog.Active), catalogdb.Withdrawal{Yank: record}, start, nothingDecided); !errors.Is(err, want) {
			t.Errorf("%s: got %v, want %v", patterns, err, want)
		}
	}
}

func nothingDecided(catalogdb.Selected) ([]catalogdb.SelectedPackage, error) { return nil, nil }

// The answer to a commit does not come. Whether it went through or not, each copy is asked for once, and the plan that was
// compared in the first try is not compared with its own result.
func TestMySQLPromotesSelectedOnceWithoutAnAnswer(t *testing.T) {
	s := mysqltest.NewServer(t)
	for _, f := range []fault{lost, stored} {
		t.Run(f.String(), func(t *testing.T) {
			t.Parallel()
			p := newProxy(t, s.Socket())
			direct := onMySQL(s.Database(t))
			_, name, _ := strings.Cut(direct.dsn, "/test")
			activated(t, direct.cleared(t), deb(jammy, "hello", "1"))
			db := open(t, "mysql://root@127.0.0.1:"+p.port+"/test"+name)
			search := catalogdb.PromotionSearch{From: selection(t, "acme/tools", []string{"*"}, catalog.Active), To: stable.Repository,
				Place: func(catalog.Package, catalog.Settings) (catalog.Place, error) { return place(stable), nil }}
			p.next.Store(int32(f))
			tries := 0
			uploads, err := db.PromoteSelected(t.Context(), search, start, func(c catalogdb.Candidates) ([]catalogdb.Wish, error) {
				tries++
				return []catalogdb.Wish{{Source: c.Copies[0].Source.Package, To: c.Copies[0].To}}, nil
			})
			waiting, errWaiting := db.Unattempted(t.Context(), after(time.Hour), 9)
			if err != nil || errWaiting != nil || len(uploads) != 1 || !slices.Equal(uploads, waiting) {
				t.Errorf("asked for %v, %v; there are %v, %v", uploads, err, waiting, errWaiting)
			}
			if want := map[fault]int{lost: 2, stored: 1}[f]; tries != want || p.faults.Load() != 1 {
				t.Errorf("%d tries, want %d; %d faults", tries, want, p.faults.Load())
			}
		})
	}
}

// Two yanks of a repository and pushes into it at the same time wait for each other, and all end.
func selectedConcurrently(t *testing.T, db *catalogdb.DB) {
	declare(t, db, jammy)
	declare(t, db, noble)
	var all []catalog.Package
	for i := range 20 {
		all = append(all, deb(jammy, "hello", fmt.Sprint(i)), deb(noble, "hello", fmt.Sprint(i)))
	}
	pushAll(t, db, all...)
	ended := make(chan error)
	work := []func(context.Context) error{}
	for i := range 4 {
		work = append(work, func(ctx context.Context) error {
			_, err := db.YankSelected(ctx, selection(t, "acme/tools", []string{"hello"}), catalogdb.Withdrawal{Yank: record}, start, everything)
			return err
		}, func(context.Context) error { return push(t, db, deb(noble, "more", fmt.Sprint(i))) })
	}
	for _, f := range work {
		go func() { ended <- f(t.Context()) }()
	}
	for range work {
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}
	if got := len(names(t, db, jammy)) + len(names(t, db, noble)); got != 4 {
		t.Errorf("releases show %d packages, want 4", got)
	}
	if got := stateOf(t, db, jammy).Revision.Number; got != 1+20+1 {
		t.Errorf("%s has revision %d: more than one yank changed it", jammy, got)
	}
}
