package pipelines_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"repomill/pipelines"
	"repomill/pipelines/objects"
	"repomill/schemas/catalog"
	"repomill/schemas/catalogdb"
	"repomill/schemas/layout"
	"repomill/testdata/proctest"
)

var keyringRepository = catalog.Repository{Owner: "acme", Name: "tools"}

// newKeyringSite has acme/tools for a distribution of each format, with the keyring package on.
func newKeyringSite(t *testing.T) *site {
	t.Helper()
	s := newSite(t, runDirect)
	must(t, s.CheckKey(t.Context()))
	for _, r := range []catalog.Release{release("acme/tools/ubuntu/jammy"), release("acme/tools/el/9/x86_64")} {
		distro, rej := layout.DefaultTable().Lookup(r.Distribution)
		if rej != nil {
			t.Fatal(rej)
		}
		_, err := s.Catalog.Declare(t.Context(), catalogdb.Declaration{Repository: keyringRepository, Distro: distro, Component: "extra"}, time.Now())
		must(t, err)
	}
	s.setKeyring(catalog.KeyringPackage{On: true})
	return s
}

func (s *site) setKeyring(k catalog.KeyringPackage) {
	s.t.Helper()
	_, err := s.Catalog.ChangeSettings(s.t.Context(), keyringRepository, time.Now(), func(now *catalog.Settings) error { now.Keyring = &k; return nil })
	must(s.t, err)
}

func (s *site) keyring() catalog.KeyringPackage {
	s.t.Helper()
	now, err := s.Catalog.Settings(s.t.Context(), keyringRepository)
	must(s.t, err)
	return *now.Keyring
}

// made returns the versions that are active, and fails unless those of the last one are what the settings say.
func (s *site) made() (versions []string) {
	s.t.Helper()
	last := s.keyring()
	for _, f := range []catalog.Format{catalog.DEB, catalog.RPM} {
		rows, err := s.Catalog.PackagesNamed(s.t.Context(), keyringRepository, f, layout.KeyringName(keyringRepository, f))
		must(s.t, err)
		for _, k := range rows {
			version := strings.TrimSuffix(k.Version, "-1")
			if k.State != catalog.Active {
				continue
			}
			versions = append(versions, version)
			if version == last.Version && !slices.ContainsFunc(last.Files, func(o catalog.KeyringFile) bool { return o.SHA256 == k.File.SHA256 }) {
				s.t.Errorf("%s %s in %s is not what the settings say", k.Name, k.Version, k.Distribution)
			}
		}
	}
	return versions
}

// whole waits until a version is in all three places, and returns it.
func (s *site) whole(than string) (version string) {
	s.t.Helper()
	proctest.Eventually(s.t, "a keyring package in every place", func() bool {
		version = s.keyring().Version
		count := 0
		for _, v := range s.made() {
			if v == version {
				count++
			}
		}
		return version != than && count == 3
	})
	return version
}

// Several workers make one version, with the same bytes, and no other process makes it again.
func TestWorkersMakeOneKeyringPackage(t *testing.T) {
	t.Parallel()
	s := newKeyringSite(t)
	cfg := s.Config
	cfg.CacheDir = t.TempDir()
	other := openSite(t, s.dir, cfg, runDirect)
	must(t, other.CheckKey(t.Context()))
	for _, one := range []*site{s, other} {
		stop := one.serve(mute, time.Second)
		defer wantStopped(t, stop)
	}
	first := s.whole("")
	time.Sleep(3 * time.Second) // some rounds
	if got := s.made(); s.keyring().Version != first || len(got) != 3 || !strings.HasSuffix(first, ".1") {
		t.Errorf("%q, then %q: %q; want one version", first, s.keyring().Version, got)
	}
}

// readOnly is a staging that the worker may not write to.
type readOnly struct {
	objects.Staging
	tries *atomic.Int32
}

func (r readOnly) Put(context.Context, string, io.Reader, catalog.Pusher) (catalog.Upload, error) {
	r.tries.Add(1)
	return catalog.Upload{}, errors.New("forbidden")
}

// A worker that was killed between the record of a version and its upload leaves it to the next one.
func TestKeyringPackageResumes(t *testing.T) {
	t.Parallel()
	s := newKeyringSite(t)
	writable := s.Staging
	var tries atomic.Int32
	s.Staging = readOnly{writable, &tries}
	var log bytes.Buffer
	s.Log = slog.New(slog.NewTextHandler(&log, nil))
	stop := s.serve(mute, time.Second)
	proctest.Eventually(t, "two tries", func() bool { return tries.Load() > 1 }) // of which the first was logged
	recorded := s.keyring()
	wantStopped(t, stop)
	if !strings.Contains(log.String(), "the worker needs permission to write into staging") {
		t.Errorf("the log does not say what is missing:\n%s", log.String())
	}
	if got := s.made(); len(got) > 0 {
		t.Fatalf("%q is published", got)
	}

	s.Staging = writable
	stop = s.serve(mute, time.Second)
	defer wantStopped(t, stop)
	if got := s.whole(""); got != recorded.Version || s.keyring().Files[0] != recorded.Files[0] {
		t.Errorf("version %s of %+v; want %+v", got, s.keyring(), recorded)
	}
}

// Versions rise also when the clock is set back, and where the settings forgot what was made.
func TestKeyringPackageGoesOnlyUp(t *testing.T) {
	t.Parallel()
	s := newKeyringSite(t)
	s.setKeyring(catalog.KeyringPackage{On: true, Version: "20991231.4", Made: time.Date(2099, 12, 31, 0, 0, 0, 0, time.UTC),
		Files: []catalog.KeyringFile{{For: "deb", Content: "of other keys"}}})
	stop := s.serve(mute, time.Second)
	first := s.whole("20991231.4")
	wantStopped(t, stop)
	if first != "20991231.5" {
		t.Errorf("after one of 2099 comes %s", first)
	}
	files := s.keyring().Files
	files[0].Content = "other"
	s.setKeyring(catalog.KeyringPackage{On: true, Version: "20251231.1", Files: files}) // as an old backup has it
	stop = s.serve(mute, time.Second)
	defer wantStopped(t, stop)
	if got := s.whole("20251231.1"); layout.CompareKeyringVersions(got, first) <= 0 {
		t.Errorf("after %s comes %s", first, got)
	}
}

// What is not ours is never taken for it.
func TestKeyringTaken(t *testing.T) {
	row := func(version string, state catalog.PackageState) catalog.Package {
		return catalog.Package{Name: "acme-tools-release", Version: version, State: state, Distribution: release("acme/tools/el/9").Distribution}
	}
	for _, tt := range []struct {
		name  string
		made  string
		rows  []catalog.Package
		taken bool
	}{
		{"nothing is there", "", nil, false},
		{"a package of that name", "", []catalog.Package{row("1.0-1", catalog.Active)}, true},
		{"one that is being published", "", []catalog.Package{row("1.0-1", catalog.Claimed)}, true},
		{"one that was withdrawn", "", []catalog.Package{row("1.0-1", catalog.Yanked)}, false},
		{"one that looks like ours", "", []catalog.Package{row("20261129.1-1", catalog.Active)}, true},
		{"ours", "20261129.2", []catalog.Package{row("20261129.1-1", catalog.Active)}, false},
		{"another one, made while it was off", "20261129.2", []catalog.Package{row("20261129.1-1", catalog.Active), row("99-1", catalog.Active)}, true},
	} {
		s := catalog.Settings{Repository: keyringRepository, Keyring: &catalog.KeyringPackage{Version: tt.made}}
		if err := pipelines.KeyringTaken(s, tt.rows); (err != nil) != tt.taken {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
}
