package pipelines_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"repomill/pipelines/objects"
	"repomill/pipelines/worker"
	"repomill/publish/collect"
	"repomill/schemas/catalog"
	"repomill/schemas/catalogdb"
	"repomill/schemas/layout"
	"repomill/testdata/gcstest"
	"repomill/testdata/proctest"
)

// onEachStaging runs a test with a staging folder and with a bucket.
func onEachStaging(t *testing.T, test func(*testing.T, *site)) {
	t.Run("a folder", func(t *testing.T) { t.Parallel(); test(t, newSite(t, runDirect)) })
	t.Run("a bucket", func(t *testing.T) {
		t.Parallel()
		dir := t.TempDir()
		writeKey(t, dir)
		cfg := configOf(dir)
		cfg.Staging = gcstest.Start(t).URL("staging")
		migrate(t, cfg.Catalog)
		test(t, openSite(t, dir, cfg, runDirect))
	})
}

// finished stages packages of the release jammy, as push does, and returns them once they have their verdicts.
func (s *site) finished(names ...string) (uploads []catalog.Upload) {
	s.t.Helper()
	for _, name := range names {
		uploads = append(uploads, s.put(jammy.String()+"/"+layout.StagedName(layout.NewID(), name+".deb"), deb(s.t, name)))
	}
	stop := s.serve(mute, grace)
	proctest.Eventually(s.t, "the packages are published", func() bool { return s.allAre("published", uploads) })
	for _, u := range uploads {
		proctest.Eventually(s.t, "the verdict is written", func() bool { return s.verdict(u.Object).State.Final() })
	}
	wantStopped(s.t, stop)
	return uploads
}

// cleanLater runs a dispatcher once that finds the retention period over. Nothing may wait to be published.
func (s *site) cleanLater() {
	s.t.Helper()
	cfg := s.Resources.Config
	s.Resources.Config.Retention = time.Nanosecond
	defer func() { s.Resources.Config = cfg }()
	d := worker.Dispatcher{Resources: s.Resources, Source: mute, Run: s.run, Once: true}
	if err := d.Serve(s.t.Context(), grace); err != nil {
		s.t.Error(err)
	}
}

// staged says what there is of an upload in staging: its object, its verdict, both or neither.
func (s *site) staged(u catalog.Upload) (what string) {
	s.t.Helper()
	now, err := s.Staging.Stat(s.t.Context(), u.Object)
	if err == nil && now.Generation == u.Generation {
		what = "object "
	} else if err != nil && !errors.Is(err, fs.ErrNotExist) {
		s.t.Fatal(err)
	}
	if s.verdict(u.Object).Generation == u.Generation {
		what += "verdict"
	}
	return strings.TrimSpace(what)
}

func (s *site) wantStaged(want string, uploads ...catalog.Upload) {
	s.t.Helper()
	for _, u := range uploads {
		if got := s.staged(u); got != want {
			s.t.Errorf("of %s there is %q in staging, want %q", u, got, want)
		}
	}
}

// A verdict goes with what it is about, at the end of the retention period. One on something else of the same name stays.
func TestVerdictsGoWithTheirObjects(t *testing.T) {
	t.Parallel()
	onEachStaging(t, func(t *testing.T, s *site) {
		all := s.finished("old", "replaced")
		s.wantStaged("object verdict", all...)
		replaced := all[1].Object
		_, version, err := s.Staging.Verdict(t.Context(), replaced)
		if err == nil {
			err = s.Staging.PutVerdict(t.Context(), replaced, version, []byte(`{"generation":"other"}`))
		}
		if err != nil {
			t.Fatal(err)
		}
		s.cleanLater()
		s.wantStaged("", all...)
		if v := s.verdict(replaced); v.Generation != "other" {
			t.Errorf("the verdict of another generation is gone: %+v", v)
		}
		if v := s.verdict(all[0].Object); v.Object != "" {
			t.Errorf("there is a verdict: %+v", v)
		}
		s.wantStates("published", all...)
	})
}

// A torn staging loses deletions of verdicts, and counts how many objects are being deleted.
type tornStaging struct {
	objects.Staging
	lost          atomic.Int64 // deletions of verdicts that are still to be lost
	deleting, max atomic.Int64
}

func (s *tornStaging) Delete(ctx context.Context, u catalog.Upload) error {
	n := s.deleting.Add(1)
	defer s.deleting.Add(-1)
	for m := s.max.Load(); n > m && !s.max.CompareAndSwap(m, n); m = s.max.Load() {
	}
	time.Sleep(5 * time.Millisecond)
	return s.Staging.Delete(ctx, u)
}

func (s *tornStaging) DeleteVerdict(ctx context.Context, object string, old layout.Version) error {
	if s.lost.Add(-1) >= 0 {
		return errFault
	}
	return s.Staging.DeleteVerdict(ctx, object, old)
}

// What ended between the object and its verdict goes on with the next pass. Not all of it happens at the same time.
func TestCleaningGoesOnAfterAFault(t *testing.T) {
	t.Parallel()
	onEachStaging(t, func(t *testing.T, s *site) {
		var names []string
		for i := range 24 {
			names = append(names, fmt.Sprintf("hello%02d", i))
		}
		all := s.finished(names...)
		torn := &tornStaging{Staging: s.Resources.Staging}
		torn.lost.Store(3)
		s.Resources.Staging = torn
		s.cleanLater()
		var left []catalog.Upload
		for _, u := range all {
			if s.staged(u) != "" {
				left = append(left, u)
			}
		}
		if len(left) != 3 {
			t.Errorf("%d are left, want 3", len(left))
		}
		s.wantStaged("verdict", left...)
		s.cleanLater()
		s.wantStaged("", all...)
		if n := torn.max.Load(); n < 2 || n > 8 {
			t.Errorf("%d were deleted at the same time, want 2 to 8", n)
		}
	})
}

// What removed a file from the bucket at once removes it from staging, too: the worker does that, also when another process asked for it. Other
// packages, and another file that has taken the name since, stay.
func TestRemovedPackagesLeaveStaging(t *testing.T) {
	t.Parallel()
	onEachStaging(t, func(t *testing.T, s *site) {
		all := s.finished("doomed", "kept", "replaced")
		next := s.put(all[2].Object, deb(t, "next"))
		stop := s.serve(mute, grace)
		defer func() { wantStopped(t, stop) }()
		proctest.Eventually(t, "the next package has its verdict", func() bool { return s.staged(next) == "object verdict" && s.verdict(next.Object).State.Final() })

		other, err := catalogdb.Open(s.Config.Catalog) // as in another process
		if err != nil {
			t.Fatal(err)
		}
		defer other.Close()
		collector, err := collect.New(collect.Config{Bucket: s.Bucket, Catalog: other, Log: s.Log})
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range []string{"doomed", "replaced"} {
			w := catalogdb.PackageSelector{Repository: jammy.Repository, Distribution: jammy.Distribution, Name: name, Version: "1.0"}
			packages, err := other.Yank(t.Context(), w, catalog.Yank{Reason: "leaked"}, time.Now())
			if err == nil {
				_, err = collector.RemoveNow(t.Context(), packages)
			}
			if err != nil || len(packages) != 1 {
				t.Fatal(packages, err)
			}
			proctest.Eventually(t, "it has left staging", func() bool {
				left, err := other.DoomedOf(t.Context(), packages[0])
				return err == nil && len(left) == 0
			})
		}
		s.wantStaged("", all[0], all[2])
		s.wantStaged("object verdict", all[1], next)
		s.wantStates("published", append(all, next)...)
	})
}
