package soak_test

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"repomill/pipelines/objects"
	"repomill/publish/check"
	"repomill/publish/sign"
	"repomill/schemas/catalogdb"
	"repomill/testdata/gcstest"
	"repomill/testdata/mysqltest"
	"repomill/testdata/porttest"
	"repomill/testdata/pubsubtest"
	"repomill/testdata/s3test"
)

// A site is an installation of repomill.
type site struct {
	t          *testing.T
	name       string
	staging    objects.Staging
	catalogURL string
	catalog    *catalogdb.DB
	tree       check.Tree // what clients can read, where they read it: the private repository through its door
	door       *door
	bucket     objects.Bucket
	daemons    []*daemon
	catalogs   []string // flags of commands that need the catalog alone
	everything []string // flags of commands that need all
	trees      []string // arguments of repomill check: what to read, one after the other
	web        string   // URL of a web server of the same, which is never down
	keyring    string   // file
	trusted    sign.Keyring
	backlog    int          // how many uploads without a verdict keep new ones from being pushed
	spent      atomic.Int64 // CPU time of commands, as a time.Duration
	servers    []*server    // that are killed, too
	outages    outages
	clockStep  time.Duration // by which the store's clock, of which publishes are recorded, may be behind
	reclaim    bool          // leases of the dead keep others away for a minute
}

// newEmbedded makes the site of repomill up.
func newEmbedded(t *testing.T) *site {
	t.Helper()
	data := filepath.Join(work, "embedded")
	s := newSite(t, "files and SQLite", data)
	resolver, edge := porttest.Free(t), porttest.Free(t)
	s.daemons = []*daemon{newDaemon(t, &s.outages, "embedded-up", "repomill ready", "up", "--data", data, "--listen", resolver, "--edge-listen", edge,
		"--ops-listen", "127.0.0.1:0", "--public-url", "http://packages.example.org", "--log-format", "json")}
	if err := errors.Join(s.daemons[0].start(), s.daemons[0].awaitReady(), s.daemons[0].stop()); err != nil { // makes everything
		t.Fatal(err)
	}
	s.open("file://"+data+"/staging", "file://"+data+"/bucket", "sqlite://"+data+"/catalog.db")
	s.tree, s.trees = check.Dir(data+"/bucket"), []string{data + "/bucket"}
	s.catalogs, s.everything = []string{"--data", data}, []string{"--data", data, "--public-url", "http://packages.example.org"}
	s.manage()
	s.door = newDoor(s, s.tree, "http://"+resolver, "http://"+edge)
	s.tree = s.door
	s.serve()
	s.backlog, s.clockStep = 60, 2*time.Millisecond // the catalog has milliseconds
	return s
}

// newProduction makes the site of two workers.
func newProduction(t *testing.T) *site {
	t.Helper()
	data := filepath.Join(work, "production")
	s := newSite(t, "S3 and MySQL", data)
	database, gcs, pubsub, s3 := mysqltest.NewServer(t), gcstest.Start(t), pubsubtest.Start(t), s3test.Start(t)
	catalog := database.Database(t)
	s.servers = []*server{
		{name: "MariaDB", kill: func() error { database.Kill(t); return nil }, start: func(context.Context) error { return database.Revive() }},
		{name: "S3", kill: s3.Kill, start: s3.Restart},
	}
	gcs.Notify = func(payload []byte, attrs map[string]string) { pubsub.Publish(payload, attrs) }
	staging, events, bucket, key := gcs.URL("acme-staging"), pubsub.URL("repomill"), s3.URL("acme-packages"), "file://"+data+"/signing-key.asc"
	s.catalogs = []string{"--catalog", catalog}
	s.everything = []string{"--catalog", catalog, "--bucket", bucket, "--signing-key", key, "--public-url", "http://packages.example.org"}
	s.must("migrate", "--catalog", catalog)
	s.must("repo", "create", "--no-wait", "--catalog", catalog, "acme/tools", "--distribution", "ubuntu/jammy", "--distribution", "ubuntu/noble", "--distribution", "el/9", "--component", "extra")
	s.manage()
	for _, name := range []string{"production-worker-1", "production-worker-2"} {
		s.daemons = append(s.daemons, newDaemon(t, &s.outages, name, "worker started", "worker", "--staging", staging, "--events", events, "--catalog", catalog, "--bucket", bucket,
			"--signing-key", key, "--public-url", "http://packages.example.org", "--cache", filepath.Join(data, name), "--ops-listen", "127.0.0.1:0"))
	}
	s.open(staging, bucket, catalog)
	s.tree = steadyTree{objectTree{s3.Client(), "acme-packages"}, s}
	s.door = newProductionDoor(s, bucket, data)
	s.tree = s.door
	s.serve()
	for _, place := range []string{"ubuntu/dists/jammy", "ubuntu/dists/noble", "el/9/x86_64", "el/9/aarch64", "el/9/SRPMS"} {
		s.trees = append(s.trees, s.web+"/acme/tools/"+place)
	}
	s.backlog, s.reclaim = 300, true
	s.clockStep = 3 * time.Second // HTTP has whole seconds, and the server reads its clock once in a second
	return s
}

