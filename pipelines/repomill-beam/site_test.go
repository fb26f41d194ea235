package main_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"maps"
	"path"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/apache/beam/sdks/v2/go/pkg/beam"
	//lint:ignore SA1019 it is the embedded default: what runs in this process runs on it
	"github.com/apache/beam/sdks/v2/go/pkg/beam/runners/direct"

	"repomill/ingest"
	"repomill/pipelines"
	"repomill/pipelines/objects"
	"repomill/publish/check"
	"repomill/publish/sign"
	"repomill/schemas/catalog"
	"repomill/schemas/catalogdb"
	"repomill/schemas/layout"
	"repomill/testdata/debtest"
	"repomill/testdata/gcstest"
	"repomill/testdata/mysqltest"
	"repomill/testdata/rpmtest"
	"repomill/testdata/s3test"
)

// A company is a site on real servers: Cloud Storage, MySQL and S3.
type company struct {
	*pipelines.Resources
	t   *testing.T
	gcs *gcstest.Server
}

// buckets counts those that were made, to name them.
var buckets atomic.Int64

// newCompany makes an empty site.
func newCompany(t *testing.T, s3 *s3test.Server) *company {
	t.Helper()
	gcs := gcstest.Start(t)
	cfg := pipelines.Config{
		Staging: gcs.URL("staging"), Bucket: s3.URL(fmt.Sprintf("packages-%d", buckets.Add(1))), Catalog: mysqltest.Start(t),
	}
	return &company{open(t, cfg), t, gcs}
}

// open makes the tables of a catalog, and opens the resources with it.
func open(t *testing.T, cfg pipelines.Config) *pipelines.Resources {
	t.Helper()
	cfg.SigningKey, cfg.PublicURL = "file://"+must(t, signingKey), "https://packages.example.org"
	cfg.Create, cfg.MaxPackageSize = true, ingest.DefaultMaxSize
	db, err := catalogdb.Open(cfg.Catalog)
	if err == nil {
		err = errors.Join(db.Migrate(t.Context()), db.Close())
	}
	if err != nil {
		t.Fatal(err)
	}
	r, err := pipelines.Open(context.WithoutCancel(t.Context()), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.Close)
	return r
}

// args returns the command line that carries what is staged.
func (c *company) args(more ...string) []string {
	cfg := c.Config
	return append([]string{
		"ingest", "--staging=" + cfg.Staging, "--bucket=" + cfg.Bucket, "--catalog=" + cfg.Catalog,
		"--signing-key=" + cfg.SigningKey, "--public-url=" + cfg.PublicURL, "--create=auto", "--log-format=text",
	}, more...)
}

// reindexArgs returns the command line that reindexes everything.
func (c *company) reindexArgs(more ...string) []string {
	cfg := c.Config
	return append([]string{
		"reindex", "--all", "--bucket=" + cfg.Bucket, "--catalog=" + cfg.Catalog,
		"--signing-key=" + cfg.SigningKey, "--public-url=" + cfg.PublicURL, "--log-format=text",
	}, more...)
}

// pagesArgs returns the command line that makes all pages.
func (c *company) pagesArgs(more ...string) []string {
	cfg := c.Config
	return append([]string{
		"pages", "--all", "--bucket=" + cfg.Bucket, "--catalog=" + cfg.Catalog, "--public-url=" + cfg.PublicURL, "--log-format=text",
	}, more...)
}

// A file is what is pushed under a name.
type file struct {
	object string
	body   []byte
}

// corpus is a little of everything: packages of both formats and of all kinds of architectures, the same
// one under another name, and garbage.
func corpus(t *testing.T) []file {
	const jammy, el9 = "acme/tools/ubuntu/jammy/", "acme/tools/el/9/"
	a := debtest.Build(t, debtest.Spec{Name: "alpha", Arch: "amd64"})
	return []file{
		{jammy + "a.deb", a},
		{jammy + "b.deb", debtest.Build(t, debtest.Spec{Name: "beta", Arch: "amd64"})},
		{jammy + "arm.deb", debtest.Build(t, debtest.Spec{Name: "alpha", Arch: "arm64"})},
		{jammy + "all.deb", debtest.Build(t, debtest.Spec{Name: "doc", Version: "1:2.0-1"})},
		{jammy + "extra/c.deb", debtest.Build(t, debtest.Spec{Name: "gamma", Arch: "amd64"})},
		{jammy + "copy-of-a.deb", a},
		{jammy + "garbage.deb", []byte("garbage")},
		{el9 + "hello.rpm", rpmtest.Build(t, rpmtest.Spec{Files: map[string]string{"/usr/bin/hello": "x"}})},
		{el9 + "noarch.rpm", rpmtest.Build(t, rpmtest.Spec{Name: "everywhere", Arch: "noarch"})},
		{el9 + "source.rpm", rpmtest.Build(t, rpmtest.Spec{Name: "source", Source: true})},
	}
}

// corpusEnds is how uploads of a corpus end.
var corpusEnds = map[string]int{"published": 8, "duplicate": 1, "rejected not-a-package": 1}

// corpusReleases are what a corpus is published in, with how many packages each has.
var corpusReleases = map[string]int{
	"acme/tools/ubuntu/jammy": 5, "acme/tools/el/9/x86_64": 2, "acme/tools/el/9/aarch64": 1, "acme/tools/el/9/SRPMS": 1,
}

// stage puts files into staging.
func stage(t *testing.T, r *pipelines.Resources, files []file) (uploads []catalog.Upload) {
	t.Helper()
	for _, f := range files {
		u, err := r.Staging.Put(t.Context(), f.object, bytes.NewReader(f.body), catalog.Pusher{})
		if err != nil {
			t.Fatal(err)
		}
		uploads = append(uploads, u)
	}
	return uploads
}

