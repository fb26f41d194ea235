package faults_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/apache/beam/sdks/v2/go/pkg/beam"

	"repomill/ingest"
	"repomill/ingest/deb"
	"repomill/ingest/rpm"
	"repomill/pipelines"
	"repomill/publish"
	"repomill/publish/collect"
	"repomill/publish/sign"
	"repomill/publish/snapshot"
	"repomill/schemas/catalog"
	"repomill/schemas/catalogdb"
	"repomill/testdata/debtest"
	"repomill/testdata/rpmtest"
)

// noon is when all uploads are received: RPM indexes have it.
var noon = time.Date(2026, 8, 1, 12, 0, 0, 0, time.UTC)

// A site is an instance of the product whose writes and commits follow a script.
type site struct {
	*pipelines.Resources
	t       *testing.T
	dir     string
	script  *script
	clock   *clock
	bucket  *bucket
	uploads []catalog.Upload // that were staged, in order
	after   time.Duration    // how much later than noon workers make steps and removals
	entries int              // of the audit log, that the asker had before
}

// signingKey is made once: that takes long.
var signingKey = sync.OnceValues(func() ([]byte, error) {
	s, err := sign.Generate("test signing key", sign.MinRSABits, noon.AddDate(-1, 0, 0))
	if err != nil {
		return nil, err
	}
	return s.Private()
})

// newSite opens a site of files and SQLite in a new folder that begins as a copy of another one, if from is not empty.
func newSite(t *testing.T, from string) *site {
	t.Helper()
	return newSiteIn(t, t.TempDir(), from)
}

func newSiteIn(t *testing.T, dir, from string) *site {
	t.Helper()
	return newSiteOn(t, dir, from, "file://"+dir+"/staging")
}

// newSiteOn is newSiteIn with a staging bucket.
func newSiteOn(t *testing.T, dir, from, staging string) *site {
	t.Helper()
	s := &site{t: t, dir: dir, script: &script{}, clock: &clock{}}
	catalogFile := filepath.Join(dir, "catalog.db")
	if from == "" {
		writeKey(t, dir)
		migrate(t, "sqlite://"+catalogFile)
	} else if err := os.CopyFS(dir, os.DirFS(from)); err != nil {
		t.Fatal(err)
	}
	scripts.Store(catalogFile, s.script)
	t.Cleanup(func() { scripts.Delete(catalogFile) })
	s.open(pipelines.Config{Staging: staging, Bucket: "file://" + dir + "/bucket", Catalog: "sqlite://" + catalogFile, SigningKey: "file://" + dir + "/key.asc"})
	return s
}

func writeKey(t *testing.T, dir string) {
	t.Helper()
	key, err := signingKey()
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, "key.asc"), key, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// migrate makes the tables of a catalog.
func migrate(t *testing.T, url string) {
	t.Helper()
	db, err := catalogdb.Open(url)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(db.Migrate(t.Context()), db.Close()); err != nil {
		t.Fatal(err)
	}
}

// open opens the resources of a site and puts the script in front of its stores.
func (s *site) open(cfg pipelines.Config) {
	s.t.Helper()
	cfg.PublicURL, cfg.Create, cfg.MaxPackageSize, cfg.CacheDir = "https://packages.example.org", true, ingest.DefaultMaxSize, filepath.Join(s.dir, "cache")
	r, err := pipelines.Open(context.WithoutCancel(s.t.Context()), cfg)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(r.Close)
	s.Resources = r
	s.bucket = &bucket{Bucket: r.Bucket, script: s.script, clock: s.clock}
	r.Bucket, r.Staging = s.bucket, &staging{r.Staging, s.script}
	r.Ingester.Bucket, r.Ingester.Now = s.bucket, func() time.Time { return noon }
	s.restart()
}

// restart has the site go on as after a restart of its process: nothing is remembered.
func (s *site) restart() {
	s.t.Helper()
	var err error
	s.Publisher, err = publish.New(publish.Config{
		Bucket: s.bucket, Catalog: s.Catalog, Signer: s.Signer(), Rows: rowReader{}, PublicURL: s.Config.PublicURL,
		Now: s.clock.now, Log: s.Log, CacheDir: s.Config.CacheDir,
	})
	if err == nil {
		s.Collector, err = collect.New(collect.Config{Bucket: s.bucket, Catalog: s.Catalog, Rows: rowReader{}, Log: s.Log})
	}
	if err != nil {
		s.t.Fatal(err)
	}
	s.Snapshots = snapshot.New(snapshot.Config{Bucket: s.bucket, Publisher: s.Publisher, Log: s.Log})
}

