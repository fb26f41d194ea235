package catalogdb_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"repomill/schemas/catalog"
	"repomill/schemas/catalogdb"
)

// appearancesOf returns "release arch state [published]" of each appearance.
func appearancesOf(t *testing.T, db *catalogdb.DB, w catalogdb.PackageSelector) string {
	t.Helper()
	all, err := db.Appearances(t.Context(), w)
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for _, a := range all {
		line := fmt.Sprintf("%s %s %s", strings.TrimPrefix(a.Release.String(), "acme/tools/"), a.Package.Arch, a.Package.State)
		if a.Published {
			line += " published"
		}
		lines = append(lines, line)
	}
	return strings.Join(lines, ", ")
}

func appearances(t *testing.T, db *catalogdb.DB) {
	declare(t, db, jammy)
	k := deb(jammy, "hello", "1")
	check := func(want string) {
		t.Helper()
		if got := appearancesOf(t, db, selectorOf(k)); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	if _, err := db.Appearances(t.Context(), selectorOf(k)); !errors.Is(err, catalogdb.ErrNotFound) {
		t.Errorf("of nothing: got %v, want ErrNotFound", err)
	}
	pushAll(t, db, k)
	publish(t, db, jammy, 1, start)
	check("ubuntu/jammy amd64 active")
	publish(t, db, jammy, 2, start)
	check("ubuntu/jammy amd64 active published")
	yankAll(t, db, selectorOf(k))
	check("ubuntu/jammy amd64 yanked")
	publish(t, db, jammy, 3, start)
	check("ubuntu/jammy amd64 yanked published")

	late := deb(jammy, "late", "1")
	pushAll(t, db, late)
	yankAll(t, db, selectorOf(late)) // before it is published; the publish of revision 4 may be on its way
	if got := appearancesOf(t, db, selectorOf(late)); got != "ubuntu/jammy amd64 yanked" {
		t.Errorf("withdrawn on its way: %s", got)
	}

	declare(t, db, el9)
	noarch := rpm(el9, "hello", "1-1", "noarch")
	pushAll(t, db, noarch)
	publish(t, db, in(el9, "aarch64"), 2, start)
	if got, want := appearancesOf(t, db, selectorOf(noarch)), "el/9/aarch64 noarch active published, el/9/x86_64 noarch active"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// placementsOf returns the placements of a package in short: "os/version/arch: version state since", with
// "hidden" for what clients do not see.
func placementsOf(t *testing.T, db *catalogdb.DB, name, version string) (all []string) {
	t.Helper()
	l, err := db.Locate(t.Context(), tools, catalog.Pattern{Name: name, Version: version})
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range l.Releases {
		release := strings.TrimPrefix(r.Release.String(), "acme/tools/") + ":"
		n := len(all)
		for _, p := range l.Placements {
			if p.Release != r.Release {
				continue
			}
			s := release + fmt.Sprintf(" %s %s %s", p.Package.Version, p.Package.Arch, p.Package.State)
			if !p.Visible {
				s += " hidden"
			}
			if p.Visible && p.Since != nil && p.Package.State == catalog.Active {
				s += " since " + p.Since.Format("15:04:05")
			}
			all = append(all, s)
		}
		if len(all) == n {
			all = append(all, release)
		}
	}
	return all
}

func checkPlaced(t *testing.T, db *catalogdb.DB, fact, version string, want ...string) {
	t.Helper()
	if diff := cmp.Diff(want, placementsOf(t, db, "hello", version)); diff != "" {
		t.Errorf("%s (-want +got):\n%s", fact, diff)
	}
}

func placements(t *testing.T, db *catalogdb.DB) {
	declare(t, db, jammy)
	declare(t, db, noble)
	checkPlaced(t, db, "nowhere", "", "ubuntu/jammy:", "ubuntu/noble:")
	one, two := deb(jammy, "hello", "1"), deb(jammy, "hello", "2")
	first := store(t, db, one, "1")
	checkPlaced(t, db, "on its way", "", "ubuntu/jammy: 1 amd64 claimed hidden", "ubuntu/noble:")
	activate(t, db, first)
	publish(t, db, jammy, 1, start)
	checkPlaced(t, db, "in no index yet", "", "ubuntu/jammy: 1 amd64 active hidden", "ubuntu/noble:")
	publish(t, db, jammy, 2, after(time.Second))
	pushAll(t, db, two, deb(jammy, "hell", "1"))
	publish(t, db, jammy, 4, after(2*time.Second))
	checkPlaced(t, db, "out, each since its own revision", "",
		"ubuntu/jammy: 1 amd64 active since 12:00:01", "ubuntu/jammy: 2 amd64 active since 12:00:02", "ubuntu/noble:")
	checkPlaced(t, db, "one version", "2", "ubuntu/jammy: 2 amd64 active since 12:00:02", "ubuntu/noble:")
	checkPlaced(t, db, "no such version", "3", "ubuntu/jammy:", "ubuntu/noble:")

	yankAll(t, db, selectorOf(one))
	checkPlaced(t, db, "withdrawn, and still in the index", "1", "ubuntu/jammy: 1 amd64 yanked", "ubuntu/noble:")
	publish(t, db, jammy, 5, after(3*time.Second))
	checkPlaced(t, db, "withdrawn", "1", "ubuntu/jammy: 1 amd64 yanked hidden", "ubuntu/noble:")
	if _, err := db.Unyank(t.Context(), selectorOf(one), start); err != nil {
		t.Fatal(err)
	}
	checkPlaced(t, db, "back, and in no index yet", "1", "ubuntu/jammy: 1 amd64 active hidden", "ubuntu/noble:")
	publish(t, db, jammy, 6, after(4*time.Second))
	checkPlaced(t, db, "back", "1", "ubuntu/jammy: 1 amd64 active since 12:00:04", "ubuntu/noble:")

	three := deb(jammy, "hello", "3")
	pushAll(t, db, three)
	yankAll(t, db, selectorOf(three))
	checkPlaced(t, db, "withdrawn before it came", "3", "ubuntu/jammy: 3 amd64 yanked hidden", "ubuntu/noble:")
}

func placementsRPM(t *testing.T, db *catalogdb.DB) {
	declare(t, db, el9)
	pushAll(t, db, rpm(el9, "hello", "1-1", "noarch"), rpm(el9, "hello", "1-1", "x86_64"))
	publish(t, db, el9, 3, after(time.Second))
	declare(t, db, el9, "i386")
	publish(t, db, in(el9, "i386"), 1, after(2*time.Second))
	checkPlaced(t, db, "noarch belongs to every directory, also to later ones", "",
		"el/9/SRPMS:", "el/9/aarch64: 1-1 noarch active hidden", "el/9/i386: 1-1 noarch active since 12:00:02",
		"el/9/x86_64: 1-1 noarch active since 12:00:01", "el/9/x86_64: 1-1 x86_64 active since 12:00:01")
}

// What was published before the catalog was lost is visible, since no one knows when.
func placementsRecovered(t *testing.T, db *catalogdb.DB) {
	declare(t, db, jammy)
	recoverAll(t, db, jammy, deb(jammy, "hello", "1"), withdrawn(deb(jammy, "hello", "2")))
	checkPlaced(t, db, "recovered", "", "ubuntu/jammy: 1 amd64 active", "ubuntu/jammy: 2 amd64 yanked hidden")
	publish(t, db, jammy, 1000+foreign.Number, start)
	checkPlaced(t, db, "published again", "", "ubuntu/jammy: 1 amd64 active", "ubuntu/jammy: 2 amd64 yanked hidden")
	if _, err := db.Locate(t.Context(), lab, catalog.Pattern{Name: "hello"}); !errors.Is(err, catalogdb.ErrNotFound) {
		t.Errorf("got %v for an unknown repository", err)
	}
	want := deb(jammy, "hello", "1")
	want.State, want.Stanza = catalog.Active, nil
	l, err := db.Locate(t.Context(), tools, catalog.Pattern{Name: "hello", Version: "1"})
	if err != nil || len(l.Placements) != 1 || !cmp.Equal(l.Placements[0].Package, want) {
		t.Errorf("got %+v, %v", l.Placements, err)
	}
}
