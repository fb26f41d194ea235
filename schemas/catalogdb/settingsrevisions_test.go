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
	"repomill/testdata/mysqltest"
)

var foreign = catalog.Revision{Number: 41, Nonce: "fedcba9876543210"}

// inBucket is what the bucket holds of a repository whose catalog was lost.
func inBucket() catalog.Settings {
	return catalog.Settings{
		Repository: tools, Revision: foreign, Visibility: catalog.Private, Origin: "old.example.com/acme/tools", Label: "Tools", Description: "compilers, as they were",
		Distributions: []catalog.DistributionSettings{
			{Distribution: el9.Distribution, Format: catalog.RPM, Architectures: []string{"SRPMS", "aarch64", "i386", "x86_64"}},
			{Distribution: jammy.Distribution, Format: catalog.DEB, Components: []string{"contrib", "main"}, Architectures: []string{"amd64", "arm64", "riscv64"}},
		},
		RequireSigned: []catalog.Format{catalog.DEB, catalog.RPM}, PackageKeys: []catalog.PackageKey{keyA}, Tokens: []catalog.Token{readers},
	}
}

func importSettings(t *testing.T, db *catalogdb.DB, s catalog.Settings) {
	t.Helper()
	if err := db.ImportSettings(t.Context(), s, start); err != nil {
		t.Fatal(err)
	}
}

func importAll(t *testing.T, db *catalogdb.DB) {
	importSettings(t, db, inBucket())
	got := settingsOf(t, db, tools)
	want := inBucket()
	want.Revision = catalog.Revision{Number: foreign.Number + 1000, Nonce: got.Revision.Nonce}
	if diff := cmp.Diff(want, got, nothingIsNil); diff != "" {
		t.Errorf("settings (-want +got):\n%s", diff)
	}
	if got.Revision.Nonce == foreign.Nonce {
		t.Error("the nonce is the foreign one")
	}
	var names []string
	for _, s := range releases(t, db) {
		names = append(names, s.Release.String())
	}
	if diff := cmp.Diff([]string{"acme/tools/el/9/SRPMS", "acme/tools/el/9/aarch64", "acme/tools/el/9/i386", "acme/tools/el/9/x86_64", "acme/tools/ubuntu/jammy"}, names); diff != "" {
		t.Errorf("releases (-want +got):\n%s", diff)
	}
	checkUnpublishedSettings(t, db, tools)
	for _, pair := range []catalog.Revision{foreign, got.Revision} {
		if known, err := db.KnowsSettingsRevision(t.Context(), tools, pair); err != nil || !known {
			t.Errorf("KnowsSettingsRevision %v: %v, %v", pair, known, err)
		}
	}
	before := releases(t, db)
	importSettings(t, db, inBucket())
	if diff := cmp.Diff(got, settingsOf(t, db, tools)); diff != "" {
		t.Errorf("importing it again changed (-before +after):\n%s", diff)
	}
	if diff := cmp.Diff(before, releases(t, db)); diff != "" {
		t.Errorf("importing it again changed releases (-before +after):\n%s", diff)
	}
}

// A backup has less than the bucket, and what was declared since it was restored.
func importUnion(t *testing.T, db *catalogdb.DB) {
	declare(t, db, jammy, "armhf")
	declare(t, db, noble)
	for range 60 { // climb past the bucket's revision
		change(t, db, tools, func(s *catalog.Settings) {
			if s.Tokens = append(s.Tokens, builders); len(s.Tokens) > 1 {
				s.Tokens = nil
			}
		})
	}
	own := settingsOf(t, db, tools).Revision
	importSettings(t, db, inBucket())
	got := settingsOf(t, db, tools)
	if got.Revision.Number != own.Number+1000 || own.Number < foreign.Number {
		t.Errorf("got revision %d, want one beyond %d and %d", got.Revision.Number, own.Number, foreign.Number)
	}
	if got.Origin != "old.example.com/acme/tools" || got.Label != "Tools" || !cmp.Equal(got.Tokens, []catalog.Token{readers}) {
		t.Errorf("got %+v, want what the bucket has", got)
	}
	want := []catalog.DistributionSettings{
		{Distribution: el9.Distribution, Format: catalog.RPM, Architectures: []string{"SRPMS", "aarch64", "i386", "x86_64"}},
		{Distribution: jammy.Distribution, Format: catalog.DEB, Components: []string{"contrib", "main"}, Architectures: []string{"amd64", "arm64", "armhf", "riscv64"}},
		{Distribution: noble.Distribution, Format: catalog.DEB, Components: []string{"main"}, Architectures: []string{"amd64", "arm64"}},
	}
	if diff := cmp.Diff(want, got.Distributions, nothingIsNil); diff != "" {
		t.Errorf("distributions (-want +got):\n%s", diff)
	}
	checkRevision(t, db, jammy, 2)
	checkRevision(t, db, noble, 1)
}

