package catalogdb_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"repomill/schemas/catalog"
	"repomill/schemas/catalogdb"
)

// built returns a binary of a source package.
func built(k catalog.Package, source, more string) catalog.Package {
	k.Stanza = fmt.Appendf(nil, "Package: %s\nVersion: %s\nSource: %s\n%s", k.Name, k.Version, source, more)
	return k
}

func ofArch(k catalog.Package, arch string) catalog.Package {
	k.Arch, k.SortKey = arch, append(k.SortKey, arch...)
	k.File = file(k.Name + k.Version + arch)
	return k
}

// phaseAll gives what a pattern selects a phase.
func phaseAll(t *testing.T, db *catalogdb.DB, pattern string, now time.Time, percent int, steps ...int) catalogdb.SelectedChange {
	t.Helper()
	p := catalog.Phasing{Percent: percent, Steps: steps}
	if len(steps) > 0 {
		p.Every = time.Hour
	}
	ctx := catalog.WithActor(t.Context(), catalog.Actor{User: "kim", Why: "care", Job: "https://ci/7"})
	done, err := db.PhaseSelected(ctx, selection(t, "acme/tools", []string{pattern}), p, now, func(f catalogdb.Phased) ([]catalogdb.PhasedPackage, error) { return f.All, nil })
	if err != nil {
		t.Fatal(err)
	}
	return done
}

// phasesIn returns the phases of the stanzas of a release, which has [catalog.PhaseField] at their end.
func phasesIn(t *testing.T, db *catalogdb.DB, r catalog.Release) string {
	t.Helper()
	s := snapshot(t, db, r)
	defer s.Close()
	var all []string
	for k, err := range s.Packages(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		percent, _ := catalog.PhaseOf(k.Stanza)
		all = append(all, fmt.Sprintf("%s/%s %d", k.Name, k.Arch, percent))
	}
	return strings.Join(all, ", ")
}

func checkPhases(t *testing.T, db *catalogdb.DB, fact, want string) {
	t.Helper()
	if got := phasesIn(t, db, jammy); got != want {
		t.Errorf("%s: phases are %s\nwant %s", fact, got, want)
	}
}

func phasesList(t *testing.T, db *catalogdb.DB, target string) (lines []string) {
	t.Helper()
	to, err := catalog.ParsePackageTarget(target)
	if err != nil {
		t.Fatal(err)
	}
	all, err := db.Phases(t.Context(), to)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range all {
		line := fmt.Sprintf("%s: %s %s %d%% of %d", strings.TrimPrefix(s.Place, "acme/tools/ubuntu/jammy/"), s.Source, s.Version, s.Percent, s.Packages)
		if s.Since != nil {
			line += fmt.Sprintf(" by %s at +%s", s.By, s.Since.Sub(start))
		}
		if s.Next != nil {
			line += fmt.Sprintf(", then %s every %s, next at +%s", catalog.PhaseTexts(s.Steps), s.Every, s.Next.Sub(start))
		}
		lines = append(lines, line)
	}
	return lines
}

