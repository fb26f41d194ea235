package catalogdb_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"repomill/schemas/catalog"
	"repomill/schemas/catalogdb"
	"repomill/schemas/layout"
)

// pagePackages returns "os/version/component name version arch state: release+since ..." of the packages that pages have of a name.
func pagePackages(t *testing.T, db *catalogdb.DB, name string, versions ...string) (all []string) {
	t.Helper()
	found, err := db.PagePackages(t.Context(), tools, name, versions, false)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range found {
		if (p.State == catalog.Yanked) != (p.Yank != nil) || p.Stanza != nil || p.Primary != nil || p.Contents != nil {
			t.Errorf("read %+v", p)
		}
		line := fmt.Sprintf("%s/%s/%s %s %s %s %s:", p.Distribution.OS, p.Distribution.Version, p.Component, p.Name, p.Version, p.Arch, p.State)
		for _, in := range p.In {
			line += " " + in.Release.Arch
			if in.Since != nil {
				line += fmt.Sprintf("+%ds", int(in.Since.Sub(start).Seconds()))
			}
		}
		all = append(all, line)
	}
	return all
}

func checkPages(t *testing.T, db *catalogdb.DB, fact, name string, want ...string) {
	t.Helper()
	if diff := cmp.Diff(want, pagePackages(t, db, name)); diff != "" {
		t.Errorf("%s (-want +got):\n%s", fact, diff)
	}
}

func pagesShow(t *testing.T, db *catalogdb.DB) {
	declare(t, db, jammy)
	declare(t, db, noble)
	hello := deb(jammy, "hello", "1:1")
	arm := hello
	arm.Arch = "arm64"
	arm.File = file("arm")
	arm.Key = layout.PoolKey(arm)
	claim(t, db, deb(jammy, "hello", "9"))
	pushAll(t, db, arm, hello, deb(noble, "hello", "1:1"), deb(jammy, "hello", "2"))
	checkPages(t, db, "before anything is published", "hello")
	publish(t, db, jammy, 3, seconds(1))
	publish(t, db, noble, 2, seconds(2))
	checkPages(t, db, "what is published, in order", "hello",
		"ubuntu/jammy/main hello 1:1 amd64 active: +1s", "ubuntu/jammy/main hello 1:1 arm64 active: +1s", "ubuntu/noble/main hello 1:1 amd64 active: +2s")
	yankAll(t, db, selectorOf(hello))
	publish(t, db, jammy, 4, seconds(3))
	both := []string{"ubuntu/jammy/main hello 1:1 amd64 active: +1s", "ubuntu/jammy/main hello 2 amd64 active: +3s",
		"ubuntu/jammy/main hello 1:1 arm64 active: +1s", "ubuntu/noble/main hello 1:1 amd64 active: +2s"}
	checkPages(t, db, "a withdrawal that clients do not see", "hello", both...)
	publish(t, db, jammy, 5, seconds(4))
	both[0] = "ubuntu/jammy/main hello 1:1 amd64 yanked: +4s"
	checkPages(t, db, "one that they see", "hello", both...)
	if diff := cmp.Diff(both[1:2], pagePackages(t, db, "hello", "2", "7")); diff != "" {
		t.Errorf("of some versions (-want +got):\n%s", diff)
	}
	if err := db.Removing(t.Context(), hello); err != nil {
		t.Fatal(err)
	}
	checkPages(t, db, "a file that is about to be deleted", "hello", both...)
	if err := db.Removed(t.Context(), hello); err != nil {
		t.Fatal(err)
	}
	checkPages(t, db, "a file that is deleted", "hello", both[1:]...)

	unseen := deb(jammy, "unseen", "1")
	pushAll(t, db, unseen)
	yankAll(t, db, selectorOf(unseen))
	publishLatest(t, db, seconds(5), jammy)
	checkPages(t, db, "what went before it was seen", "unseen")
	checkPages(t, db, "an unknown name", "hell")
}

