package publish_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"repomill/publish"
	"repomill/schemas/catalog"
	"repomill/schemas/catalogdb"
	"repomill/schemas/layout"
	"repomill/testdata/rpmtest"
)

// The same bytes in two components are two packages, each with a file of its own, and go one by one.
func TestComponentsShareBytes(t *testing.T) {
	skipUnderRace(t)
	simulate(t, func(t *testing.T, w *world) {
		w.declare(jammy, "testing")
		inTesting, inMain := w.deb(jammy, "testing", specOf("hello", "amd64")), w.deb(jammy, "main", specOf("hello", "amd64"))
		all := w.deb(jammy, "testing", specOf("everywhere", "all"))
		w.push(inTesting, all)
		w.publish(jammy)
		w.push(inMain)
		w.publish(jammy) // follows the kept segments
		if got := w.check(jammy); got.Packages != 3 {
			t.Errorf("%d packages, want 3", got.Packages)
		}
		same := func(fact string, n int) {
			t.Helper()
			got, err := w.published(jammy)
			if diff := cmp.Diff(w.rows(jammy), got, cmpopts.IgnoreFields(catalog.Package{}, "Uploaded")); diff != "" || err != nil || len(got) != n {
				t.Errorf("%s: %d rows, %v (-catalog +published):\n%s", fact, len(got), err, diff)
			}
		}
		same("in both", 3)
		for _, u := range []upload{inTesting, inMain} {
			if !w.has(u.row.Key) {
				t.Errorf("there is no %s", u.row.Key)
			}
		}
		if res, err := w.publisher().Reindex(t.Context(), jammy, publish.Reindexing{}); err != nil || res.Different {
			t.Errorf("a reindex of everything finds %+v, %v", res, err)
		}

		which := catalogdb.PackageSelector{Repository: jammy.Repository, Distribution: jammy.Distribution, Name: "hello", Version: inMain.row.Version, Component: "testing"}
		if _, err := w.db.Yank(t.Context(), which, catalog.Yank{Reason: "moved", By: "jo"}, w.bucket.Now()); err != nil {
			t.Fatal(err)
		}
		w.publish(jammy)
		same("withdrawn from testing", 3)
		time.Sleep(8 * day)
		if n := w.removeYanked(); n != 1 || w.has(inTesting.row.Key) || !w.has(inMain.row.Key) {
			t.Errorf("%d removed; testing's is there: %v, main's: %v", n, w.has(inTesting.row.Key), w.has(inMain.row.Key))
		}
		w.restore(empty(t))
		w.reopen()
		w.publish(jammy)
		w.publish(jammy)
		if got := w.check(jammy); got.Packages != 2 {
			t.Errorf("an empty catalog publishes %d packages, want 2", got.Packages)
		}
	})
}

// A package for 32-bit x86 is in the directory of x86_64 and, once there is one, in that of i386.
func TestMultilib(t *testing.T) {
	skipUnderRace(t)
	simulate(t, func(t *testing.T, w *world) {
		multilib := func(name string) upload {
			u := w.rpm(el9, rpmtest.Spec{Name: name, Arch: "i686"})
			u.row.Multilib = true
			u.row.Key = layout.RPMKey(u.row, "x86_64")
			return u
		}
		i386 := in(el9, "i386")
		one := multilib("one")
		w.push(one)
		w.publish(el9)
		w.declare(el9, "", "i386")
		w.publish(i386) // gets its copy
		two := multilib("two")
		w.push(two)
		w.publish(el9)
		w.publish(i386)
		for _, r := range []catalog.Release{el9, i386} {
			if got := w.check(r); got.Packages != 2 {
				t.Errorf("%s has %d packages, want 2", r, got.Packages)
			}
			if !w.has(layout.RPMKey(one.row, r.Arch)) {
				t.Errorf("%s has no file of one", r)
			}
		}
		w.yank(one)
		w.publish(el9)
		w.publish(i386)
		w.restore(empty(t))
		w.reopen()
		for range 2 {
			w.publish(i386)
			w.publish(el9)
		}
		for _, r := range []catalog.Release{el9, i386} {
			if got := w.check(r); got.Packages != 1 {
				t.Errorf("%s has %d packages after a recovery, want 1", r, got.Packages)
			}
		}
		time.Sleep(9 * day)
		if n := w.removeYanked(); n != 1 {
			t.Errorf("%d packages were removed, want 1", n)
		}
		for _, key := range w.bucket.Keys() {
			if strings.Contains(key, "/one-") {
				t.Errorf("%s is there still", key)
			}
		}
	})
}

// A removed directory stays as it was. When it is declared again, it gets the packages of the time in between.
func TestDirectoryComesAgain(t *testing.T) {
	skipUnderRace(t)
	simulate(t, func(t *testing.T, w *world) {
		i386 := in(el9, "i386")
		w.declare(el9, "", "i386")
		noarch := func(name string) upload { return w.rpm(el9, rpmtest.Spec{Name: name, Arch: "noarch"}) }
		one, two := noarch("one"), noarch("two")
		w.push(one, two)
		w.publish(i386)
		distro, _ := layout.DefaultTable().Lookup(el9.Distribution)
		if removed, err := w.db.RemoveArch(t.Context(), el9.Repository, distro, "i386", w.bucket.Now()); err != nil || !removed {
			t.Fatal(removed, err)
		}
		three := noarch("three")
		w.push(three)
		w.yank(two)
		if w.has(layout.RPMKey(three.row, "i386")) {
			t.Error("a directory that was taken out got a package")
		}
		if got, problems := w.read(i386); got.Packages != 2 || len(problems) > 0 {
			t.Errorf("it has %d packages, want the 2 that it had; %v", got.Packages, problems)
		}
		w.declare(el9, "", "i386")
		w.publish(i386)
		if got := w.check(i386); got.Packages != 2 || !w.has(layout.RPMKey(three.row, "i386")) {
			t.Errorf("it has %d packages, want one and three", got.Packages)
		}
		checkPackageState(w, two, catalog.Yanked)
		if n := w.log.alarms(); n != 0 {
			t.Errorf("%d alarms, though nothing was lost", n)
		}
	})
}

func checkPackageState(w *world, u upload, want catalog.PackageState) {
	w.t.Helper()
	if k, err := w.db.Find(w.t.Context(), u.row); err != nil || k.State != want {
		w.t.Errorf("%s is %s, %v; want %s", u.row.Name, k.State, err, want)
	}
}