// All binaries of a source have one phase: those that a pattern does not select, that are withdrawn, and that come later.
func phases(t *testing.T, db *catalogdb.DB) {
	declare(t, db, jammy)
	lib, tool, doc := built(deb(jammy, "lib", "1+b1"), "hello (1)", ""), built(deb(jammy, "tool", "1"), "hello", "Phased-Update-Percentage: 30\n"), built(deb(jammy, "doc", "1"), "hello", "")
	other, alone := built(deb(jammy, "lib2", "2"), "hello (2)", ""), deb(jammy, "zoo", "1")
	pushAll(t, db, lib, tool, doc, other, alone)
	yankAll(t, db, selectorOf(doc))
	publish(t, db, jammy, 7, seconds(1))
	since := stateOf(t, db, jammy).Revision
	checkPhases(t, db, "a package's own field counts until a command replaces it", "lib/amd64 100, lib2/amd64 100, tool/amd64 30, zoo/amd64 100")

	done := phaseAll(t, db, "lib=1*", seconds(10), 10)
	if len(done.Packages) != 2 || done.Revisions[jammy] != 8 {
		t.Errorf("the phase of two packages in revision 8 is of %d in %v", len(done.Packages), done.Revisions)
	}
	checkPhases(t, db, "of one source", "lib/amd64 10, lib2/amd64 100, tool/amd64 10, zoo/amd64 100")
	if got := changes(t, db, jammy, since); got != "lib tool" {
		t.Errorf("changes since then are %q", got)
	}
	if got := changes(t, db, jammy, stateOf(t, db, jammy).Revision); got != "" {
		t.Errorf("changes since now are %q", got)
	}
	checkPackage(t, db, doc, catalog.Yanked)
	phaseAll(t, db, "lib=1*", seconds(11), 10)
	checkRevision(t, db, jammy, 8) // a repeat changes nothing
	if _, err := db.Unyank(t.Context(), selectorOf(doc), seconds(20)); err != nil {
		t.Fatal(err)
	}
	pushAll(t, db, ofArch(lib, "arm64"))
	checkPhases(t, db, "with what came later", "doc/amd64 10, lib/amd64 10, lib/arm64 10, lib2/amd64 100, tool/amd64 10, zoo/amd64 100")
	if diff := cmp.Diff([]string{"main: hello 1 10% of 4 by kim at +10s"}, phasesList(t, db, "acme/tools/ubuntu/jammy/main")); diff != "" {
		t.Errorf("phases (-want +got):\n%s", diff)
	}
	if got := phasesList(t, db, "acme/tools/ubuntu/jammy/other"); len(got) > 0 {
		t.Errorf("phases of another component: %q", got)
	}
	phaseAll(t, db, "doc", seconds(12), 100)
	phaseAll(t, db, "zoo", seconds(13), 100) // nothing to change
	checkRevision(t, db, jammy, 11)
	checkPhases(t, db, "for everyone", "doc/amd64 100, lib/amd64 100, lib/arm64 100, lib2/amd64 100, tool/amd64 100, zoo/amd64 100")
	if got := phasesList(t, db, "acme/tools"); len(got) > 0 {
		t.Errorf("phases at the end: %q", got)
	}
	var log []string
	for _, line := range logOf(t, db, "acme/tools", time.Time{}) {
		if strings.Contains(line, "package.phase") {
			log = append(log, line)
		}
	}
	want := []string{
		"kim|package.phase|acme/tools/ubuntu/jammy/main|hello 1: 10% (before: 100%)|care|https://ci/7",
		"kim|package.phase|acme/tools/ubuntu/jammy/main|hello 1: 100% (before: 10%)|care|https://ci/7",
	}
	if diff := cmp.Diff(want, log); diff != "" {
		t.Errorf("audit log (-want +got):\n%s", diff)
	}
}

// Each pass makes one step of what is due, however late it is and whichever way a clock jumps.
func phaseSteps(t *testing.T, db *catalogdb.DB) {
	declare(t, db, jammy)
	pushAll(t, db, deb(jammy, "app", "1"), deb(jammy, "zoo", "1"))
	hour := func(n float64) time.Time { return after(time.Duration(n * float64(time.Hour))) }
	step := func(fact string, now time.Time, steps int, want string) {
		t.Helper()
		if n, err := db.AdvancePhases(t.Context(), now); err != nil || n != steps {
			t.Errorf("%s: %d steps, %v; want %d", fact, n, err, steps)
		}
		checkPhases(t, db, fact, want)
	}
	phaseAll(t, db, "*", start, 10, 40, 70, 100)
	checkRevision(t, db, jammy, 4)
	list := func(want ...string) {
		t.Helper()
		if diff := cmp.Diff(want, phasesList(t, db, "acme/tools")); diff != "" {
			t.Errorf("phases (-want +got):\n%s", diff)
		}
	}
	list("main: app 1 10% of 1 by kim at +0s, then 40%,70%,100% every 1h, next at +1h0m0s", "main: zoo 1 10% of 1 by kim at +0s, then 40%,70%,100% every 1h, next at +1h0m0s")
	step("too early", hour(0.9), 0, "app/amd64 10, zoo/amd64 10")
	step("in time", hour(1), 2, "app/amd64 40, zoo/amd64 40")
	checkRevision(t, db, jammy, 5) // one for both
	phaseAll(t, db, "zoo", hour(1.2), 0)
	checkRevision(t, db, jammy, 6)
	list("main: app 1 40% of 1 by kim at +1h0m0s, then 70%,100% every 1h, next at +2h0m0s", "main: zoo 1 0% of 1 by kim at +1h12m0s")
	step("after a jump of a year, one step", hour(9000), 1, "app/amd64 70, zoo/amd64 0")
	step("and not another one before the period", hour(9000.5), 0, "app/amd64 70, zoo/amd64 0")
	step("after a jump back, none", hour(2), 0, "app/amd64 70, zoo/amd64 0")
	step("and the next within a period", hour(3), 1, "app/amd64 100, zoo/amd64 0")
	step("and no more", hour(9000), 0, "app/amd64 100, zoo/amd64 0")
	list("main: zoo 1 0% of 1 by kim at +1h12m0s")
	phaseAll(t, db, "zoo", hour(9000), 0, 50)
	checkRevision(t, db, jammy, 8) // steps alone change nothing that clients see
	yankAll(t, db, selectorOf(deb(jammy, "zoo", "1")))
	list("main: zoo 1 100% of 0 by kim at +9000h0m0s, then 50% every 1h, next at +9001h0m0s")
	step("of what is withdrawn", hour(9001), 1, "app/amd64 100")
	checkRevision(t, db, jammy, 9)
}

