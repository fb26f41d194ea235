// Package pipelines takes staged objects to published releases, as bounded Beam pipelines that are
// the same on every runner. Package worker runs them.
//
// DoFns are shells: they name resources by URL, open them once per process, and call the plain
// functions of packages ingest and publish.
package pipelines

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"strconv"
	"sync"
	"time"

	"repomill/ingest"
	"repomill/pipelines/awsidentity"
	"repomill/pipelines/objects"
	"repomill/publish"
	"repomill/publish/collect"
	"repomill/publish/pages"
	"repomill/publish/snapshot"
	"repomill/schemas/catalogdb"
	"repomill/schemas/layout"
)

// A Config names the resources of a pipeline. It travels with the pipeline's DoFns: it holds URLs and
// never a secret.
type Config struct {
	Staging        string            // gs:// or file:// URL of the staging bucket; empty for a process that ingests no uploads
	Bucket         string            // s3:// or file:// URL of the published bucket
	Catalog        string            // mysql:// or sqlite:// URL
	SigningKey     string            // URLs of the signing keys, see [JoinKeys]: file:// with armoured private keys, gcpkms:// or awskms://; empty for a worker, who only prepares
	PassphraseFile string            // path of a file with the passphrases of keys in files, one a line; empty for none
	CacheDir       string            // where rendered indexes are kept for the next revision and the next process; empty for temporary files of the system
	CacheSize      int64             // how many bytes of them; 0 for [publish.DefaultCache]
	PublicURL      string            // where clients find the bucket's keys, without a slash at the end
	Distributions  string            // path of a file that extends the distribution table; empty for none
	Create         bool              // create what is not declared
	MaxPackageSize int64             // bytes
	Retention      time.Duration     // of what was superseded or withdrawn, and of finished uploads in staging; 0 for [DefaultRetention]
	History        time.Duration     // of what happened: uploads, published revisions, changes; 0 for [DefaultHistory]
	AWS            awsidentity.Flags // who a worker of an engine is to AWS; zero for what the context has
	MaxContents    int64             // bytes of the largest DEB whose list of files and changelog are read for pages; 0 for none
	UploadLimit    time.Duration     // how long one attempt at an upload may take, besides a second for each MiB; 0 for [DefaultUploadLimit]
}

// DefaultRetention is how long what clients may still ask for is kept, unless configured otherwise.
const DefaultRetention = collect.DefaultRetention

// DefaultHistory is how long it is remembered what happened, unless configured otherwise, and MinHistory how long at least: Pub/Sub
// repeats notifications for up to 31 days.
const (
	DefaultHistory = 365 * 24 * time.Hour
	MinHistory     = 32 * 24 * time.Hour
)

// DefaultUploadLimit is how long one attempt at a small upload may take, unless configured otherwise.
const DefaultUploadLimit = 5 * time.Minute

// limit returns how long one attempt at an upload of so many bytes may take. In company it has a small
// part of that: the others of its batch shall not wait for it.
func (c Config) limit(size int64, alone bool) time.Duration {
	limit := cmp.Or(c.UploadLimit, DefaultUploadLimit) + time.Duration(size>>20)*time.Second
	if !alone {
		return limit / 15
	}
	return limit
}

// Resources are what a Config names, opened.
type Resources struct {
	Config    Config
	Staging   objects.Staging
	Bucket    objects.Bucket
	Catalog   *catalogdb.DB
	Ingester  *ingest.Ingester
	Publisher *publish.Publisher
	Snapshots *snapshot.Snapshots
	Collector *collect.Collector
	Pages     *pages.Maker
	Log       *slog.Logger

	// OnPublish, if set before anything runs, is called after each publish that clients can see.
	OnPublish func(context.Context, publish.Result)

	metrics  *metrics
	keys     keyring
	leaving  sync.Mutex // one key is left out at a time
	verdicts verdictRounds
	clock    sharedClock
}

// opened holds the resources of this process by configuration: several instances of a DoFn share them,
// and they outlive every pipeline.
var opened = struct {
	sync.Mutex
	all map[Config]*Resources
}{all: map[Config]*Resources{}}