// ends returns in which states uploads are, and how many in each.
func (c *company) ends(uploads []catalog.Upload) map[string]int {
	c.t.Helper()
	ends := map[string]int{}
	for _, u := range uploads {
		v, err := c.Catalog.Verdict(c.t.Context(), u)
		if err != nil && !errors.Is(err, catalogdb.ErrNotFound) {
			c.t.Fatal(err)
		}
		ends[strings.TrimSpace(string(v.State)+" "+string(v.Reason))]++
	}
	return ends
}

// wantTold compares the verdict objects beside uploads with the catalog.
func (c *company) wantTold(uploads []catalog.Upload) {
	c.t.Helper()
	for _, u := range uploads {
		body, _, err := c.Staging.Verdict(c.t.Context(), u.Object)
		v, _ := c.Catalog.Verdict(c.t.Context(), u)
		if err != nil || !bytes.Contains(body, []byte(`"`+string(v.State)+`"`)) {
			c.t.Errorf("the verdict beside %s is %s, %v; want %s", u, body, err, v.State)
		}
	}
}

// newTwin makes an embedded site of the same files. It ingests them one after the other at the times at which the company
// ingested them, because RPM indexes contain those times.
func newTwin(t *testing.T, files []file, taken map[string]time.Time) *pipelines.Resources {
	t.Helper()
	dir := t.TempDir()
	r := open(t, pipelines.Config{Staging: "file://" + dir + "/staging", Bucket: "file://" + dir + "/bucket", Catalog: "sqlite://" + dir + "/catalog.db"})
	for i, u := range stage(t, r, files) {
		r.Ingester.Now = func() time.Time { return taken[sum(files[i].body)] }
		token, _, err := r.Catalog.Take(t.Context(), u, catalogdb.Lease{Owner: "test", For: time.Minute}, time.Now())
		if err != nil {
			t.Fatal(err)
		}
		task := pipelines.Task{Bucket: u.Bucket, Object: u.Object, Generation: u.Generation, Size: u.Size, Token: token}
		p, s := beam.NewPipelineWithRoot()
		pipelines.Ingest(s, r.Config, beam.Create(s, pipelines.Batch{Tasks: []pipelines.Task{task}}))
		if _, err := direct.Execute(t.Context(), p); err != nil {
			t.Fatal(err)
		}
	}
	publishAll(t, r)
	return r
}

// publishAll publishes the releases of a corpus.
func publishAll(t *testing.T, r *pipelines.Resources) {
	t.Helper()
	for _, name := range slices.Sorted(maps.Keys(corpusReleases)) {
		if res := r.PublishRelease(t.Context(), release(t, name), ""); res.Err != nil {
			t.Fatal(res.Err)
		}
	}
}

// taken returns when the packages of releases were taken, by digest.
func taken(t *testing.T, r *pipelines.Resources) map[string]time.Time {
	t.Helper()
	at := map[string]time.Time{}
	for name := range corpusReleases {
		for k, err := range r.Catalog.List(t.Context(), release(t, name), "") {
			if err != nil {
				t.Fatal(err)
			}
			at[k.File.SHA256] = k.Uploaded
		}
	}
	return at
}

// release parses the name of a release.
func release(t *testing.T, name string) catalog.Release {
	t.Helper()
	r, err := catalog.ParseRelease(name)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// immutables returns the digests of all that is in a bucket but pointers, their pairs, and what names a
// revision: of packages and indexes, by key.
func immutables(t *testing.T, b objects.Bucket) map[string]string {
	t.Helper()
	var keys []string
	err := b.List(t.Context(), "acme/", func(key string, _ layout.Meta) error {
		if !slices.Contains([]string{"InRelease", "Release", "Release.gpg", "repomd.xml", "repomd.xml.asc"}, path.Base(key)) {
			keys = append(keys, key)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]string{}
	for _, key := range keys {
		found[key] = sum(object(t, b, key))
	}
	return found
}

func object(t *testing.T, b objects.Bucket, key string) []byte {
	t.Helper()
	body, _, err := b.Get(t.Context(), key)
	if err != nil {
		t.Fatal(err)
	}
	defer body.Close()
	all, err := io.ReadAll(body)
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func sum(body []byte) string { return fmt.Sprintf("%x", sha256.Sum256(body)) }

// A tree reads a bucket as clients do.
type tree struct{ objects.Bucket }

// Open implements check.Tree.
func (t tree) Open(ctx context.Context, name string) (io.ReadCloser, error) {
	body, _, err := t.Get(ctx, name)
	return body, err
}

// wantReleases reads the releases of a corpus as clients do, every package with all its bytes.
func (c *company) wantReleases() {
	c.t.Helper()
	keyring, err := sign.ReadKeyring(c.Signer().Public())
	if err != nil {
		c.t.Fatal(err)
	}
	for name, packages := range corpusReleases {
		r, opt := release(c.t, name), check.Options{Content: true, Now: time.Now()}
		var got check.Release
		var problems []check.Problem
		if r.Arch == "" {
			got, problems, err = check.Apt(c.t.Context(), tree{c.Bucket}, layout.OSDir(r), r.Distribution.Version, keyring, opt)
		} else {
			got, problems, err = check.RPM(c.t.Context(), tree{c.Bucket}, layout.RPMDir(r), keyring, opt)
		}
		if err != nil || len(problems) > 0 || got.Packages != packages {
			c.t.Errorf("%s: %d packages, want %d; %v, %v", name, got.Packages, packages, problems, err)
		}
	}
}