// rowReader makes rows of published index entries, as the product does.
type rowReader struct{}

func (rowReader) Deb(stanza []byte) (catalog.Package, error)  { return deb.Row(stanza) }
func (rowReader) RPM(primary []byte) (catalog.Package, error) { return rpm.Row(primary) }

func (rowReader) Identity(f catalog.Format, name, version, arch string) (catalog.Package, error) {
	if f == catalog.DEB {
		return deb.Identity(name, version, arch)
	}
	return rpm.Identity(name, version, arch)
}

// put stages a file.
func (s *site) put(object string, body []byte) {
	s.t.Helper()
	u, err := s.Staging.Put(s.t.Context(), object, bytes.NewReader(body), catalog.Pusher{})
	if err != nil {
		s.t.Fatal(err)
	}
	s.uploads = append(s.uploads, u)
}

// putDEB and putRPM stage a small package.
func (s *site) putDEB(name string) {
	s.put("acme/tools/ubuntu/jammy/"+name+".deb", debtest.Build(s.t, debtest.Spec{Name: name, Arch: "amd64"}))
}

func (s *site) putRPM(name, arch string) {
	s.put("acme/tools/el/9/"+name+".rpm", rpmtest.Build(s.t, rpmtest.Spec{Name: name, Arch: arch}))
}

// putOther stages a package of each format that has the name and version of others, and other bytes.
func (s *site) putOther(name, arch string) {
	s.put("acme/tools/ubuntu/jammy/other-"+name+".deb", debtest.Build(s.t, debtest.Spec{Name: name, Arch: "amd64", Files: map[string]string{"usr/share/other": name}}))
	s.put("acme/tools/el/9/other-"+name+".rpm", rpmtest.Build(s.t, rpmtest.Spec{Name: name, Arch: arch, Files: map[string]string{"/usr/share/other": name}}))
}

// ingest processes uploads without a final verdict, and publishes changed releases, as a worker does. After a fault, the catalog
// records the work that is left for the next call.
func (s *site) ingest() error { return s.ingestAll(s.uploads) }

func (s *site) ingestAll(uploads []catalog.Upload) error {
	ctx := s.t.Context()
	if err := s.Catalog.EndLeases(ctx); err != nil {
		return err
	}
	taken, err := s.Catalog.TakeAll(ctx, uploads, catalogdb.Lease{Owner: "test", For: time.Hour}, time.Now())
	if err != nil {
		return err
	}
	var batch pipelines.Batch
	for i, u := range uploads {
		if taken[i].Token != "" {
			batch.Tasks = append(batch.Tasks, pipelines.Task{Bucket: u.Bucket, Object: u.Object, Generation: u.Generation, Size: u.Size, Token: taken[i].Token})
		}
	}
	if len(batch.Tasks) > 0 {
		p, root := beam.NewPipelineWithRoot()
		pipelines.Ingest(root, s.Config, beam.CreateList(root, []pipelines.Batch{batch}))
		if err := runDirect(ctx, p); err != nil {
			return err
		}
	}
	return s.publish()
}

// publish publishes settings and releases, one after the other, and writes the verdicts.
func (s *site) publish() error {
	releases, err := s.Catalog.Releases(s.t.Context())
	if err != nil {
		return err
	}
	if n := len(releases); n > 0 && releases[n-1].Published == releases[n-1].Revision.Number {
		s.PublishRelease(s.t.Context(), releases[n-1].Release, "") // nothing is to be done
	}
	return s.publishBehind()
}

// publishBehind publishes the releases and settings that are behind, one after the other, and writes the verdicts.
func (s *site) publishBehind() error {
	ctx := s.t.Context()
	releases, err := s.Catalog.Unpublished(ctx)
	if err != nil {
		return err
	}
	for _, r := range releases {
		s.PublishRelease(ctx, r, "") // the catalog says how it ended
	}
	s.WriteVerdicts(ctx)
	behind, err := s.Catalog.UnpublishedSettings(ctx)
	if err != nil {
		return err
	}
	for _, r := range behind {
		if err := s.Publisher.Settings(ctx, r); err != nil {
			return err
		}
	}
	return nil
}

// bytes returns an object of the bucket.
func (s *site) bytes(key string) []byte {
	s.t.Helper()
	body, _, err := s.Bucket.Get(s.t.Context(), key)
	if err != nil {
		s.t.Fatal(err)
	}
	defer body.Close()
	all, err := io.ReadAll(body)
	if err != nil {
		s.t.Fatal(err)
	}
	return all
}