func pagesShowRPM(t *testing.T, db *catalogdb.DB) {
	declare(t, db, el9)
	arm, sources, i386 := in(el9, "aarch64"), in(el9, "SRPMS"), in(el9, "i386")
	any, old := rpm(el9, "any", "1-1", "noarch"), rpm(el9, "old", "1-1", "noarch")
	pushAll(t, db, any, old, rpm(el9, "src", "1-1", "src"))
	publishLatest(t, db, seconds(1), el9)
	checkPages(t, db, "where it is published", "any", "el/9/ any 1-1 noarch active: x86_64+1s")
	publishLatest(t, db, seconds(2), arm, sources)
	checkPages(t, db, "of all architectures", "any", "el/9/ any 1-1 noarch active: aarch64+2s x86_64+1s")
	checkPages(t, db, "a source package", "src", "el/9/ src 1-1 src active: SRPMS+2s")
	yankAll(t, db, selectorOf(any))
	publishLatest(t, db, seconds(3), arm)
	checkPages(t, db, "withdrawn from one release", "any", "el/9/ any 1-1 noarch yanked: aarch64+3s x86_64+1s")
	declare(t, db, el9, "i386")
	publishLatest(t, db, seconds(4), i386)
	checkPages(t, db, "a release that never had what was withdrawn", "any", "el/9/ any 1-1 noarch yanked: aarch64+3s x86_64+1s")
	checkPages(t, db, "it shows what was there", "old", "el/9/ old 1-1 noarch active: aarch64+2s i386+4s x86_64+1s")
	if err := push(t, db, bothX86("both"), "i386", "x86_64"); err != nil {
		t.Fatal(err)
	}
	publishLatest(t, db, seconds(5), el9, i386)
	checkPages(t, db, "of both x86 directories", "both", "el/9/ both 1-1 i686 active: i386+5s x86_64+5s")
	removeArch(t, db, el9, "i386", true)
	checkPages(t, db, "a release that is retired", "old", "el/9/ old 1-1 noarch active: aarch64+2s x86_64+1s")
	recoverAll(t, db, arm, rpm(el9, "lost", "1-1", "aarch64"))
	checkPages(t, db, "clients see what was imported; since when, is not known", "lost", "el/9/ lost 1-1 aarch64 active: aarch64")
}

func pageVersions(t *testing.T, db *catalogdb.DB) {
	declare(t, db, jammy)
	declare(t, db, noble)
	at := func(k catalog.Package, n int) catalog.Package {
		k.Uploaded = seconds(n)
		return k
	}
	arm := deb(noble, "hello", "2")
	arm.Arch = "arm64"
	pushAll(t, db, at(deb(jammy, "hello", "2"), 5), at(deb(noble, "hello", "2"), 3), at(arm, 9), at(deb(jammy, "hello", "10"), 1),
		at(deb(jammy, "hello", "1b"), 4), at(deb(jammy, "hello", "1a"), 4), at(deb(noble, "hello", "gone"), 2), at(deb(jammy, "other", "3"), 1))
	yankAll(t, db, selectorOf(deb(noble, "hello", "gone")))
	publishLatest(t, db, seconds(10), jammy, noble)
	pushAll(t, db, at(deb(jammy, "hello", "hidden"), 1))
	got, err := db.PageVersions(t.Context(), tools, "hello")
	want := []catalogdb.PageVersion{{"10", seconds(1)}, {"2", seconds(3)}, {"1a", seconds(4)}, {"1b", seconds(4)}}
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
}

func pageFragments(t *testing.T, db *catalogdb.DB) {
	declare(t, db, jammy)
	declare(t, db, el9)
	one, hidden := rpm(el9, "hello", "1-1", "noarch"), rpm(el9, "hello", "1-1", "aarch64")
	one.Filelists, one.Primary = []byte("<files/>"), noise(1<<20)
	x86 := rpm(el9, "hello", "1-1", "x86_64")
	x86.Filelists = []byte("<other files/>")
	pushAll(t, db, deb(jammy, "hello", "1-1"), one, x86, hidden)
	publishLatest(t, db, seconds(1), jammy, el9)
	got, err := db.PagePackages(t.Context(), tools, "hello", []string{"1-1"}, true)
	if err != nil || len(got) != 3 {
		t.Fatalf("read %d packages, %v", len(got), err)
	}
	for i, want := range []catalog.Package{one, x86, deb(jammy, "hello", "1-1")} {
		if p := got[i]; p.Arch != want.Arch || string(p.Primary) != string(want.Primary) || string(p.Other) != string(want.Other) || string(p.Stanza) != string(want.Stanza) || p.Filelists != nil {
			t.Errorf("package %d is %s with %d, %d, %d and %d bytes", i, p.Arch, len(p.Stanza), len(p.Primary), len(p.Filelists), len(p.Other))
		}
	}
	var files []string
	for _, k := range got[:2] {
		list, err := db.PageFilelists(t.Context(), k)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, k.Arch+" "+string(list))
	}
	if diff := cmp.Diff([]string{"noarch <files/>", "x86_64 <other files/>"}, files); diff != "" {
		t.Errorf("lists of files (-want +got):\n%s", diff)
	}
	replaced := got[0]
	replaced.File.SHA256 = strings.Repeat("0", 64)
	if list, err := db.PageFilelists(t.Context(), replaced); !errors.Is(err, catalogdb.ErrNotFound) {
		t.Errorf("of a row that has another file by now: %q, %v", list, err)
	}
}
