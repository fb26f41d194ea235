package pipelines

import (
	"context"
	"io/fs"
	"log/slog"
	"slices"
	"testing"
	"time"

	"repomill/pipelines/objects"
	"repomill/schemas/catalog"
	"repomill/schemas/catalogdb"
	"repomill/schemas/layout"
)

// vanishing is staging in which a verdict is in the way, which another process removes before it is looked at.
type vanishing struct {
	objects.Staging
	puts int
}

func (v *vanishing) PutVerdict(context.Context, string, layout.Version, []byte) error {
	if v.puts++; v.puts == 1 {
		return layout.ErrConflict
	}
	return nil
}

func (v *vanishing) Verdict(context.Context, string) ([]byte, layout.Version, error) {
	return nil, "", fs.ErrNotExist
}

// No verdict is recorded as written that was not.
func TestAVerdictInTheWayMayVanish(t *testing.T) {
	db, err := catalogdb.Open("sqlite://" + t.TempDir() + "/catalog.db")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if err := db.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	u := catalog.Upload{Bucket: "staging", Object: "acme/tools/ubuntu/jammy/a.deb", Generation: "1"}
	token, _, err := db.Take(t.Context(), u, catalogdb.Lease{Owner: "worker", For: time.Minute}, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Reject(t.Context(), u, token, catalog.Rejection{Reason: catalog.BadField}, time.Now()); err != nil {
		t.Fatal(err)
	}
	s := &vanishing{}
	r := &Resources{Catalog: db, Staging: s, Log: slog.New(slog.DiscardHandler), metrics: newMetrics()}
	if written, err := r.writeVerdictsOf(t.Context(), []catalog.Upload{u}); err != nil || !slices.Equal(written, []catalog.Upload{u}) || s.puts != 2 {
		t.Errorf("written %v after %d writes, %v; want it after two", written, s.puts, err)
	}
}
