package catalogdb_test

import (
	"errors"
	"fmt"
	"path"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"repomill/schemas/catalog"
	"repomill/schemas/catalogdb"
)

// listed returns the file names that a query selects, those that clients do not see yet with a star, and the total.
func listed(t *testing.T, db *catalogdb.DB, q catalog.PackageQuery) string {
	t.Helper()
	page, err := db.ListPackages(t.Context(), q)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, k := range page.Packages {
		name := k.Distribution.Version + "/" + path.Base(k.Key)
		if !k.Visible {
			name += "*"
		}
		names = append(names, name)
	}
	return fmt.Sprintf("%s of %d", strings.Join(names, " "), page.Total)
}

// listing fills a repository with packages of three releases; those of jammy alone are published.
func listing(t *testing.T, db *catalogdb.DB) {
	for _, r := range []catalog.Release{jammy, noble, el9} {
		declare(t, db, r)
	}
	other := catalog.Release{Repository: catalog.Repository{Owner: "acme", Name: "other"}, Distribution: jammy.Distribution}
	declare(t, db, other)
	pushAll(t, db, deb(jammy, "hello", "1"), deb(jammy, "hello", "2"), deb(jammy, "World", "1"), deb(noble, "hello", "1"), deb(noble, "epoch", "1:3"), rpm(el9, "a_b", "1", "noarch"), deb(other, "hello", "1"))
	gone := deb(jammy, "gone", "1")
	pushAll(t, db, gone)
	yankAll(t, db, selectorOf(gone))
	publish(t, db, jammy, 5, start) // three packages, one more, and its withdrawal

	for _, tt := range []struct {
		fact string
		q    catalog.PackageQuery
		want string
	}{
		{"all", catalog.PackageQuery{Limit: 9}, "9/a_b-1.noarch.rpm* jammy/World_1_amd64.deb jammy/hello_1_amd64.deb jammy/hello_2_amd64.deb noble/epoch_3_amd64.deb* noble/hello_1_amd64.deb* of 6"},
		{"a page within a distribution", catalog.PackageQuery{Limit: 2, Offset: 1}, "jammy/World_1_amd64.deb jammy/hello_1_amd64.deb of 6"},
		{"a page over the end of a distribution", catalog.PackageQuery{Limit: 2, Offset: 3}, "jammy/hello_2_amd64.deb noble/epoch_3_amd64.deb* of 6"},
		{"behind the last page", catalog.PackageQuery{Limit: 2, Offset: 7}, " of 6"},
		{"a format", catalog.PackageQuery{Limit: 9, Format: catalog.RPM}, "9/a_b-1.noarch.rpm* of 1"},
		{"an operating system", catalog.PackageQuery{Limit: 1, OS: "ubuntu"}, "jammy/World_1_amd64.deb of 5"},
		{"a distribution", catalog.PackageQuery{Limit: 9, OS: "ubuntu", OSVersion: "noble"}, "noble/epoch_3_amd64.deb* noble/hello_1_amd64.deb* of 2"},
		{"a name", catalog.PackageQuery{Limit: 9, Name: "hello", OSVersion: "jammy"}, "jammy/hello_1_amd64.deb jammy/hello_2_amd64.deb of 2"},
		{"a version", catalog.PackageQuery{Limit: 9, OSVersion: "jammy", Version: "2"}, "jammy/hello_2_amd64.deb of 1"},
		{"a version without its epoch", catalog.PackageQuery{Limit: 9, Version: "3"}, "noble/epoch_3_amd64.deb* of 1"},
		{"an architecture", catalog.PackageQuery{Limit: 9, Arch: "noarch"}, "9/a_b-1.noarch.rpm* of 1"},
		{"a part of a file name", catalog.PackageQuery{Limit: 9, File: "LO_2"}, "jammy/hello_2_amd64.deb of 1"},
		{"a part of a file name with capitals", catalog.PackageQuery{Limit: 9, File: "world"}, "jammy/World_1_amd64.deb of 1"},
		{"no part of a folder's name", catalog.PackageQuery{Limit: 9, File: "jammy"}, " of 0"},
		{"an underscore is one", catalog.PackageQuery{Limit: 9, File: "a_b"}, "9/a_b-1.noarch.rpm* of 1"},
		{"letters that patterns use", catalog.PackageQuery{Limit: 9, File: "%!"}, " of 0"},
		{"withdrawn packages are not listed", catalog.PackageQuery{Limit: 9, Name: "gone"}, " of 0"},
	} {
		t.Run(tt.fact, func(t *testing.T) {
			tt.q.Repository = tools
			if got := listed(t, db, tt.q); got != tt.want {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
		})
	}
	t.Run("activity", func(t *testing.T) {
		a, err := db.Activity(t.Context(), tools)
		if err != nil || a.Packages != 6 || !a.Created.Equal(start) || a.Published == nil || !a.Published.Equal(start) {
			t.Errorf("got %+v, %v; want 6 packages, created and published at %s", a, err, start)
		}
		if _, err := db.Activity(t.Context(), catalog.Repository{Owner: "no", Name: "one"}); !errors.Is(err, catalogdb.ErrNotFound) {
			t.Errorf("of a repository that does not exist: got %v, want ErrNotFound", err)
		}
	})
	t.Run("activity of all repositories", func(t *testing.T) {
		unused := catalog.Repository{Owner: "acme", Name: "unused"}
		if err := db.CreateRepository(t.Context(), catalog.Settings{Repository: unused}, start.Add(time.Hour)); err != nil {
			t.Fatal(err)
		}
		got, err := db.Activities(t.Context())
		want := map[catalog.Repository]catalog.Activity{
			tools: {Created: start, Packages: 6, Published: &start}, unused: {Created: start.Add(time.Hour)},
			{Owner: "acme", Name: "other"}: {Created: start, Packages: 1},
		}
		if diff := cmp.Diff(want, got); err != nil || diff != "" {
			t.Errorf("got %v (-want +got):\n%s", err, diff)
		}
	})
	t.Run("groups of versions", func(t *testing.T) {
		groups, total, err := db.GroupPackages(t.Context(), catalog.PackageQuery{Repository: tools, OS: "ubuntu", Limit: 2, Offset: 1})
		if err != nil {
			t.Fatal(err)
		}
		if got, want := fmt.Sprint(groups, total), "[{ubuntu/jammy deb hello amd64 2} {ubuntu/noble deb epoch amd64 1}] 4"; got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	})
	t.Run("a repository that does not exist is empty", func(t *testing.T) {
		if got := listed(t, db, catalog.PackageQuery{Repository: catalog.Repository{Owner: "no", Name: "one"}, Limit: 9}); got != " of 0" {
			t.Error(got)
		}
	})
}

func packageByFile(t *testing.T, db *catalogdb.DB) {
	declare(t, db, jammy)
	hello := deb(jammy, "hello", "1")
	pushAll(t, db, hello, deb(jammy, "hello", "2"))
	for _, tt := range []struct{ file, want string }{
		{"hello_1_amd64.deb", "Package: hello\nVersion: 1\n"}, {"ello_1_amd64.deb", ""}, {"Hello_1_amd64.deb", ""}, {"%", ""},
	} {
		k, err := db.PackageFile(t.Context(), tools, jammy.Distribution, tt.file)
		if tt.want == "" && !errors.Is(err, catalogdb.ErrNotFound) {
			t.Errorf("%s: got %v, %v; want ErrNotFound", tt.file, k, err)
		}
		if tt.want != "" && (err != nil || string(k.Stanza) != tt.want) {
			t.Errorf("%s: got %q, %v", tt.file, k.Stanza, err)
		}
	}
	yankAll(t, db, selectorOf(hello))
	if k, err := db.PackageFile(t.Context(), tools, jammy.Distribution, "hello_1_amd64.deb"); !errors.Is(err, catalogdb.ErrNotFound) {
		t.Errorf("a withdrawn package: got %v, %v; want ErrNotFound", k, err)
	}
}
