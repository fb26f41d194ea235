package main

import (
	"testing"
	"time"

	"repomill/schemas/catalog"
	"repomill/schemas/catalogdb"
	"repomill/schemas/layout"
)

// A job takes the promotions that were asked for along with what is staged. One that an earlier run left is suspect.
func TestJobsTakePromotions(t *testing.T) {
	d, _ := newDrain(t, 100)
	db, now := d.resources.Catalog, time.Now()
	k := catalog.Package{
		Repository: catalog.Repository{Owner: "acme", Name: "tools"}, Distribution: catalog.Distribution{OS: "ubuntu", Version: "jammy"}, Component: "main",
		Format: catalog.DEB, Name: "hello", Version: "1", Canonical: "1", Arch: "amd64", SortKey: []byte("hello"), File: catalog.File{Size: 1, SHA256: "ab"}, Uploaded: now,
	}
	k.Key = layout.PoolKey(k)
	distro, rej := layout.DefaultTable().Lookup(k.Distribution)
	if rej != nil {
		t.Fatal(rej)
	}
	if _, err := db.Declare(t.Context(), catalogdb.Declaration{Repository: k.Repository, Distro: distro}, now); err != nil {
		t.Fatal(err)
	}
	u := catalog.Upload{Bucket: "elsewhere", Object: "acme/tools/ubuntu/jammy/hello.deb", Generation: "1"}
	token, _, err := db.Take(t.Context(), u, catalogdb.Lease{Owner: "test", For: time.Minute}, now)
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := db.Claim(t.Context(), k, u); err != nil {
		t.Fatal(err)
	}
	if err := db.Activate(t.Context(), []catalogdb.Stored{{Upload: u, Token: token, Package: k}}, now); err != nil {
		t.Fatal(err)
	}
	to := k.Place()
	to.Component = "extra"
	asked, err := db.Promote(t.Context(), []catalogdb.Wish{{Source: k, To: to}}, now)
	if err != nil {
		t.Fatal(err)
	}
	if fresh, suspect, err := d.staged(t.Context(), waitsForNone); err != nil || len(fresh) != 1 || fresh[0] != asked[0] || len(suspect) > 0 {
		t.Errorf("asked for: fresh %v, suspect %v, %v", fresh, suspect, err)
	}
	if _, _, err := db.Take(t.Context(), asked[0], catalogdb.Lease{Owner: "dead"}, now.Add(-time.Hour)); err != nil {
		t.Fatal(err)
	}
	if fresh, suspect, err := d.staged(t.Context(), waitsForNone); err != nil || len(fresh) > 0 || len(suspect) != 1 || suspect[0] != asked[0] {
		t.Errorf("left by an earlier run: fresh %v, suspect %v, %v", fresh, suspect, err)
	}
}
