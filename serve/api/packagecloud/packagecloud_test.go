package packagecloud_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"repomill/pipelines/objects/file"
	"repomill/schemas/catalog"
	"repomill/schemas/catalogdb"
	"repomill/schemas/layout"
	"repomill/serve/api"
	"repomill/serve/api/packagecloud"
	"repomill/serve/api/upload"
)

var (
	now   = time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC)
	tools = catalog.Repository{Owner: "acme", Name: "tools"}
	vault = catalog.Repository{Owner: "acme", Name: "vault"} // private
	jammy = catalog.Distribution{OS: "ubuntu", Version: "jammy"}
	el9   = catalog.Distribution{OS: "el", Version: "9"}
)

// tokens are the principals of the tests, by credential.
type tokens map[string]api.Principal

func (t tokens) Authenticate(_ context.Context, credential string) (api.Principal, error) {
	if p, ok := t[credential]; ok {
		return p, nil
	}
	return api.Principal{}, api.ErrUnknownCredential
}

var principals = tokens{
	"all":     {ID: "1", Name: "token all", Grants: []api.Grant{{Right: api.Push, Owner: "acme"}, {Right: api.Manage, Owner: "acme"}}},
	"pusher":  {ID: "2", Name: "token pusher", Grants: []api.Grant{{Right: api.Push, Owner: "acme", Name: "tools"}}},
	"manager": {ID: "7", Name: "token manager", Grants: []api.Grant{{Right: api.Manage, Owner: "acme", Name: "tools"}}},
	"vault":   {ID: "4", Name: "token vault", Grants: []api.Grant{{Right: api.Manage, Owner: "acme", Name: "vault"}, {Right: api.Manage, Owner: "acme", Name: "next"}}},
	"two":     {ID: "5", Name: "token two", Grants: []api.Grant{{Right: api.Manage, Owner: "acme"}, {Right: api.Manage, Owner: "other"}}},
	"root":    {ID: "6", Name: "token root", Grants: []api.Grant{{Right: api.Manage}}},
	"master":  {ID: "8", Name: "token master", Grants: []api.Grant{{Right: api.MakeTokens, Owner: "acme"}}},
	"reader":  {ID: "9", Name: "token reader", Grants: []api.Grant{{Right: api.Read, Owner: "acme"}}},
	"other":   {ID: "3", Name: "token other", Grants: []api.Grant{{Right: api.Manage, Owner: "other"}}},
}

// A changer withdraws in the catalog, and says that clients see it at once.
type changer struct {
	db *catalogdb.DB
	by []string
}

func (c *changer) Yank(ctx context.Context, k catalog.Package, by api.Principal, why string, _ time.Duration) (bool, error) {
	c.by = append(c.by, by.Name+": "+why)
	_, err := c.db.Yank(ctx, catalogdb.PackageSelector{Repository: k.Repository, Distribution: k.Distribution, Name: k.Name, Version: k.Version, Arch: k.Arch},
		catalog.Yank{Reason: why, By: by.Name, At: now}, now)
	return true, err
}

// A site is a server on a catalog of its own.
type site struct {
	t       *testing.T
	db      *catalogdb.DB
	url     string
	changes *changer
	staging *file.Staging
	judge   *judge
	copies  *copier
	phases  *phaser
}

func newSite(t *testing.T) *site { return newSiteWith(t, nil) }

