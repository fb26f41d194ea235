package catalogdb_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"repomill/schemas/catalog"
	"repomill/schemas/catalogdb"
)

func requireSigned(t *testing.T, db *catalogdb.DB) {
	declare(t, db, jammy)
	set := func(keys []catalog.PackageKey, formats ...catalog.Format) error {
		_, err := db.ChangeSettings(t.Context(), tools, start, func(s *catalog.Settings) error {
			s.PackageKeys, s.RequireSigned = keys, formats
			return nil
		})
		return err
	}
	keys := []catalog.PackageKey{keyA}
	for _, tt := range []struct{ formats, want []catalog.Format }{
		{[]catalog.Format{catalog.RPM}, []catalog.Format{catalog.RPM}},
		{[]catalog.Format{catalog.RPM, catalog.DEB, catalog.RPM}, []catalog.Format{catalog.DEB, catalog.RPM}},
		{nil, nil},
	} {
		before := settingsOf(t, db, tools).Revision
		err := set(keys, tt.formats...)
		if got := settingsOf(t, db, tools); err != nil || !slices.Equal(got.RequireSigned, tt.want) || got.Revision == before {
			t.Errorf("got %q at %s, %v; want %q", got.RequireSigned, got.Revision, err, tt.want)
		}
	}
	for name, tt := range map[string]struct {
		keys   []catalog.PackageKey
		format catalog.Format
		want   string
	}{
		"a format that is none": {keys, "msi", `"msi": use "rpm" or "deb"`},
		"no key to check with":  {nil, catalog.RPM, "has no package key"},
	} {
		if err := set(tt.keys, tt.format); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: got %v, want %s", name, err, tt.want)
		}
	}
	create(t, db, catalog.Settings{Repository: lab, RequireSigned: []catalog.Format{catalog.RPM}, PackageKeys: keys})
	if got := settingsOf(t, db, lab); !slices.Equal(got.RequireSigned, []catalog.Format{catalog.RPM}) {
		t.Errorf("created with %q", got.RequireSigned)
	}
	signed := deb(jammy, "hello", "1")
	signed.Signer = strings.Repeat("AB", 32)
	if _, claimed, err := db.Claim(t.Context(), signed, catalog.Upload{}); err != nil || !claimed {
		t.Fatal(claimed, err)
	}
	if got, err := db.Find(t.Context(), signed); err != nil || got.Signer != signed.Signer {
		t.Errorf("signed by %q, %v", got.Signer, err)
	}
	if _, err := db.Find(t.Context(), deb(jammy, "bye", "1")); !errors.Is(err, catalogdb.ErrNotFound) {
		t.Errorf("got %v", err)
	}
}