// Open returns the resources of a configuration, opening them if this process has not yet.
func Open(ctx context.Context, cfg Config) (*Resources, error) {
	opened.Lock()
	defer opened.Unlock()
	if r, ok := opened.all[cfg]; ok {
		return r, nil
	}
	r := &Resources{Config: cfg, Log: slog.Default(), metrics: newMetrics()}
	if err := r.open(ctx); err != nil {
		r.closeAll()
		return nil, err
	}
	opened.all[cfg] = r
	return r, nil
}

// Close closes the resources for the whole process, once nothing runs on them.
func (r *Resources) Close() {
	opened.Lock()
	defer opened.Unlock()
	delete(opened.all, r.Config)
	r.closeAll()
}

func (r *Resources) open(ctx context.Context) (err error) {
	cfg := r.Config
	ctx = cfg.AWS.Use(ctx)
	table, err := layout.ReadTable(cfg.Distributions)
	if err != nil {
		return err
	}
	if cfg.CacheDir != "" {
		if err := os.MkdirAll(cfg.CacheDir, 0o700); err != nil {
			r.Log.Warn("the folder of the cache cannot be made; publishing is slower without it, and nothing else changes", "error", err)
		}
	}
	if err := checkKeyFiles(cfg.SigningKey, cfg.PassphraseFile); err != nil { // before anything is asked that is far away
		return err
	}
	if cfg.Staging != "" {
		if r.Staging, err = objects.OpenStaging(ctx, cfg.Staging); err != nil {
			return err
		}
		if s, ok := r.Staging.(interface{ OnSkip(func(string, error)) }); ok {
			s.OnSkip(func(place string, why error) {
				r.Log.Warn("left out of staging", "place", strconv.Quote(place), "why", why)
			})
		}
	}
	if r.Bucket, err = objects.OpenBucket(ctx, cfg.Bucket); err != nil {
		return err
	}
	var signer publish.Signer // none, and no typed nil
	if cfg.SigningKey != "" {
		read, err := r.keys.read(ctx, r.Bucket, cfg)
		if err != nil {
			return err
		}
		r.keys.take(read)
		signer = read.signer
	}
	if r.Catalog, err = catalogdb.Open(cfg.Catalog); err != nil {
		return err
	}
	r.Ingester = &ingest.Ingester{
		Staging: uploadSource{r.Staging, r.Bucket, r.Catalog}, Bucket: r.Bucket, Catalog: r.Catalog, Table: table,
		Create: cfg.Create, MaxSize: cfg.MaxPackageSize, Now: time.Now, Log: r.Log,
	}
	r.Publisher, err = publish.New(publish.Config{
		Bucket: r.Bucket, Catalog: r.Catalog, Signer: signer, Rows: rowReader{}, PublicURL: cfg.PublicURL, Table: table, Now: time.Now, Log: r.Log,
		CacheDir: cfg.CacheDir, CacheSize: cfg.CacheSize, LeaveOut: r.leaveOut,
	})
	if err != nil {
		return err
	}
	r.Snapshots = snapshot.New(snapshot.Config{Bucket: r.Bucket, Publisher: r.Publisher, Log: r.Log})
	r.Pages = pages.New(pages.Config{
		Bucket: r.Bucket, Catalog: r.Catalog, Keys: r.pageKeys, Table: table, PublicURL: cfg.PublicURL, Now: time.Now, Log: r.Log,
	})
	r.Collector, err = collect.New(collect.Config{Bucket: r.Bucket, Catalog: r.Catalog, Rows: rowReader{}, Retention: cfg.Retention, Log: r.Log})
	return err
}

// Ready reports why nothing can be ingested or published now, if so: the catalog and the bucket are asked, and folders of this
// machine have room.
func (r *Resources) Ready(ctx context.Context) error {
	if err := r.Catalog.Ready(ctx); err != nil {
		return err
	}
	if _, err := r.Bucket.Stat(ctx, layout.SettingsPrefix+"probe"); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("bucket: %w", err)
	}
	if err := r.keys.ready(time.Now()); err != nil {
		return err
	}
	return r.room()
}

func (r *Resources) closeAll() {
	r.keys.close()
	if r.Publisher != nil {
		r.Publisher.Close()
	}
	if r.Staging != nil {
		r.Staging.Close()
	}
	if r.Bucket != nil {
		r.Bucket.Close()
	}
	if r.Catalog != nil {
		r.Catalog.Close()
	}
}
