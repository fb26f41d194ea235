package pipelines_test

import (
	"fmt"
	"testing"
	"time"

	"repomill/pipelines"
	"repomill/schemas/catalogdb"
	"repomill/schemas/gzipmember"
)

// A run is continued by a request for the same indexes of the same rows only.
func TestReindexContinuesTheSameOnly(t *testing.T) {
	version := fmt.Sprint(gzipmember.Version)
	for _, tt := range []struct {
		fact     string
		recorded string
		want     pipelines.ReindexRequest
		same     bool
	}{
		{"the same", "rows/" + version, pipelines.ReindexRequest{Source: pipelines.FromRows}, true},
		{"what another version made", "rows/0", pipelines.ReindexRequest{Source: pipelines.FromRows}, false},
		{"what a run did without looking for damage", "rows/" + version, pipelines.ReindexRequest{Source: pipelines.FromRows, Repair: true}, false},
		{"a repair", "rows+repair/" + version, pipelines.ReindexRequest{Source: pipelines.FromRows, Repair: true}, true},
		{"what may have been repaired only", "rows+repair/" + version, pipelines.ReindexRequest{Source: pipelines.FromRows}, false},
		{"what is published", "published/" + version, pipelines.ReindexRequest{Source: pipelines.FromPublished}, true},
		{"what is published, after the rows", "rows/" + version, pipelines.ReindexRequest{Source: pipelines.FromPublished}, false},
	} {
		t.Run(tt.fact, func(t *testing.T) {
			t.Parallel()
			s := newSite(t, runDirect)
			s.ingest(s.batch(append(s.putDebs(jammy, "p", 1), s.putDebs(noble, "p", 1)...)...))
			var err error
			if tt.want.Releases, err = s.Select(t.Context(), nil); err != nil {
				t.Fatal(err)
			}
			old, left, err := s.Catalog.StartReindex(t.Context(), nil, tt.recorded, "test", tt.want.Releases, time.Now())
			if err == nil {
				err = s.Catalog.RecordReindexed(t.Context(), old.ID, left[0], catalogdb.OutcomeIdentical, "", time.Now())
			}
			if err == nil {
				_, err = s.Catalog.FinishReindex(t.Context(), old, catalogdb.ReindexInterrupted, time.Now())
			}
			if err != nil {
				t.Fatal(err)
			}
			w := newWatcher()
			state, err := (&pipelines.ReindexRunner{Resources: s.Resources, Run: s.run, Watcher: w}).Reindex(t.Context(), tt.want)
			if err != nil || state != catalogdb.ReindexDone {
				t.Errorf("the run is %q, %v", state, err)
			}
			want := map[bool]int{true: 1, false: 2}[tt.same] // releases, and runs
			runs := s.runs()
			if len(w.results) != want || (runs[0].ID == old.ID) != tt.same || len(runs) != want || pipelines.SourceOf(runs[0]) != tt.want.Source {
				t.Errorf("%d releases were reindexed, want %d; the runs are %+v", len(w.results), want, runs)
			}
		})
	}
}

// A run that is cancelled, or continued elsewhere, while it finishes its last release is not done.
func TestReindexEndedByOthers(t *testing.T) {
	for _, tt := range []struct {
		fact   string
		others func(db *catalogdb.DB, s *site, id int64) error // while the release is in hand
		state  catalogdb.ReindexState
		err    error
	}{
		{"cancelled", func(db *catalogdb.DB, s *site, id int64) error {
			_, err := db.CancelReindex(s.t.Context(), id, time.Now())
			return err
		}, catalogdb.ReindexCancelled, nil},
		{"continued", func(db *catalogdb.DB, s *site, id int64) error {
			version := fmt.Sprint(gzipmember.Version)
			run, _, err := db.StartReindex(s.t.Context(), nil, "rows/"+version, "other", nil, time.Now().Add(2*catalogdb.ReindexSilence))
			if err == nil && run.ID != id {
				err = fmt.Errorf("it is run %d, want %d", run.ID, id)
			}
			return err
		}, catalogdb.ReindexInterrupted, pipelines.ErrTakenOver},
	} {
		t.Run(tt.fact, func(t *testing.T) {
			t.Parallel()
			s := newSite(t, runDirect)
			s.ingest(s.batch(s.putDebs(jammy, "p", 1)...))
			w := newWatcher()
			w.busy = func(string) {
				if err := tt.others(s.Catalog, s, s.runs()[0].ID); err != nil {
					t.Error(err)
				}
			}
			state, err := s.reindex(t.Context(), w, pipelines.FromRows, false)
			if state != tt.state || err != tt.err || len(w.results) > 1 { // none if the run saw that while it was at work
				t.Errorf("the run is %q, %v, with %+v; want %q, %v", state, err, w.results, tt.state, tt.err)
			}
			if got := s.runs()[0].State; got == catalogdb.ReindexDone {
				t.Errorf("the catalog has it as %q", got)
			}
		})
	}
}
