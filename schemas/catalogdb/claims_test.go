package catalogdb_test

import (
	"bytes"
	"errors"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"repomill/schemas/catalog"
	"repomill/schemas/catalogdb"
)

func claimAgain(t *testing.T, db *catalogdb.DB) {
	declare(t, db, jammy)
	k := deb(jammy, "hello", "1.0")
	k.File.MD5 = "d41d8cd98f00b204e9800998ecf8427e"
	if _, err := db.Find(t.Context(), k); !errors.Is(err, catalogdb.ErrNotFound) {
		t.Errorf("before the claim: got %v, want ErrNotFound", err)
	}
	if _, claimed, err := db.Claim(t.Context(), k, catalog.Upload{}); err != nil || !claimed {
		t.Fatalf("the first claim: %v, %v", claimed, err)
	}
	want := k
	want.State, want.Stanza = catalog.Claimed, nil // rows are found without fragments
	holder, claimed, err := db.Claim(t.Context(), k, catalog.Upload{})
	if err != nil || claimed {
		t.Errorf("the second claim: %v, %v; want the holder", claimed, err)
	}
	if diff := cmp.Diff(want, holder); diff != "" {
		t.Errorf("holder (-want +got):\n%s", diff)
	}
	found, err := db.Find(t.Context(), k)
	if diff := cmp.Diff(want, found); diff != "" || err != nil {
		t.Errorf("found %v (-want +got):\n%s", err, diff)
	}
	checkRevision(t, db, jammy, 1) // a claim is in no index
	if got := names(t, db, jammy); len(got) != 0 {
		t.Errorf("a claim is shown: %q", got)
	}
}

func claimTaken(t *testing.T, db *catalogdb.DB) {
	declareComponent(t, db, jammy, "contrib")
	first := deb(jammy, "hello", "1.0")
	s := store(t, db, first, "1")
	others := map[string]catalog.Package{}
	for _, what := range []string{"other bytes", "other bytes in another component", "another spelling of the version"} {
		others[what] = deb(jammy, "hello", "1.0")
	}
	k := others["other bytes"]
	k.File = file("other")
	others["other bytes"] = k
	k.Component = "contrib"
	others["other bytes in another component"] = k
	k = others["another spelling of the version"]
	k.Version = "1.0-0" // dpkg holds it equal, so the canonical version is
	others["another spelling of the version"] = k
	for _, state := range []catalog.PackageState{catalog.Claimed, catalog.Active} {
		for what, k := range others {
			holder, claimed, err := db.Claim(t.Context(), k, catalog.Upload{})
			if err != nil || claimed || holder.State != state || holder.File != first.File || holder.Component != "main" || holder.Version != "1.0" {
				t.Errorf("%s: got %+v, %v, %v; want the %s row", what, holder, claimed, err, state)
			}
		}
		if state == catalog.Claimed {
			activate(t, db, s)
		}
	}
	if got := names(t, db, jammy); len(got) != 1 {
		t.Errorf("%s shows %q, want the first package alone", jammy, got)
	}
}

func claimBytes(t *testing.T, db *catalogdb.DB) {
	declare(t, db, jammy)
	declare(t, db, noble)
	lab := jammy
	lab.Repository = catalog.Repository{Owner: "acme", Name: "lab"}
	declare(t, db, lab)
	other := deb(jammy, "foo", "1.0")
	other.Arch = "arm64"
	var all []catalog.Package
	for _, k := range []catalog.Package{
		deb(jammy, "foo", "1.0"), deb(jammy, "Foo", "1.0"), deb(jammy, "FOO", "1.0"), // case
		deb(jammy, "foo ", "1.0"), deb(jammy, "foo\t", "1.0"), deb(jammy, " foo", "1.0"), // blanks
		deb(jammy, "fóo", "1.0"), deb(jammy, "fo\u0301o", "1.0"), deb(jammy, "ß", "1.0"), deb(jammy, "ss", "1.0"), // accents
		deb(jammy, "foo", "1.0 "), deb(jammy, "foo", "1.0a"), deb(jammy, "foo", "1.0A"), deb(jammy, "foo", "1"), deb(jammy, "foo", "1.00"), // versions
		other, deb(noble, "foo", "1.0"), deb(lab, "foo", "1.0"),
	} {
		k.File = file(fmt.Sprint(len(all)))
		if _, claimed, err := db.Claim(t.Context(), k, catalog.Upload{}); err != nil || !claimed {
			t.Errorf("%q %q %q in %s %s: claimed %v, %v", k.Name, k.Canonical, k.Arch, k.Repository, k.Distribution, claimed, err)
		}
		all = append(all, k)
	}
	for _, k := range all {
		if found, err := db.Find(t.Context(), k); err != nil || found.File != k.File {
			t.Errorf("%q %q: found %+v, %v", k.Name, k.Canonical, found, err)
		}
	}
}

func claimUndeclared(t *testing.T, db *catalogdb.DB) {
	for _, what := range []string{"repository", "distribution"} {
		_, claimed, err := db.Claim(t.Context(), deb(jammy, "hello", "1.0"), catalog.Upload{})
		if !errors.Is(err, catalogdb.ErrNotFound) || claimed {
			t.Errorf("without the %s: got %v, %v; want ErrNotFound", what, claimed, err)
		}
		declare(t, db, noble)
	}
}

func claimTooLarge(t *testing.T, db *catalogdb.DB) {
	declare(t, db, el9)
	large := noise(catalogdb.MaxFragment + 1)
	for name, set := range map[string]func(*catalog.Package){
		"stanza":    func(k *catalog.Package) { k.Stanza = large },
		"primary":   func(k *catalog.Package) { k.Primary = large },
		"filelists": func(k *catalog.Package) { k.Filelists = large },
		"other":     func(k *catalog.Package) { k.Other = large },
	} {
		k := rpm(el9, "hello", "1-1", "x86_64")
		set(&k)
		_, claimed, err := db.Claim(t.Context(), k, catalog.Upload{})
		var rej *catalog.Rejection
		if !errors.As(err, &rej) || rej.Reason != catalog.TooLarge || claimed {
			t.Errorf("%s: got %v, %v; want a rejection as %s", name, claimed, err, catalog.TooLarge)
		}
		if _, err := db.Find(t.Context(), k); !errors.Is(err, catalogdb.ErrNotFound) {
			t.Errorf("%s: the row was kept: %v", name, err)
		}
	}
	claim(t, db, rpm(el9, "hello", "1-1", "x86_64")) // the identity is still free
}

// A row of this size is what servers with default settings refuse: 16 MiB a packet in MariaDB.
func claimLargest(t *testing.T, db *catalogdb.DB) {
	if testing.Short() {
		t.Skip("48 MiB take a second")
	}
	declare(t, db, el9)
	k := rpm(el9, "hello", "1-1", "x86_64")
	large := noise(catalogdb.MaxFragment - 1024) // a zstd frame is a little larger than noise
	k.Stanza, k.Primary, k.Filelists, k.Other = large, large, large, large
	if err := push(t, db, k, "x86_64"); err != nil {
		t.Fatal(err)
	}
	s := snapshot(t, db, el9)
	defer s.Close()
	for got, err := range s.Packages(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		for i, f := range [][]byte{got.Stanza, got.Primary, got.Filelists, got.Other} {
			if !bytes.Equal(f, large) {
				t.Errorf("fragment %d: got %d bytes, want %d", i, len(f), len(large))
			}
		}
	}
}
