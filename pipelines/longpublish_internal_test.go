package pipelines

import (
	"context"
	"io"
	"log/slog"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"repomill/publish"
	"repomill/publish/publishtest"
	"repomill/publish/sign"
	"repomill/schemas/catalog"
	"repomill/schemas/catalogdb"
	"repomill/schemas/layout"
)

// A distantBucket takes its time for each answer.
type distantBucket struct{ *publishtest.Bucket }

const distance = 40 * time.Second

func (b distantBucket) Get(ctx context.Context, key string) (io.ReadCloser, layout.Meta, error) {
	time.Sleep(distance)
	return b.Bucket.Get(ctx, key)
}

func (b distantBucket) Create(ctx context.Context, o layout.Object, body io.Reader) error {
	time.Sleep(distance)
	return b.Bucket.Create(ctx, o, body)
}

// A publish takes as long as it needs: its limit is one on silence. It was one on work, and a release that took longer never appeared.
func TestALongPublishReachesItsEnd(t *testing.T) {
	signer, err := sign.Generate("test", 2048, publishtest.Start.Add(-24*time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		db, err := catalogdb.Open("sqlite://" + filepath.Join(t.TempDir(), "catalog.db"))
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		if err := db.Migrate(t.Context()); err != nil {
			t.Fatal(err)
		}
		release := catalog.Release{Repository: catalog.Repository{Owner: "acme", Name: "tools"}, Distribution: catalog.Distribution{OS: "ubuntu", Version: "jammy"}}
		distro, rejected := layout.DefaultTable().Lookup(release.Distribution)
		if rejected != nil {
			t.Fatal(rejected)
		}
		if _, err := db.Declare(t.Context(), catalogdb.Declaration{Repository: release.Repository, Distro: distro}, publishtest.Start); err != nil {
			t.Fatal(err)
		}
		b := distantBucket{publishtest.NewBucket(t)}
		log := slog.New(slog.DiscardHandler)
		p, err := publish.New(publish.Config{Bucket: b, Catalog: db, Signer: signer, Rows: rowReader{}, PublicURL: "http://localhost:8080", Now: b.Now, Log: log})
		if err != nil {
			t.Fatal(err)
		}
		begin := time.Now()
		got, err := (&Resources{Catalog: db, Publisher: p, Log: log}).publish(t.Context(), release, "")
		if took := time.Since(begin); err != nil || !got.Changed || took <= PublishLimit {
			t.Errorf("%+v, %v after %s; want it published, after more than %s", got, err, took, PublishLimit)
		}
	})
}