// manage creates the repositories of the manager.
func (s *site) manage() {
	s.t.Helper()
	for name, visibility := range map[string]string{"life": "public", "vault": "private"} {
		s.must(append([]string{"repo", "create", "--no-wait", "acme/" + name, "--visibility", visibility, "--distribution", "ubuntu/jammy,ubuntu/noble,el/9"}, s.catalogs...)...)
	}
}

// absent reports whether an error says that an object is not there.
func (s *site) absent(err error) bool { return errors.Is(err, fs.ErrNotExist) }

// newSite makes what both have: a folder with the keys.
func newSite(t *testing.T, name, data string) *site {
	t.Helper()
	s := &site{t: t, name: name, keyring: filepath.Join(data, "trusted.asc")}
	signer, err := signingKey()
	if err != nil {
		t.Fatal(err)
	}
	private, err := signer.Private()
	if err == nil {
		s.trusted, err = sign.ReadKeyring(signer.Public())
	}
	err = errors.Join(err, os.MkdirAll(data, 0o755), os.WriteFile(s.keyring, signer.Public(), 0o644), os.WriteFile(filepath.Join(data, "signing-key.asc"), private, 0o600))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// open opens what the test itself writes and reads.
func (s *site) open(staging, bucket, catalog string) {
	s.t.Helper()
	var err, failed error
	s.catalogURL = catalog
	s.staging, err = objects.OpenStaging(s.t.Context(), staging)
	failed = errors.Join(failed, err)
	s.bucket, err = objects.OpenBucket(s.t.Context(), bucket)
	failed = errors.Join(failed, err)
	s.catalog, err = catalogdb.Open(catalog)
	if failed = errors.Join(failed, err); failed != nil {
		s.t.Fatal(failed)
	}
	s.t.Cleanup(func() {
		s.staging.Close() //nolint:errcheck // nothing is lost
		s.bucket.Close()  //nolint:errcheck // likewise
		s.catalog.Close() //nolint:errcheck // likewise
	})
}

// must runs a command that must succeed.
func (s *site) must(args ...string) answer {
	s.t.Helper()
	a, err := s.ask(0, args...)
	if err != nil || a.Code != 0 {
		s.t.Fatalf("%v, %v", err, a)
	}
	return a
}

// calm returns for how long all daemons have been at work undisturbed, with all servers.
func (s *site) calm() time.Duration {
	least := time.Duration(1<<63 - 1)
	if last := s.outages.last(); !last.IsZero() {
		least = time.Since(last)
	}
	for _, d := range s.daemons {
		up := d.calm()
		if up.IsZero() {
			return 0
		}
		least = min(least, time.Since(up))
	}
	return least
}

// An objectTree reads what S3 gives to clients, without the program.
type objectTree struct {
	client *awss3.Client
	bucket string
}

// Open implements check.Tree.
func (o objectTree) Open(ctx context.Context, name string) (io.ReadCloser, error) {
	out, err := o.client.GetObject(ctx, &awss3.GetObjectInput{Bucket: aws.String(o.bucket), Key: aws.String(name)})
	if _, ok := errors.AsType[*types.NoSuchKey](err); ok {
		return nil, fs.ErrNotExist
	}
	if err != nil {
		return nil, err
	}
	return out.Body, nil
}

// serve serves that with a web server.
func (s *site) serve() {
	web := httptest.NewServer(s.serveTree())
	s.t.Cleanup(web.Close)
	s.web = web.URL
}

// serveTree serves what clients can read, as a web server in front of the bucket does.
func (s *site) serveTree() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := read(r.Context(), s.tree, strings.TrimPrefix(r.URL.Path, "/"))
		switch {
		case errors.Is(err, fs.ErrNotExist):
			http.NotFound(w, r)
		case err != nil:
			http.Error(w, err.Error(), http.StatusBadGateway)
		default:
			http.ServeContent(w, r, "", time.Time{}, strings.NewReader(string(body)))
		}
	})
}

// maxObject bounds what is read of an object, in bytes.
const maxObject = 64 << 20

// read returns the bytes of an object.
func read(ctx context.Context, t check.Tree, key string) ([]byte, error) {
	body, err := t.Open(ctx, key)
	if err != nil {
		return nil, err
	}
	defer body.Close()
	return io.ReadAll(io.LimitReader(body, maxObject))
}