// Pages of versions whose phase changed are made once clients see that.
func phasePages(t *testing.T, db *catalogdb.DB) {
	declare(t, db, jammy)
	pushAll(t, db, deb(jammy, "bye", "1"), deb(jammy, "hello", "1"))
	publish(t, db, jammy, 3, seconds(2))
	checkRequested(t, db, "of what came", seconds(3), "bye +2s", "hello +2s")
	phaseAll(t, db, "hello", seconds(4), 10)
	checkRequested(t, db, "not published yet", seconds(5))
	publish(t, db, jammy, 4, seconds(6))
	checkRequested(t, db, "published", seconds(7), "hello 1 +7s")
	checkRequested(t, db, "nothing more", seconds(8))
	for _, fragments := range []bool{false, true} {
		rows, err := db.PagePackages(t.Context(), tools, "hello", nil, fragments)
		if err != nil || len(rows) != 1 || rows[0].Phase == nil || *rows[0].Phase != 10 {
			t.Errorf("a page has %+v, %v", rows, err)
		}
	}
}

// A catalog that lost history takes phases over from what was published, and keeps what was asked for here since.
func phasesRecover(t *testing.T, db *catalogdb.DB) {
	importSettings(t, db, inBucket())
	with := func(k catalog.Package, percent int) catalog.Package {
		k.Stanza = catalog.WithPhase(k.Stanza, percent)
		return k
	}
	app, bye, zoo := deb(jammy, "app", "1"), deb(jammy, "bye", "1"), deb(jammy, "zoo", "1")
	recoverAll(t, db, jammy, with(app, 10), with(bye, 20), zoo)
	for _, s := range releases(t, db) {
		if err := db.AbandonRecovery(t.Context(), s.Release, start); err != nil { // the others were never published
			t.Fatal(err)
		}
	}
	checkPhases(t, db, "from nothing", "app/amd64 10, bye/amd64 20, zoo/amd64 100")
	if diff := cmp.Diff([]string{"main: app 1 10% of 1", "main: bye 1 20% of 1"}, phasesList(t, db, "acme/tools")); diff != "" {
		t.Errorf("phases (-want +got):\n%s", diff)
	}
	phaseAll(t, db, "app", seconds(1), 50, 90)
	publishLatest(t, db, seconds(2), jammy)
	pair := stateOf(t, db, jammy).Revision
	phaseAll(t, db, "bye", seconds(3), 0) // not published yet
	rebuild := func(fact string, rows ...catalog.Package) {
		t.Helper()
		if _, err := db.Rebuild(t.Context(), jammy, published(rows...), pair, seconds(9)); err != nil {
			t.Fatal(fact, err)
		}
	}
	rebuild("as published", with(app, 50), with(bye, 20), zoo)
	checkPhases(t, db, "a rebuild keeps what was asked for since", "app/amd64 50, bye/amd64 0, zoo/amd64 100")
	rebuild("other phases", with(app, 70), with(bye, 20), with(zoo, 5))
	checkPhases(t, db, "a rebuild takes over what was published", "app/amd64 70, bye/amd64 0, zoo/amd64 5")
	if got, err := db.AdvancePhases(t.Context(), after(2*time.Hour)); got != 1 || err != nil {
		t.Errorf("%d steps, %v", got, err)
	}
	checkPhases(t, db, "steps go on from there", "app/amd64 90, bye/amd64 0, zoo/amd64 5")
	publishLatest(t, db, seconds(10), jammy)
	theirs := catalog.Revision{Number: 40, Nonce: "0123456789abcdef"}
	if _, err := db.Recover(t.Context(), jammy, published(with(app, 95), with(bye, 60), zoo), theirs, seconds(11)); err != nil {
		t.Fatal(err)
	}
	checkPhases(t, db, "what another catalog published wins", "app/amd64 95, bye/amd64 60, zoo/amd64 100")
	pushAll(t, db, ofArch(app, "arm64"))
	checkPhases(t, db, "and is that of what comes later", "app/amd64 95, app/arm64 95, bye/amd64 60, zoo/amd64 100")
}

