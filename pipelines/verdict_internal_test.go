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

// withRejected returns resources whose catalog has a rejected upload without a verdict object.
func withRejected(t *testing.T, s objects.Staging) (*Resources, catalog.Upload) {
	t.Helper()
	db, err := catalogdb.Open("sqlite://" + t.TempDir() + "/catalog.db")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	if err := db.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	u := catalog.Upload{Bucket: "staging", Object: "acme/tools/ubuntu/jammy/a.deb", Generation: "1"}
	token, _, err := db.Take(t.Context(), u, catalogdb.Lease{Owner: "worker", For: time.Minute}, time.Now())
	if err == nil {
		err = db.Reject(t.Context(), u, token, catalog.Rejection{Reason: catalog.BadField}, time.Now())
	}
	if err != nil {
		t.Fatal(err)
	}
	return &Resources{Catalog: db, Staging: s, Log: slog.New(slog.DiscardHandler), metrics: newMetrics()}, u
}

// No verdict is recorded as written that was not.
func TestAVerdictInTheWayMayVanish(t *testing.T) {
	s := &vanishing{}
	r, u := withRejected(t, s)
	if written, err := r.writeVerdictsOf(t.Context(), []catalog.Upload{u}); err != nil || !slices.Equal(written, []catalog.Upload{u}) || s.puts != 2 {
		t.Errorf("written %v after %d writes, %v; want it after two", written, s.puts, err)
	}
}

// Callers that wait for a round share the next one, and none joins a round that has begun without what it finished.
func TestVerdictRoundsAreShared(t *testing.T) {
	var v verdictRounds
	first, leads := v.join()
	second, follows := v.join()
	if !leads || follows || first != second {
		t.Errorf("two callers that wait do not share a round: %v, %v", leads, follows)
	}
	v.begin()
	if third, leads := v.join(); !leads || third == first {
		t.Error("a caller joins a round that has begun")
	}
}

// A caller whose round was given up, since the one that ran it had to end, runs one itself.
func TestVerdictRoundThatWasGivenUpIsRepeated(t *testing.T) {
	r, u := withRejected(t, &vanishing{})
	round, _ := r.verdicts.join()
	finished := make(chan []catalog.Upload)
	go func() { finished <- r.WriteVerdicts(t.Context()) }()
	r.verdicts.begin()
	close(round.done)
	if got := <-finished; !slices.Equal(got, []catalog.Upload{u}) {
		t.Errorf("written are %v, want %v", got, u)
	}
}

func TestNamesOf(t *testing.T) {
	a, b := catalog.Upload{Object: "a.deb", Generation: "1"}, catalog.Upload{Object: "b.deb", Generation: "2"}
	if got, want := NamesOf([]catalog.Upload{a, b}), "a.deb#1 b.deb#2"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got := NamesOf(slices.Repeat([]catalog.Upload{a}, 1000)); len(got) > 100 {
		t.Errorf("a thousand uploads are named in %d bytes", len(got))
	}
}
