package catalogdb_test

import (
	"cmp"
	"errors"
	"fmt"
	"math/rand/v2"
	"path"
	"slices"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"repomill/schemas/catalog"
	"repomill/schemas/catalogdb"
	"repomill/schemas/layout"
)

const day = 24 * time.Hour

var wholeTools = catalog.PackageTarget{Repository: tools}

// aged returns a package of version 1.MINOR.PATCH that came some days before start.
func aged(r catalog.Release, name string, minor, patch int, arch string, days int) catalog.Package {
	version := fmt.Sprintf("1.%d.%d-1", minor, patch)
	k := deb(r, name, version)
	if r.Arch != "" {
		k = rpm(r, name, version, arch)
	}
	k.Arch, k.SortKey = arch, fmt.Appendf(nil, "%s\x00%03d.%03d\x00%s", name, minor, patch, arch)
	if k.Key = layout.PoolKey(k); r.Arch != "" {
		k.Key = layout.RPMKey(k, layout.RPMDirs(k, []string{"aarch64"})[0])
	}
	k.File, k.Uploaded = file(k.Name+k.Version+k.Arch+k.Component+r.String()), start.Add(-time.Duration(days)*day)
	return k
}

// seenSinceUpload makes clients have seen packages since they were uploaded, that none has seen yet.
func seenSinceUpload(t *testing.T, db *catalogdb.DB) {
	t.Helper()
	if err := db.Exec(t.Context(), `UPDATE visibility SET came_at = (SELECT k.uploaded_at FROM packages k WHERE k.id = package_id) WHERE came_at IS NULL`); err != nil {
		t.Fatal(err)
	}
}

// retained sets the rule sets of a repository, whose packages clients have seen since their upload.
func retained(t *testing.T, db *catalogdb.DB, sets ...catalog.Retention) {
	t.Helper()
	seenSinceUpload(t, db)
	if _, err := db.ChangeSettings(t.Context(), tools, start, func(s *catalog.Settings) error { s.Retention = sets; return nil }); err != nil {
		t.Fatal(err)
	}
}

// agree decides for all that leaves.
func agree(catalogdb.RetentionState, []catalogdb.LeavingPackage) error { return nil }

var asExpired = catalog.Yank{Reason: catalog.Expired}

// retain applies the rules, and returns what left.
func retain(t *testing.T, db *catalogdb.DB, target catalog.PackageTarget, at time.Time) (left []string) {
	t.Helper()
	s, err := db.Retention(t.Context(), target, at)
	if err != nil {
		t.Fatal(err)
	}
	var planned []string
	for p, err := range db.Leaving(t.Context(), s) {
		if err != nil {
			t.Fatal(err)
		}
		planned = append(planned, p.Package.Name+" "+p.Package.Version+" "+p.Package.Arch)
	}
	done, err := db.Retain(t.Context(), target, catalogdb.Retaining{At: at, Yank: asExpired}, at, agree)
	if err != nil || done.Left != 0 || s.Leave != len(planned) {
		t.Fatalf("%d leave, %d of them are listed, %d are left, %v", s.Leave, len(planned), done.Left, err)
	}
	for _, k := range done.Packages {
		left = append(left, k.Name+" "+k.Version+" "+k.Arch)
	}
	if diff := gocmp.Diff(planned, left); diff != "" {
		t.Errorf("what leaves is not what was planned (-planned +left):\n%s", diff)
	}
	return left
}

