package catalogdb_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"repomill/schemas/catalog"
	"repomill/schemas/catalogdb"
)

var (
	lab      = catalog.Repository{Owner: "acme", Name: "lab"}
	expiry   = start.Add(time.Hour)
	keyA     = catalog.PackageKey{ID: "3D645A26AB9FBD22", Armor: "-----BEGIN PGP PUBLIC KEY BLOCK-----\né\n"}
	keyB     = catalog.PackageKey{ID: "AD997ACC82DD593D", Armor: strings.Repeat("x", 100_000)}
	readers  = catalog.Token{Name: "readers", SHA256: file("secret").SHA256, Created: start, Expires: &expiry}
	builders = catalog.Token{Name: "builders", SHA256: file("other").SHA256, Created: start}
)

func settingsOf(t *testing.T, db *catalogdb.DB, r catalog.Repository) catalog.Settings {
	t.Helper()
	s, err := db.Settings(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func create(t *testing.T, db *catalogdb.DB, s catalog.Settings) {
	t.Helper()
	if err := db.CreateRepository(t.Context(), s, start); err != nil {
		t.Fatal(err)
	}
}

func change(t *testing.T, db *catalogdb.DB, r catalog.Repository, f func(*catalog.Settings)) catalog.Settings {
	t.Helper()
	s, err := db.ChangeSettings(t.Context(), r, start, func(s *catalog.Settings) error {
		f(s)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// checkUnpublishedSettings fails unless these repositories have settings that the bucket lacks.
func checkUnpublishedSettings(t *testing.T, db *catalogdb.DB, want ...catalog.Repository) {
	t.Helper()
	got, err := db.UnpublishedSettings(t.Context())
	if err != nil || len(got) != len(want) || len(want) > 0 && !cmp.Equal(got, want) {
		t.Errorf("got unpublished settings of %v, %v; want %v", got, err, want)
	}
	if n, err := db.CountUnpublishedSettings(t.Context()); err != nil || n != len(want) {
		t.Errorf("counted unpublished settings of %d repositories, %v; want %d", n, err, len(want))
	}
}

func createRepository(t *testing.T, db *catalogdb.DB) {
	create(t, db, catalog.Settings{Repository: tools})
	create(t, db, catalog.Settings{Repository: lab, Visibility: catalog.Private, Origin: "packages.example.com/acme/lab", Label: "Labor", PackageKeys: []catalog.PackageKey{keyB, keyA}})
	for _, want := range []catalog.Settings{
		{Repository: lab, Visibility: catalog.Private, Origin: "packages.example.com/acme/lab", Label: "Labor", PackageKeys: []catalog.PackageKey{keyA, keyB}},
		{Repository: tools, Visibility: catalog.Public, Origin: "acme/tools", Label: "tools"},
	} {
		got := settingsOf(t, db, want.Repository)
		if got.Revision.Number != 1 || !noncePattern.MatchString(got.Revision.Nonce) {
			t.Errorf("%s has revision %v, want the first", want.Repository, got.Revision)
		}
		got.Revision = catalog.Revision{}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("settings (-want +got):\n%s", diff)
		}
	}
	all, err := db.Repositories(t.Context())
	if diff := cmp.Diff([]catalog.Settings{settingsOf(t, db, lab), settingsOf(t, db, tools)}, all); diff != "" || err != nil {
		t.Errorf("repositories: %v (-want +got):\n%s", err, diff)
	}
	if err := db.CreateRepository(t.Context(), catalog.Settings{Repository: tools, Visibility: catalog.Private}, start); !errors.Is(err, catalogdb.ErrExists) {
		t.Errorf("got %v, want ErrExists", err)
	}
	if s := settingsOf(t, db, tools); s.Visibility != catalog.Public || s.Revision.Number != 1 {
		t.Errorf("creating it again left %+v", s)
	}
}

func createRefuses(t *testing.T, db *catalogdb.DB) {
	for name, s := range map[string]catalog.Settings{
		"a name in capitals":      {Repository: catalog.Repository{Owner: "Acme", Name: "tools"}},
		"a reserved owner":        {Repository: catalog.Repository{Owner: "api", Name: "tools"}},
		"an origin of two lines":  {Repository: tools, Origin: "a\nSuite: b"},
		"another visibility":      {Repository: tools, Visibility: "hidden"},
		"two tokens of one name":  {Repository: tools, Tokens: []catalog.Token{readers, readers}},
		"a distribution":          {Repository: tools, Distributions: []catalog.DistributionSettings{{Distribution: jammy.Distribution}}},
		"two keys of one id":      {Repository: tools, PackageKeys: []catalog.PackageKey{keyA, keyA}},
		"a label that is no text": {Repository: tools, Label: "\xff"},
	} {
		if err := db.CreateRepository(t.Context(), s, start); err == nil {
			t.Errorf("%s was accepted", name)
		}
	}
	if all, err := db.Repositories(t.Context()); err != nil || len(all) != 0 {
		t.Errorf("got %v, %v; want no repositories", all, err)
	}
}

func changeSettings(t *testing.T, db *catalogdb.DB) {
	declare(t, db, jammy)
	first := settingsOf(t, db, tools)
	got := change(t, db, tools, func(s *catalog.Settings) {
		s.Visibility = catalog.Private
		s.Tokens = append(s.Tokens, readers, builders)
		s.PackageKeys = append(s.PackageKeys, keyA)
	})
	want := first
	want.Visibility, want.Tokens, want.PackageKeys = catalog.Private, []catalog.Token{builders, readers}, []catalog.PackageKey{keyA}
	want.Revision = catalog.Revision{Number: first.Revision.Number + 1, Nonce: got.Revision.Nonce}
	for name, s := range map[string]catalog.Settings{"returned": got, "stored": settingsOf(t, db, tools)} {
		if diff := cmp.Diff(want, s); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	if got.Revision.Nonce == first.Revision.Nonce {
		t.Error("the nonce is the old one")
	}
	if again := change(t, db, tools, func(s *catalog.Settings) { s.Visibility = catalog.Private }); again.Revision != got.Revision {
		t.Errorf("nothing changed, but the revision is %v after %v", again.Revision, got.Revision)
	}
	for _, pair := range []catalog.Revision{first.Revision, got.Revision} {
		if known, err := db.KnowsSettingsRevision(t.Context(), tools, pair); err != nil || !known {
			t.Errorf("drew %v: %v, %v", pair, known, err)
		}
	}
	if known, err := db.KnowsSettingsRevision(t.Context(), tools, catalog.Revision{Number: 1, Nonce: got.Revision.Nonce}); err != nil || known {
		t.Errorf("drew a pair that is none: %v, %v", known, err)
	}
	checkRevision(t, db, jammy, 1) // no release shows any of it
}

func changeRefuses(t *testing.T, db *catalogdb.DB) {
	declare(t, db, jammy)
	before := settingsOf(t, db, tools)
	refused := errors.New("refused")
	for name, f := range map[string]func(*catalog.Settings) error{
		"the origin":            func(s *catalog.Settings) error { s.Origin = "other"; return nil },
		"the label":             func(s *catalog.Settings) error { s.Label = "other"; return nil },
		"the name":              func(s *catalog.Settings) error { s.Repository = lab; return nil },
		"the revision":          func(s *catalog.Settings) error { s.Revision.Number++; return nil },
		"an architecture":       func(s *catalog.Settings) error { s.Distributions[0].Architectures[0] = "sparc"; return nil },
		"no distributions":      func(s *catalog.Settings) error { s.Distributions = nil; return nil },
		"to no visibility":      func(s *catalog.Settings) error { s.Visibility = ""; return nil },
		"what its author undid": func(s *catalog.Settings) error { s.Visibility = catalog.Private; return refused },
	} {
		_, err := db.ChangeSettings(t.Context(), tools, start, f)
		if err == nil || name == "what its author undid" && !errors.Is(err, refused) {
			t.Errorf("changing %s: got %v", name, err)
		}
	}
	if diff := cmp.Diff(before, settingsOf(t, db, tools)); diff != "" {
		t.Errorf("settings (-before +after):\n%s", diff)
	}
	if _, err := db.ChangeSettings(t.Context(), lab, start, func(*catalog.Settings) error { return nil }); !errors.Is(err, catalogdb.ErrNotFound) {
		t.Errorf("an unknown repository: got %v, want ErrNotFound", err)
	}
}

func changeConcurrently(t *testing.T, db *catalogdb.DB) {
	create(t, db, catalog.Settings{Repository: tools})
	race(func(i int) {
		_, err := db.ChangeSettings(t.Context(), tools, start, func(s *catalog.Settings) error {
			s.Tokens = append(s.Tokens, catalog.Token{Name: string(rune('a' + i)), Created: start})
			return nil
		})
		if err != nil {
			t.Error(err)
		}
	})
	if s := settingsOf(t, db, tools); len(s.Tokens) != writers || s.Revision.Number != writers+1 {
		t.Errorf("got %d tokens at revision %d, want %d at %d", len(s.Tokens), s.Revision.Number, writers, writers+1)
	}
}

func createConcurrently(t *testing.T, db *catalogdb.DB) {
	made := make([]bool, writers)
	race(func(i int) {
		err := db.CreateRepository(t.Context(), catalog.Settings{Repository: tools}, start)
		if err != nil && !errors.Is(err, catalogdb.ErrExists) {
			t.Error(err)
		}
		made[i] = err == nil
	})
	n := 0
	for _, m := range made {
		if m {
			n++
		}
	}
	if n != 1 {
		t.Errorf("%d made the repository, want 1", n)
	}
}

func verifyPayload(t *testing.T, db *catalogdb.DB) {
	declare(t, db, jammy)
	for _, want := range []catalog.VerifyPayload{catalog.VerifyAlways, ""} {
		before := settingsOf(t, db, tools).Revision
		_, err := db.ChangeSettings(t.Context(), tools, start, func(s *catalog.Settings) error {
			s.VerifyPayload = want
			return nil
		})
		if got := settingsOf(t, db, tools); err != nil || got.VerifyPayload != want || got.Revision == before {
			t.Errorf("got %q at %s, %v; want %q", got.VerifyPayload, got.Revision, err, want)
		}
	}
	_, err := db.ChangeSettings(t.Context(), tools, start, func(s *catalog.Settings) error {
		s.VerifyPayload = "sometimes"
		return nil
	})
	if err == nil || !strings.Contains(err.Error(), `"sometimes": use "always"`) {
		t.Errorf("got %v", err)
	}
	from := settingsOf(t, db, tools)
	from.VerifyPayload, from.Revision = catalog.VerifyAlways, catalog.Revision{Number: 99, Nonce: "ffffffffffffffff"}
	if err := db.ImportSettings(t.Context(), from, start); err != nil {
		t.Fatal(err)
	}
	if got := settingsOf(t, db, tools).VerifyPayload; got != catalog.VerifyAlways {
		t.Errorf("adopted %q", got)
	}
	s := store(t, db, deb(jammy, "hello", "1"), "1")
	s.Checked = catalog.CheckedWhole
	activate(t, db, s)
	if v := verdictOf(t, db, s.Upload); v.Checked != catalog.CheckedWhole {
		t.Errorf("checked %q", v.Checked)
	}
}

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