// newSiteWith returns a site whose uploads are configured by change.
func newSiteWith(t *testing.T, change func(*upload.Config)) *site {
	t.Helper()
	db, err := catalogdb.Open("sqlite://" + filepath.Join(t.TempDir(), "catalog.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	if err := db.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	s := &site{t: t, db: db, changes: &changer{db: db}, judge: &judge{}, copies: &copier{db: db}, phases: &phaser{}}
	if s.staging, err = file.OpenStaging("file://" + filepath.Join(t.TempDir(), "staging")); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.staging.Close() })
	gate, log := &api.Gate{Auth: principals, Limits: api.NewLimits(api.LimitConfig{}, func() time.Time { return now }), Log: slog.New(slog.DiscardHandler)}, slog.New(slog.DiscardHandler)
	uploads := upload.Config{Staging: s.staging, Catalog: s.judge, Gate: gate, Table: layout.DefaultTable(), PublicURL: "https://packages.example", Log: log, Now: time.Now}
	if change != nil {
		change(&uploads)
	}
	server := httptest.NewServer(packagecloud.New(packagecloud.Config{
		Catalog: db, Changes: s.changes, Promotions: s.copies, Phases: s.phases, Uploads: upload.New(uploads), Gate: gate, Table: layout.DefaultTable(), PublicURL: "https://packages.example",
		Log: log, Now: func() time.Time { return now }, Administration: administrator{db}, Tokens: administrator{db}, Keys: administrator{db},
	}))
	t.Cleanup(server.Close)
	s.url = server.URL
	for _, r := range []catalog.Repository{tools, vault} {
		settings := catalog.Settings{Repository: r, Visibility: catalog.Public, Origin: r.String(), Label: r.Name}
		if r == vault {
			settings.Visibility = catalog.Private
		}
		if err := db.CreateRepository(t.Context(), settings, now.Add(-48*time.Hour)); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

// add makes a package visible.
func (s *site) add(k catalog.Package) {
	s.t.Helper()
	ctx := s.t.Context()
	table := layout.DefaultTable()
	distro, rej := table.Lookup(k.Distribution)
	if rej != nil {
		s.t.Fatal(rej)
	}
	if _, err := s.db.Declare(ctx, catalogdb.Declaration{Repository: k.Repository, Distro: distro, Component: k.Component}, now); err != nil {
		s.t.Fatal(err)
	}
	u := catalog.Upload{Bucket: "staging", Object: k.Key, Generation: "1"}
	token, _, err := s.db.Take(ctx, u, catalogdb.Lease{Owner: "test", For: time.Minute}, now)
	if err != nil {
		s.t.Fatal(err)
	}
	if _, _, err := s.db.Claim(ctx, k, catalog.Upload{}); err != nil {
		s.t.Fatal(err)
	}
	var dirs []string
	if k.Format == catalog.RPM {
		dirs = layout.RPMDirs(k, distro.Architectures)
	}
	if err := s.db.Activate(ctx, []catalogdb.Stored{{Upload: u, Token: token, Package: k, Dirs: dirs}}, now); err != nil {
		s.t.Fatal(err)
	}
	for _, arch := range append(dirs, "")[:max(len(dirs), 1)] {
		if err := s.db.Publish(ctx, catalog.Release{Repository: k.Repository, Distribution: k.Distribution, Arch: arch}, 1000, now); err != nil {
			s.t.Fatal(err)
		}
	}
}

func deb(r catalog.Repository, name, version string) catalog.Package {
	k := catalog.Package{
		Repository: r, Distribution: jammy, Component: "main", Format: catalog.DEB, Name: name, Version: version, Canonical: version, Arch: "amd64",
		SortKey: []byte(name + "\x00" + version), File: catalog.File{Size: 3290, SHA256: strings.Repeat("ab", 32), MD5: strings.Repeat("cd", 16)},
		Uploaded: now.Add(-time.Hour), Pusher: catalog.Pusher{User: "release-bot"},
		Stanza: []byte("Package: " + name + "\nVersion: " + version + "\nDepends: libc6 (>= 2.4),\n dpkg (>= 1.15.4) | install-info\nSuggests: indent\nDescription: says hello\n to <everybody> & more\n .\n twice\n"),
	}
	k.Key = layout.PoolKey(k)
	return k
}

func rpm(name, version, release string) catalog.Package {
	full := version + "-" + release
	k := catalog.Package{
		Repository: tools, Distribution: el9, Format: catalog.RPM, Name: name, Version: full, Canonical: full, Arch: "x86_64",
		SortKey: []byte(name + "\x00" + full), File: catalog.File{Size: 3712, SHA256: strings.Repeat("ef", 32)}, Uploaded: now.Add(-time.Hour),
		Primary: []byte(`<package type="rpm">
  <name>` + name + `</name>
  <summary>a summary</summary>
  <description>a description</description>
  <format>
    <rpm:license>GPL</rpm:license>
    <rpm:requires>
      <rpm:entry name="libc.so.6(GLIBC_2.2.5)(64bit)"/>
      <rpm:entry name="bash" flags="GE" epoch="1" ver="4.0" rel="2"/>
    </rpm:requires>
  </format>
</package>
`),
		Filelists: []byte("<package/>\n"), Other: []byte("<package/>\n"),
	}
	k.Key = layout.RPMKey(k, "x86_64")
	return k
}

// call makes a call and returns its status and body.
func (s *site) call(method, token, path string, body ...string) (*http.Response, string) {
	s.t.Helper()
	req, err := http.NewRequestWithContext(s.t.Context(), method, s.url+path, strings.NewReader(strings.Join(body, "")))
	if err != nil {
		s.t.Fatal(err)
	}
	if token != "" {
		req.SetBasicAuth(token, "")
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		s.t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	return res, strings.TrimSpace(string(b))
}

// golden compares a JSON body with a file of testdata; it writes the file if UPDATE_GOLDEN is set.
func golden(t *testing.T, name, body string) {
	t.Helper()
	var b bytes.Buffer
	if err := json.Indent(&b, []byte(body), "", "  "); err != nil {
		t.Fatalf("%v: %s", err, body)
	}
	b.WriteByte('\n')
	file := filepath.Join("testdata", name)
	if os.Getenv("UPDATE_GOLDEN") != "" {
		if err := os.WriteFile(file, b.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), b.String()); diff != "" {
		t.Errorf("%s (-want +got):\n%s", name, diff)
	}
}