func retains(t *testing.T, db *catalogdb.DB) {
	declare(t, db, jammy)
	var old catalog.Package
	for patch := range 5 {
		k := aged(jammy, "app", 1, patch, "amd64", 100-patch)
		pushAll(t, db, k)
		if patch == 1 {
			old = k
		}
	}
	pushAll(t, db, aged(jammy, "app", 1, 9, "amd64", 13), aged(jammy, "lib", 1, 1, "amd64", 500))
	if got := retain(t, db, wholeTools, start); len(got) > 0 {
		t.Fatalf("without rules %v leave", got)
	}
	retained(t, db, catalog.Retention{Newest: 3})
	before := stateOf(t, db, jammy).Revision.Number
	if diff := gocmp.Diff([]string{"app 1.1.0-1 amd64", "app 1.1.1-1 amd64", "app 1.1.2-1 amd64"}, retain(t, db, wholeTools, start)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	checkRevision(t, db, jammy, before+1) // one, for all of them
	if got := retain(t, db, wholeTools, start); len(got) > 0 {
		t.Errorf("again, %v leave", got)
	}
	checkRevision(t, db, jammy, before+1)
	if k, err := db.Find(t.Context(), old); err != nil || k.Yank == nil || k.Yank.Reason != catalog.Expired {
		t.Errorf("%+v, %v: want it withdrawn as expired", k.Yank, err)
	}
	if _, err := db.Unyank(t.Context(), selectorOf(old), start); err != nil {
		t.Fatal(err)
	}
	if got := retain(t, db, wholeTools, start.Add(2*catalog.RetentionFloor)); len(got) > 0 {
		t.Errorf("%v leave again before clients see what was brought back", got)
	}
	publish(t, db, jammy, stateOf(t, db, jammy).Revision.Number, start)
	if got := retain(t, db, wholeTools, start.Add(catalog.RetentionFloor-time.Second)); len(got) > 0 {
		t.Errorf("%v leave again soon after they were brought back", got)
	}
	if got := retain(t, db, wholeTools, start.Add(catalog.RetentionFloor)); !slices.Contains(got, "app 1.1.1-1 amd64") {
		t.Errorf("%v leave: what was brought back has to leave after %s", got, catalog.RetentionFloor)
	}
	logged := map[catalog.Action]int{}
	for e, err := range db.Log(t.Context(), catalog.Target{Owner: "acme", Name: "tools"}, time.Time{}) {
		if err != nil {
			t.Fatal(err)
		}
		if logged[e.Action]++; e.Action == catalog.ActionRetain && !strings.HasSuffix(e.Detail, "packages withdrawn that no rule keeps; the rules are: newest 3 (paused)") {
			t.Errorf("the audit log says %s", e.Detail)
		}
	}
	if logged[catalog.ActionRetain] != 2 || logged[catalog.ActionYank] != 4 {
		t.Errorf("the audit log has %v", logged)
	}
}

// retainsInParts: more packages than a transaction changes leave in several, and a run that was ended goes on.
func retainsInParts(t *testing.T, db *catalogdb.DB) {
	declare(t, db, jammy)
	declare(t, db, el9)
	for patch := range 4 {
		pushAll(t, db, aged(jammy, "app", 1, patch, "amd64", 90), aged(el9, "app", 1, patch, "x86_64", 90))
	}
	retained(t, db, catalog.Retention{Newest: 1})
	t.Cleanup(catalogdb.SetMaxSelected(4))
	for _, want := range []struct{ gone, left int }{{4, 2}, {2, 0}, {0, 0}} {
		done, err := db.Retain(t.Context(), wholeTools, catalogdb.Retaining{At: start, Yank: asExpired}, start, agree)
		if err != nil || len(done.Packages) != want.gone || done.Left != want.left {
			t.Errorf("%d left, %d are left to go, %v, want %+v", len(done.Packages), done.Left, err, want)
		}
	}
	if a, b := names(t, db, jammy), names(t, db, el9); len(a) != 1 || len(b) != 1 {
		t.Errorf("%v and %v stay", a, b)
	}
}

// retainsNeeded: what a package that stays needs by exact version stays, and what that needs.
func retainsNeeded(t *testing.T, db *catalogdb.DB) {
	declare(t, db, jammy)
	declare(t, db, noble)
	exactly := func(k catalog.Package) catalog.Need {
		return catalog.Need{Name: k.Name, From: k.Canonical, Until: k.Canonical}
	}
	data, lib, gone := aged(jammy, "data", 1, 1, "all", 90), aged(jammy, "lib", 1, 1, "amd64", 90), aged(jammy, "lib", 1, 0, "amd64", 95)
	app, old := aged(jammy, "app", 1, 1, "amd64", 80), aged(jammy, "old", 1, 0, "amd64", 80)
	loose := catalog.Need{Name: "loose", From: "1.1.", Until: "1.1.\x7f"} // as of RPM, without a release
	app.Needs, lib.Needs, old.Needs = []catalog.Need{exactly(lib), loose}, []catalog.Need{exactly(data)}, []catalog.Need{exactly(gone)}
	elsewhere := aged(noble, "lib", 1, 1, "amd64", 90)
	pushAll(t, db, data, lib, gone, app, old, elsewhere, aged(jammy, "loose", 1, 1, "amd64", 90), aged(jammy, "loose", 2, 1, "amd64", 90))
	for _, name := range []string{"lib", "old", "loose"} {
		pushAll(t, db, aged(jammy, name, 9, 0, "amd64", 70))
	}
	pushAll(t, db, aged(jammy, "data", 9, 1, "all", 70), aged(noble, "lib", 9, 0, "amd64", 70))
	retained(t, db, catalog.Retention{Newest: 1})
	want := []string{"lib 1.1.0-1 amd64", "loose 1.2.1-1 amd64", "old 1.1.0-1 amd64", "lib 1.1.1-1 amd64"}
	got := retain(t, db, wholeTools, start)
	if diff := gocmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// retainsAll: a rule set is of all or of one distribution, and both count. A decision against it changes nothing.
func retainsAll(t *testing.T, db *catalogdb.DB) {
	declare(t, db, jammy)
	declare(t, db, el9)
	for patch := range 4 {
		pushAll(t, db, aged(jammy, "app", 1, patch, "amd64", 90), aged(el9, "app", 1, patch, "x86_64", 90), aged(el9, "doc", 1, patch, "noarch", 90))
	}
	retained(t, db, catalog.Retention{Distribution: el9.Distribution, YoungerDays: 30}, catalog.Retention{Newest: 1})
	s, err := db.Retention(t.Context(), catalog.PackageTarget{Repository: tools, Distribution: el9.Distribution}, start)
	if err != nil {
		t.Fatal(err)
	}
	var sums []string
	for _, r := range s.Releases {
		sums = append(sums, fmt.Sprintf("%s: %d leave, %d stay", r.Release.Arch, r.Leave, r.Stay))
	}
	if diff := gocmp.Diff([]string{"SRPMS: 0 leave, 0 stay", "aarch64: 3 leave, 1 stay", "x86_64: 6 leave, 2 stay"}, sums); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if s.Leave != 6 || len(s.Shrunk()) != 2 || len(s.Emptied()) != 0 {
		t.Errorf("%d leave, %v shrink, %v are emptied", s.Leave, s.Shrunk(), s.Emptied())
	}
	refused := errors.New("refused")
	revision := stateOf(t, db, el9).Revision
	_, err = db.Retain(t.Context(), wholeTools, catalogdb.Retaining{At: start, Yank: asExpired}, start, func(catalogdb.RetentionState, []catalogdb.LeavingPackage) error { return refused })
	if !errors.Is(err, refused) || stateOf(t, db, el9).Revision != revision {
		t.Errorf("got %v, want a refusal that changes nothing", err)
	}
	retained(t, db, catalog.Retention{YoungerDays: 30})
	if s, err = db.Retention(t.Context(), wholeTools, start); err != nil || len(s.Emptied()) != 3 {
		t.Errorf("%v are emptied, %v; want jammy and two directories of el/9", s.Emptied(), err)
	}
	retained(t, db, catalog.Retention{Distribution: noble.Distribution, Newest: 1})
	if s, err = db.Retention(t.Context(), wholeTools, start); err != nil || len(s.Without) != 2 || s.Leave != 0 {
		t.Errorf("%v are without rules, %v", s.Without, err)
	}
	if _, err := db.Retention(t.Context(), catalog.PackageTarget{Repository: tools, Distribution: noble.Distribution}, start); !errors.Is(err, catalogdb.ErrNotFound) {
		t.Errorf("an unknown distribution: %v", err)
	}
}

// retainsKeyring: the packages with the keys of the repository stay, and do not count as what a release has.
func retainsKeyring(t *testing.T, db *catalogdb.DB) {
	declare(t, db, jammy)
	keyring := layout.KeyringName(tools, catalog.DEB)
	for patch := range 3 {
		pushAll(t, db, aged(jammy, keyring, 1, patch, "all", 90))
	}
	pushAll(t, db, aged(jammy, "app", 1, 0, "amd64", 90))
	seenSinceUpload(t, db)
	_, err := db.ChangeSettings(t.Context(), tools, start, func(s *catalog.Settings) error {
		s.Keyring, s.Retention = &catalog.KeyringPackage{On: true}, []catalog.Retention{{YoungerDays: 30}}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	s, err := db.Retention(t.Context(), wholeTools, start)
	if err != nil || s.Leave != 1 || s.Kept[catalogdb.KeptKeyring] != 3 || len(s.Emptied()) != 1 {
		t.Errorf("%d leave, kept are %v, %v are emptied, %v", s.Leave, s.Kept, s.Emptied(), err)
	}
}

// retainsDownloaded: a package that was downloaded stays, and all do while downloads are not known for as long as that.
func retainsDownloaded(t *testing.T, db *catalogdb.DB) {
	declare(t, db, jammy)
	one, two, now := aged(jammy, "app", 1, 0, "amd64", 200), aged(jammy, "app", 1, 1, "amd64", 190), aged(jammy, "app", 1, 2, "amd64", 180)
	pushAll(t, db, one, two, now)
	retained(t, db, catalog.Retention{Newest: 1, DownloadedDays: 60})
	count := func(name string, days int, of ...catalog.Package) {
		t.Helper()
		at := start.AddDate(0, 0, -days)
		b := catalog.LogBatch{Name: name, Files: []catalog.LogFile{readLog(name, 0, 10)},
			Requests: []catalog.RequestCount{{Repository: tools, Day: catalogdb.DayOf(at), Kind: catalog.MetadataRequest, Client: "apt", Count: 1}}}
		for _, k := range of {
			b.Downloads = append(b.Downloads, downloaded(k, at, "apt", 1))
		}
		countLogs(t, db, b, start)
	}
	if got := retain(t, db, wholeTools, start); len(got) > 0 {
		t.Errorf("without statistics %v leave", got)
	}
	count("late", 30, one)
	if got := retain(t, db, wholeTools, start); len(got) > 0 {
		t.Errorf("with statistics of 30 days %v leave", got)
	}
	count("early", 100)
	if got := retain(t, db, wholeTools, start); len(got) > 0 {
		t.Errorf("with statistics that ended 30 days ago %v leave", got)
	}
	count("today", 0)
	if diff := gocmp.Diff([]string{"app 1.1.1-1 amd64"}, retain(t, db, wholeTools, start)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// Of random packages and rules, those leave that no rule keeps, and no others.
func TestL5KeepWins(t *testing.T) {
	onBoth(t, func(t *testing.T, e database) {
		db := open(t, e.url)
		catalogdb.SetRetainPage(t, 3)
		declare(t, db, jammy)
		declare(t, db, el9)
		for seed := range uint64(12) {
			random := rand.New(rand.NewPCG(seed, 5))
			var all []catalog.Package
			for range 40 {
				r, arches := jammy, []string{"amd64", "arm64", "all"}
				if random.IntN(2) == 0 {
					r, arches = el9, []string{"x86_64", "aarch64", "noarch"}
				}
				k := aged(r, fmt.Sprintf("s%d-%c", seed, 'a'+random.IntN(2)), random.IntN(3), random.IntN(4), arches[random.IntN(3)], random.IntN(120))
				if !slices.ContainsFunc(all, func(o catalog.Package) bool { return o.Key == k.Key }) {
					all = append(all, k)
				}
			}
			pushAll(t, db, all...)
			phased := randomPhases(t, db, random, all)
			sets := []catalog.Retention{randomRules(random), randomRules(random)}
			sets[1].Distribution = el9.Distribution
			retained(t, db, sets...)
			got := retain(t, db, wholeTools, start)
			var want []string
			for _, k := range all {
				of := sets[:1]
				if k.Format == catalog.RPM {
					of = sets
				}
				if !k.Uploaded.After(start.Add(-catalog.RetentionFloor)) && !slices.ContainsFunc(of, func(s catalog.Retention) bool { return modelKeeps(s, k, all, phased) }) {
					want = append(want, k.Name+" "+k.Version+" "+k.Arch)
				}
			}
			slices.Sort(want)
			got = slices.DeleteFunc(got, func(s string) bool { return !strings.HasPrefix(s, fmt.Sprintf("s%d-", seed)) }) // others of an earlier seed may leave by these rules
			slices.Sort(got)
			if diff := gocmp.Diff(want, got); diff != "" {
				t.Errorf("seed %d, rules %v (-want +got):\n%s", seed, sets, diff)
			}
		}
	})
}

func randomRules(random *rand.Rand) catalog.Retention {
	r := catalog.Retention{Keep: []string{"*-none"}}
	if random.IntN(2) == 0 {
		r.Newest = 1 + random.IntN(3)
	}
	if random.IntN(2) == 0 {
		r.NewestPerSeries = 1 + random.IntN(2)
	}
	if random.IntN(2) == 0 {
		r.YoungerDays = 20 + random.IntN(60)
	}
	if random.IntN(2) == 0 {
		r.Keep = append(r.Keep, fmt.Sprintf("*-a=1.%d.*", random.IntN(3)))
	}
	return r
}

// randomPhases gives some of the DEB packages a phase at random, and returns them.
func randomPhases(t *testing.T, db *catalogdb.DB, random *rand.Rand, all []catalog.Package) map[string]bool {
	t.Helper()
	phased := map[string]bool{}
	for _, k := range all {
		if k.Format == catalog.DEB && random.IntN(4) == 0 {
			phased[k.Key] = true
			if err := db.Exec(t.Context(), fmt.Sprintf(`UPDATE packages SET phase = %d WHERE object_key = '%s'`, random.IntN(100), k.Key)); err != nil {
				t.Fatal(err)
			}
		}
	}
	return phased
}

// modelKeeps is the plainest form of the rules: it counts, for each package, the versions that are newer, and that all hosts upgrade to.
func modelKeeps(s catalog.Retention, k catalog.Package, all []catalog.Package, phased map[string]bool) bool {
	if s.YoungerDays > 0 && k.Uploaded.After(start.AddDate(0, 0, -s.YoungerDays)) {
		return true
	}
	for _, text := range s.Keep {
		name, version, versioned := strings.Cut(text, "=")
		if ok, _ := path.Match(name, k.Name); ok && (!versioned || matches(version, k.Version)) {
			return true
		}
	}
	order := func(k catalog.Package) string { return strings.Split(string(k.SortKey), "\x00")[1] }
	newer, inSeries := map[string]bool{}, map[string]bool{}
	for _, o := range all {
		visible := o.Arch == k.Arch || o.Arch == "all" || o.Arch == "noarch" // to hosts of its architecture
		if o.Distribution != k.Distribution || o.Name != k.Name || !visible || phased[o.Key] || cmp.Compare(order(o), order(k)) <= 0 {
			continue
		}
		newer[o.Version] = true
		if order(o)[:3] == order(k)[:3] {
			inSeries[o.Version] = true
		}
	}
	return len(newer) < s.Newest || len(inSeries) < s.NewestPerSeries
}

func matches(pattern, s string) bool { ok, _ := path.Match(pattern, s); return ok }

// retainsPhased: a version that not all hosts upgrade to stays, as one of the newest, and pushes none out.
func retainsPhased(t *testing.T, db *catalogdb.DB) {
	declare(t, db, jammy)
	for patch := range 4 {
		pushAll(t, db, aged(jammy, "app", 1, patch, "amd64", 90-patch))
	}
	retained(t, db, catalog.Retention{Newest: 1})
	phase := func(patch int, percent string) {
		t.Helper()
		if err := db.Exec(t.Context(), fmt.Sprintf(`UPDATE packages SET phase = %s WHERE version = '1.1.%d-1'`, percent, patch)); err != nil {
			t.Fatal(err)
		}
	}
	phase(3, "0") // paused
	phase(2, "99")
	if diff := gocmp.Diff([]string{"app 1.1.0-1 amd64"}, retain(t, db, wholeTools, start)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	phase(3, "NULL") // all hosts
	if diff := gocmp.Diff([]string{"app 1.1.1-1 amd64", "app 1.1.2-1 amd64"}, retain(t, db, wholeTools, start)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// retainsSeen: the age of a package counts from when clients saw it, and not from its upload.
func retainsSeen(t *testing.T, db *catalogdb.DB) {
	declare(t, db, jammy)
	declare(t, db, el9)
	pushAll(t, db, aged(jammy, "app", 1, 0, "amd64", 90), aged(el9, "doc", 1, 0, "noarch", 90))
	retained(t, db, catalog.Retention{Newest: 1})
	pushAll(t, db, aged(jammy, "app", 1, 1, "amd64", 80), aged(el9, "doc", 1, 1, "noarch", 80)) // as of a release train
	pushAll(t, db, aged(jammy, "app", 1, 2, "amd64", 70), aged(el9, "doc", 1, 2, "noarch", 70))
	leave := func(when string, days int, want ...string) {
		t.Helper()
		s, err := db.Retention(t.Context(), wholeTools, start.AddDate(0, 0, days))
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for p, err := range db.Leaving(t.Context(), s) {
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, p.Package.Name+" "+p.Package.Version)
		}
		if diff := gocmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", when, diff)
		}
	}
	old := []string{"app 1.1.0-1", "doc 1.1.0-1"}
	all := []string{"app 1.1.0-1", "app 1.1.1-1", "doc 1.1.0-1", "doc 1.1.1-1"}
	leave("before clients see the others", 100, old...)
	publish(t, db, jammy, revisionOf(t, db, jammy), after(time.Second))
	for _, arch := range []string{"SRPMS", "aarch64", "x86_64"} {
		r := el9
		r.Arch = arch
		publish(t, db, r, revisionOf(t, db, r), after(time.Second))
	}
	leave("while the others are young", 13, old...)
	leave("once they are old", 15, all...)
	retained(t, db, catalog.Retention{Newest: 1, YoungerDays: 30})
	leave("while a rule has them as younger", 29, old...)
	leave("once no rule has", 31, all...)
	if err := db.Exec(t.Context(), `UPDATE visibility SET came_at = 0`); err != nil { // as after the loss of the catalog
		t.Fatal(err)
	}
	leave("since their upload, if that is all that is known", 0, all...)
}