// Nothing changes if the decision refuses; RPM packages are selected so that it can.
func phasesRefused(t *testing.T, db *catalogdb.DB) {
	declare(t, db, jammy)
	declare(t, db, el9)
	pushAll(t, db, deb(jammy, "app", "1"), rpm(el9, "app", "1-1", "x86_64"))
	no := errors.New("no")
	_, err := db.PhaseSelected(t.Context(), selection(t, "acme/tools", []string{"app", "none"}), catalog.Phasing{Percent: 1}, start, func(f catalogdb.Phased) ([]catalogdb.PhasedPackage, error) {
		if len(f.All) != 2 || f.All[0].Package.Format != catalog.RPM || len(f.Unmatched) != 1 {
			t.Errorf("it selects %+v", f.All)
		}
		return f.All, no
	})
	if !errors.Is(err, no) {
		t.Error(err)
	}
	checkPhases(t, db, "refused", "app/amd64 100")
	_, err = db.Phases(t.Context(), catalog.PackageTarget{Repository: catalog.Repository{Owner: "acme", Name: "none"}})
	if !errors.Is(err, catalogdb.ErrNotFound) {
		t.Errorf("phases of an unknown repository: %v", err)
	}
}

// phaseWriting is what [writings] do with phases: an unknown outcome of the commit, and then a repeat, is one change.
func phaseWriting(ctx context.Context, db *catalogdb.DB, _ catalogdb.Stored) error {
	w := catalogdb.Selection{Target: catalog.PackageTarget{Repository: tools}, Patterns: []catalog.Pattern{{Name: "old"}}}
	done, err := db.PhaseSelected(ctx, w, catalog.Phasing{Percent: 10, Steps: []int{20, 100}, Every: time.Hour}, start,
		func(f catalogdb.Phased) ([]catalogdb.PhasedPackage, error) { return f.All, nil })
	if len(done.Packages) != 1 || done.Revisions[jammy] != 3 {
		err = errors.Join(err, fmt.Errorf("phased %+v", done))
	}
	return err
}

// goesWithFiles: the phase of a source stays until the files of its last package are removed, and what a package needs until its own are.
func goesWithFiles(t *testing.T, db *catalogdb.DB) {
	declare(t, db, jammy)
	lib, tool, other := built(deb(jammy, "lib", "1"), "hello (1)", ""), built(deb(jammy, "tool", "1"), "hello (1)", ""), deb(jammy, "zoo", "1")
	lib.Needs = []catalog.Need{{Name: "zoo", From: "1", Until: "1"}}
	other.Needs = []catalog.Need{{Name: "lib", From: "1", Until: "1"}}
	pushAll(t, db, lib, tool, other)
	phaseAll(t, db, "lib=1", seconds(5), 10)
	publish(t, db, jammy, stateOf(t, db, jammy).Revision.Number, seconds(6))
	for i, want := range []struct{ needs, phases int }{{1, 1}, {1, 0}} {
		k := []catalog.Package{lib, tool}[i]
		yankAll(t, db, selectorOf(k))
		if err := errors.Join(db.Removing(t.Context(), k), db.Removed(t.Context(), k)); err != nil {
			t.Fatal(err)
		}
		needs, err := db.CountRows(t.Context(), "exact_needs")
		phases, failed := db.CountRows(t.Context(), "phases")
		if err != nil || failed != nil || needs != want.needs || phases != want.phases {
			t.Errorf("without %s there are %d needs, %v, and %d phases, %v; want %v", k.Name, needs, err, phases, failed, want)
		}
	}
}
