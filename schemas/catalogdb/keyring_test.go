package catalogdb_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"repomill/schemas/catalog"
	"repomill/schemas/catalogdb"
)

// A keyring package is a setting like others, whose record never goes back.
func keyringPackage(t *testing.T, db *catalogdb.DB) {
	declare(t, db, jammy)
	set := func(k *catalog.KeyringPackage) (catalog.Settings, error) {
		return db.ChangeSettings(t.Context(), tools, start, func(s *catalog.Settings) error { s.Keyring = k; return nil })
	}
	made := &catalog.KeyringPackage{On: true, Version: "20261129.2", Made: start, Files: []catalog.KeyringFile{{For: "deb", Content: "c", SHA256: "s"}}}
	off := *made
	off.On = false
	for _, tt := range []struct {
		is *catalog.KeyringPackage
		on bool
	}{
		{&catalog.KeyringPackage{On: true}, true}, {made, true}, {&off, false}, {nil, false}, {made, true},
	} {
		before := settingsOf(t, db, tools).Revision
		if _, err := set(tt.is); err != nil {
			t.Fatal(err)
		}
		got := settingsOf(t, db, tools)
		if diff := cmp.Diff(tt.is, got.Keyring); diff != "" || got.Revision == before {
			t.Errorf("at %s (-want +got):\n%s", got.Revision, diff)
		}
		revisions, err := db.KeyringRepositories(t.Context())
		if revision, on := revisions[tools]; err != nil || on != tt.on || on && revision != got.Revision {
			t.Errorf("repositories with one: %v, %v; want %v", revisions, err, tt.on)
		}
	}
	if _, err := set(&catalog.KeyringPackage{On: true, Version: "1.0"}); err == nil || !strings.Contains(err.Error(), `version "1.0"`) {
		t.Errorf("a version that is none: %v", err)
	}

	older := settingsOf(t, db, tools)
	older.Keyring = &catalog.KeyringPackage{On: true, Version: "20261129.1"}
	newer := &catalog.KeyringPackage{On: false, Version: "20261130.1"}
	for i, tt := range []struct {
		bucket *catalog.KeyringPackage
		want   string
		on     bool
	}{{older.Keyring, "20261129.2", true}, {newer, "20261130.1", false}} {
		from := settingsOf(t, db, tools)
		from.Keyring, from.Revision = tt.bucket, catalog.Revision{Number: from.Revision.Number + 50, Nonce: strings.Repeat("f", 15+i)}
		err := db.AdoptSettings(t.Context(), from, nil, start)
		if got := settingsOf(t, db, tools).Keyring; err != nil || got == nil || got.Version != tt.want || got.On != tt.on {
			t.Errorf("adopted %+v: %+v, %v", tt.bucket, got, err)
		}
	}
}

// Rows are found by name, in each distribution and state.
func packagesOfName(t *testing.T, db *catalogdb.DB) {
	declare(t, db, jammy)
	declare(t, db, noble)
	for _, r := range []catalog.Release{jammy, noble} {
		claim(t, db, deb(r, "hello", "1.0"))
	}
	for name, want := range map[string]int{"hello": 2, "hell": 0} {
		if got, err := db.OfName(t.Context(), tools, catalog.DEB, name); err != nil || len(got) != want {
			t.Errorf("%s: %d rows, %v; want %d", name, len(got), err, want)
		}
	}
	if got, err := db.OfName(t.Context(), tools, catalog.RPM, "hello"); err != nil || len(got) != 0 {
		t.Errorf("of RPM: %d rows, %v", len(got), err)
	}
}
