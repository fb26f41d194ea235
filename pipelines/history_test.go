package pipelines_test

import (
	"errors"
	"log/slog"
	"testing"
	"time"

	"repomill/pipelines/worker"
	"repomill/schemas/catalogdb"
	"repomill/schemas/layout"
	"repomill/testdata/proctest"
)

// What is over long enough is forgotten, and a package that was pushed then is known: the same bytes are a duplicate.
func TestOldHistoryIsForgotten(t *testing.T) {
	t.Parallel()
	s := newSite(t, runDirect)
	uploads := s.finished("one", "two")
	s.cleanLater()
	s.wantStates("published", uploads...) // History is a year

	var log proctest.Output
	s.Resources.Config.History, s.Resources.Log = time.Nanosecond, slog.New(slog.NewTextHandler(&log, nil))
	d := worker.Dispatcher{Resources: s.Resources, Source: mute, Run: s.run, Once: true}
	if err := d.Serve(t.Context(), grace); err != nil {
		t.Fatal(err)
	}
	for _, u := range uploads {
		if state, err := s.Resources.Catalog.State(t.Context(), u); !errors.Is(err, catalogdb.ErrNotFound) {
			t.Errorf("%s is %q, %v; want it forgotten\n%s", u, state, err, log.String())
		}
	}
	again := s.put(jammy.String()+"/"+layout.StagedName(layout.NewID(), "one.deb"), deb(t, "one"))
	s.Resources.Config.History = 0
	stop := s.serve(mute, grace)
	proctest.Eventually(t, "the same bytes are a duplicate", func() bool { return s.state(again) == "duplicate" })
	wantStopped(t, stop)
}
