package catalogdb_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"repomill/schemas/catalog"
	"repomill/schemas/catalogdb"
)

// checkUnsigned fails unless these releases, and so many repositories, are not as they should be.
func checkUnsigned(t *testing.T, db *catalogdb.DB, fact string, want catalogdb.KeyState, repositories int, releases ...catalog.Release) {
	t.Helper()
	got, err := db.ReleasesToSign(t.Context(), want, 10)
	if diff := cmp.Diff(append([]catalog.Release{}, releases...), got); diff != "" || err != nil {
		t.Errorf("%s: to be signed again, %v (-want +got):\n%s", fact, err, diff)
	}
	given, err := db.RepositoriesToGiveKeys(t.Context(), want, 10)
	if len(given) != repositories || err != nil {
		t.Errorf("%s: to be given keys are %v, %v; want %d", fact, given, err, repositories)
	}
	n, m, err := db.CountToSign(t.Context(), want, false)
	if n != len(releases) || m != repositories || err != nil {
		t.Errorf("%s: counted %d and %d, %v", fact, n, m, err)
	}
}

func signed(t *testing.T, db *catalogdb.DB) {
	declare(t, db, jammy)
	declare(t, db, el9)
	want := catalogdb.KeyState{DEB: "A", RPM: "A hint", Given: "A"}
	checkUnsigned(t, db, "nothing is published", want, 0)
	pushAll(t, db, deb(jammy, "hello", "1"), rpm(el9, "hello", "1-1", "x86_64"))
	for _, r := range []catalog.Release{jammy, el9} {
		publish(t, db, r, stateOf(t, db, r).Revision.Number, start)
	}
	if err := db.PublishSettings(t.Context(), tools, settingsOf(t, db, tools).Revision.Number); err != nil {
		t.Fatal(err)
	}
	checkUnsigned(t, db, "published, and by whom is not known", want, 1, el9, jammy)
	if some, err := db.ReleasesToSign(t.Context(), want, 1); err != nil || len(some) != 1 {
		t.Errorf("one of them: got %v, %v", some, err)
	}
	for range 2 {
		if err := errors.Join(db.RecordSignedBy(t.Context(), jammy, "A"), db.RecordSignedBy(t.Context(), el9, "A hint"), db.RecordGivenKeys(t.Context(), tools, "A")); err != nil {
			t.Fatal(err)
		}
	}
	checkUnsigned(t, db, "all is as it should be", want, 0)
	checkUnsigned(t, db, "of another hint RPM alone depends", catalogdb.KeyState{DEB: "A", RPM: "A other", Given: "A"}, 0, el9)
	checkUnsigned(t, db, "another key", catalogdb.KeyState{DEB: "A+B", RPM: "A+B hint", Given: "A+B"}, 1, el9, jammy)
	snap, err := db.Snapshot(t.Context(), el9)
	if err != nil {
		t.Fatal(err)
	}
	defer snap.Close()
	if snap.SignedBy != "A hint" {
		t.Errorf("a snapshot says %q", snap.SignedBy)
	}
	all, err := db.Signatures(t.Context())
	if diff := cmp.Diff([]catalogdb.Signature{{By: "A", Releases: 1}, {RPM: true, By: "A hint", Releases: 1}}, all); diff != "" || err != nil {
		t.Errorf("signatures, %v (-want +got):\n%s", err, diff)
	}
	if err := db.RecordSignedBy(t.Context(), noble, "A"); !errors.Is(err, catalogdb.ErrNotFound) {
		t.Errorf("a release that is not declared: got %v", err)
	}
}

func rememberedKeys(t *testing.T, db *catalogdb.DB) {
	check := func(fact string, revision int64, want string) {
		t.Helper()
		got, list, err := db.SavedKeyList(t.Context())
		if err != nil || got != revision || string(list) != want {
			t.Errorf("%s: got %d %q, %v", fact, got, list, err)
		}
	}
	remember := func(revision int64, list string) {
		t.Helper()
		if err := db.SaveKeyList(t.Context(), revision, []byte(list)); err != nil {
			t.Fatal(err)
		}
	}
	check("nothing", 0, "")
	remember(2, "two")
	check("the first", 2, "two")
	remember(1, "one") // of a bucket that was set back
	check("an earlier one", 2, "two")
	remember(3, "three")
	check("a later one", 3, "three")
}

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
		err := db.ImportSettings(t.Context(), from, start)
		if got := settingsOf(t, db, tools).Keyring; err != nil || got == nil || got.Version != tt.want || got.On != tt.on {
			t.Errorf("imported %+v: %+v, %v", tt.bucket, got, err)
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
		if got, err := db.PackagesNamed(t.Context(), tools, catalog.DEB, name); err != nil || len(got) != want {
			t.Errorf("%s: %d rows, %v; want %d", name, len(got), err, want)
		}
	}
	if got, err := db.PackagesNamed(t.Context(), tools, catalog.RPM, "hello"); err != nil || len(got) != 0 {
		t.Errorf("of RPM: %d rows, %v", len(got), err)
	}
}
