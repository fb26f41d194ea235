package main

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"repomill/pipelines"
	"repomill/pipelines/command"
	"repomill/pipelines/worker"
	"repomill/publish/sign"
	"repomill/schemas/catalog"
	"repomill/schemas/catalogdb"
	"repomill/schemas/layout"
	"repomill/testdata/proctest"
)

// A repository whose settings cannot be published keeps no other one back, and the run says that it is left.
func TestOneBadRepositoryStopsNoPublish(t *testing.T) {
	log := logged(t)
	r := openSite(t)
	broken, tools := catalog.Repository{Owner: "acme", Name: "broken"}, catalog.Repository{Owner: "acme", Name: "tools"}
	for _, repository := range []catalog.Repository{broken, tools} {
		err := r.Catalog.CreateRepository(t.Context(), catalog.Settings{
			Repository: repository, Visibility: catalog.Public, Origin: "acme", Label: "acme",
		}, time.Now())
		if err != nil {
			t.Fatal(err)
		}
	}
	path := filepath.Join(strings.TrimPrefix(r.Config.Bucket, "file://"), layout.SettingsKey(broken))
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte("no JSON"), 0o644); err != nil {
		t.Fatal(err)
	}
	d := &drain{resources: r, name: "test", maxJob: maxJob}
	if err := d.publish(t.Context()); err != nil {
		t.Error(err)
	}
	settings, err := r.Catalog.UnpublishedSettings(t.Context())
	if diff := cmp.Diff([]catalog.Repository{broken}, settings); diff != "" || err != nil {
		t.Errorf("settings that are behind (-want +got):\n%s%v\n%s", diff, err, log)
	}
	behind, err := r.Catalog.Unpublished(t.Context())
	for _, release := range behind {
		if release.Repository != broken {
			t.Errorf("%s is not published\n%s", release, log)
		}
	}
	if err != nil || !strings.Contains(log.String(), "repository=acme/broken") {
		t.Errorf("%v; the log does not name the repository:\n%s", err, log)
	}
	if c, ok := errors.AsType[command.Error](command.Fault(r.CheckFinished(t.Context()))); !ok || c.Code != command.Unreachable || !strings.Contains(c.Error(), "settings of 1 repositories") {
		t.Errorf("the run ends with %v, want exit code %d", c.Err, command.Unreachable)
	}
}

// openSite opens an empty embedded site with a key.
func openSite(t *testing.T) *pipelines.Resources {
	t.Helper()
	dir := t.TempDir()
	key, err := sign.Generate("test signing key", sign.MinRSABits, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	armored, err := key.Private()
	if err == nil {
		err = os.WriteFile(dir+"/key.asc", armored, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	r, err := pipelines.Open(t.Context(), pipelines.Config{
		Staging: "file://" + dir + "/staging", Bucket: "file://" + dir + "/bucket", Catalog: "sqlite://" + dir + "/catalog.db",
		SigningKey: "file://" + dir + "/key.asc", PublicURL: "https://packages.example.org",
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.Close)
	if err := r.Catalog.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	return r
}

// Leases that are taken early in a long row of them are renewed before the last one is taken.
func TestKeepRenewsWhatIsTakenLater(t *testing.T) {
	d, _ := newDrain(t, 10, numbered(3)...)
	db, lease := d.resources.Catalog, catalogdb.Lease{Owner: "slow", For: 12 * time.Second} // renewed every three
	slow := worker.Leases{Resources: d.resources, Lease: lease}
	other := worker.Leases{Resources: d.resources, Lease: catalogdb.Lease{Owner: "other", For: time.Minute}}
	uploads, _, err := d.staged(t.Context(), waitsForNone)
	if err != nil {
		t.Fatal(err)
	}
	stop := slow.Renew(t.Context())
	tasks, _ := slow.Take(t.Context(), uploads)
	end := d.resources.Now(t.Context()).Add(lease.For) // of the last one, unless it is renewed
	proctest.Until(t, "leases that are not renewed: 0", func() int {
		free, err := db.Unfinished(t.Context(), d.resources.Staging.Name(), end, len(uploads))
		if err != nil {
			t.Fatal(err)
		}
		return len(free)
	}, func(free int) bool { return free == 0 })
	if got, _ := other.Take(t.Context(), uploads); len(tasks) != 3 || len(got) != 0 {
		t.Errorf("%d leases, and somebody else has %d of them", len(tasks), len(got))
	}
	stop()
	if got := unfinished(tasks, slow.Reconcile(t.Context(), tasks)); len(got) != 3 {
		t.Errorf("given back %v", got)
	}
	if got, _ := other.Take(t.Context(), uploads); len(got) != 3 {
		t.Errorf("free again: %v", got)
	}
}
