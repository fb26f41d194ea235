package catalogdb_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"repomill/schemas/catalog"
	"repomill/schemas/catalogdb"
)

// locate returns what a pattern selects in the repository, as "place name version arch state came-went [removed]", and what there
// is of its names besides, as "other place name arch: newest of how many".
func locate(t *testing.T, db *catalogdb.DB, pattern string) (all []string) {
	t.Helper()
	p, err := catalog.ParsePattern(pattern)
	if err != nil {
		t.Fatal(err)
	}
	l, err := db.Locate(t.Context(), tools, p)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range l.Placements {
		k := p.Package
		line := fmt.Sprintf("%s %s %s %s %s %d-%d", k.Place(), k.Name, k.Version, k.Arch, k.State, p.Came, p.Went)
		if p.Since != nil {
			line += fmt.Sprintf(" since %d", int(p.Since.Sub(start).Seconds()))
		}
		if p.Till != nil {
			line += fmt.Sprintf(" till %d", int(p.Till.Sub(start).Seconds()))
		}
		if p.Removed {
			line += " removed"
		}
		all = append(all, line)
	}
	for _, o := range l.Others {
		all = append(all, fmt.Sprintf("other %s %s %s: %s of %d", o.Place, o.Name, o.Arch, o.Newest, o.Active))
	}
	return all
}

// What a pattern selects is found in each place, and so are its names without it.
func locates(t *testing.T, db *catalogdb.DB) {
	declare(t, db, jammy)
	declare(t, db, noble)
	one, two, old := deb(jammy, "hello", "1"), deb(jammy, "hello", "2"), deb(noble, "hello", "1")
	pushAll(t, db, one, two, old, deb(noble, "hello", "1.5"), deb(noble, "hellx", "2"), deb(noble, "help", "2"), deb(noble, "other", "2"))
	publishLatest(t, db, seconds(1), jammy, noble)
	check := func(pattern string, want ...string) {
		t.Helper()
		if diff := cmp.Diff(want, locate(t, db, pattern)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", pattern, diff)
		}
	}
	check("hello=2", "acme/tools/ubuntu/jammy/main hello 2 amd64 active 3-0 since 1",
		"other acme/tools/ubuntu/jammy/main hello amd64: 1 of 1", "other acme/tools/ubuntu/noble/main hello amd64: 1.5 of 2")
	check("hel*=2:amd64", "acme/tools/ubuntu/jammy/main hello 2 amd64 active 3-0 since 1", "acme/tools/ubuntu/noble/main hellx 2 amd64 active 4-0 since 1",
		"acme/tools/ubuntu/noble/main help 2 amd64 active 5-0 since 1",
		"other acme/tools/ubuntu/jammy/main hello amd64: 1 of 1", "other acme/tools/ubuntu/noble/main hello amd64: 1.5 of 2")
	check("none")

	yankAll(t, db, selectorOf(two))
	publishLatest(t, db, seconds(2), jammy)
	if err := db.Removing(t.Context(), two); err != nil {
		t.Fatal(err)
	}
	yankAll(t, db, selectorOf(one))
	check("hello=2", "acme/tools/ubuntu/jammy/main hello 2 amd64 yanked 3-4 since 1 till 2 removed", "other acme/tools/ubuntu/noble/main hello amd64: 1.5 of 2")
	if _, err := db.Unyank(t.Context(), selectorOf(one), start); err != nil {
		t.Fatal(err)
	}
	check("hello=1", "acme/tools/ubuntu/jammy/main hello 1 amd64 active 6-0", "acme/tools/ubuntu/noble/main hello 1 amd64 active 2-0 since 1",
		"other acme/tools/ubuntu/noble/main hello amd64: 1.5 of 1")
	defer catalogdb.SetMaxSelected(1)()
	if _, err := db.Locate(t.Context(), tools, catalog.Pattern{Name: "h*"}); !errors.Is(err, catalogdb.ErrTooMany) {
		t.Errorf("too many: got %v", err)
	}
}