func importKeepsPrivate(t *testing.T, db *catalogdb.DB) {
	public := inBucket()
	public.Visibility = catalog.Public
	create(t, db, catalog.Settings{Repository: tools, Visibility: catalog.Private})
	importSettings(t, db, public)
	if got := settingsOf(t, db, tools).Visibility; got != catalog.Private {
		t.Errorf("what was made private here is %s", got)
	}
	if err := db.PublishSettings(t.Context(), tools, settingsOf(t, db, tools).Revision.Number); err != nil {
		t.Fatal(err)
	}
	public.Revision.Number += 5000
	importSettings(t, db, public)
	if got := settingsOf(t, db, tools).Visibility; got != catalog.Public {
		t.Errorf("what was private long ago and is public in the bucket is %s", got)
	}
}

func importRefuses(t *testing.T, db *catalogdb.DB) {
	for name, f := range map[string]func(*catalog.Settings){
		"an unknown format":     func(s *catalog.Settings) { s.Distributions[0].Format = "apk" },
		"no revision":           func(s *catalog.Settings) { s.Revision = catalog.Revision{} },
		"a revision at the end": func(s *catalog.Settings) { s.Revision.Number = 1<<63 - 1 },
		"a nonce of any length": func(s *catalog.Settings) { s.Revision.Nonce = strings.Repeat("f", 65) },
		"no visibility":         func(s *catalog.Settings) { s.Visibility = "" },
	} {
		s := inBucket()
		f(&s)
		err := db.ImportSettings(t.Context(), s, start)
		if err == nil || name == "an unknown format" && !strings.Contains(err.Error(), `el/9 has the format "apk"`) {
			t.Errorf("%s: got %v", name, err)
		}
	}
	if all, err := db.Repositories(t.Context()); err != nil || len(all) != 0 {
		t.Errorf("got %v, %v; want no repositories", all, err)
	}
}

// A token that was revoked here stays so, although the bucket has settings of another history in which it is good.
func TestImportSettingsBringsBackNoRevokedToken(t *testing.T) {
	for name, db := range map[string]*catalogdb.DB{"mysql": onMySQL(mysqltest.Start(t)).cleared(t), "sqlite": openSQLite(t, t.TempDir()+"/c.db")} {
		if err := db.CreateRepository(t.Context(), catalog.Settings{Repository: tools, Visibility: catalog.Private}, start); err != nil {
			t.Fatal(err)
		}
		leaked := catalog.Token{Name: "leaked", SHA256: file("x").SHA256, Created: start}
		s, err := db.ChangeSettings(t.Context(), tools, start, func(s *catalog.Settings) error { s.Tokens = append(s.Tokens, leaked); return nil })
		if err != nil {
			t.Fatal(err)
		}
		if err := db.PublishSettings(t.Context(), tools, s.Revision.Number); err != nil { // here the backup is made
			t.Fatal(err)
		}
		bucket := s // what was published after the backup: a pair that this catalog does not know
		bucket.Revision = catalog.Revision{Number: s.Revision.Number + 1, Nonce: "aaaaaaaaaaaaaaaa"}
		// repomill token revoke, after the restore
		_, err = db.ChangeSettings(t.Context(), tools, after(time.Hour), func(s *catalog.Settings) error { s.Tokens = nil; return nil })
		if err != nil {
			t.Fatal(err)
		}
		// the worker publishes the settings
		if err := db.ImportSettings(t.Context(), bucket, after(time.Hour)); err != nil {
			t.Fatal(err)
		}
		got, err := db.Settings(t.Context(), tools)
		if err != nil || slices.ContainsFunc(got.Tokens, func(t catalog.Token) bool { return t.Name == "leaked" }) {
			t.Errorf("%s: %v: the token that was revoked is good again: %v", name, err, got.Tokens)
		}
	}
}

func publishSettings(t *testing.T, db *catalogdb.DB) {
	checkUnpublishedSettings(t, db)
	create(t, db, catalog.Settings{Repository: tools})
	create(t, db, catalog.Settings{Repository: lab})
	checkUnpublishedSettings(t, db, lab, tools)
	for range 2 {
		if err := db.PublishSettings(t.Context(), tools, 1); err != nil {
			t.Fatal(err)
		}
		checkUnpublishedSettings(t, db, lab)
	}
	declare(t, db, jammy)
	if got := settingsOf(t, db, tools).Revision.Number; got != 2 {
		t.Errorf("a declaration left the settings at revision %d, want 2", got)
	}
	checkUnpublishedSettings(t, db, lab, tools)
	declare(t, db, jammy) // nothing new
	if got := settingsOf(t, db, tools).Revision.Number; got != 2 {
		t.Errorf("a declaration of what is there left the settings at revision %d, want 2", got)
	}
	if err := errors.Join(db.PublishSettings(t.Context(), tools, 2), db.PublishSettings(t.Context(), tools, 1)); err != nil {
		t.Fatal(err)
	}
	checkUnpublishedSettings(t, db, lab)
}
