package ingest_test

import (
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"repomill/ingest"
	"repomill/schemas/catalog"
	"repomill/testdata/debtest"
)

// storeTogether stores uploads as one batch, all at the same time.
func (s *site) storeTogether(uploads ...catalog.Upload) []error {
	s.t.Helper()
	together := s.Together(len(uploads), len(uploads))
	errs := make([]error, len(uploads))
	var running sync.WaitGroup
	for i, u := range uploads {
		running.Go(func() {
			defer together.Finished()
			_, errs[i] = together.Store(s.t.Context(), u)
		})
	}
	running.Wait()
	return errs
}

func TestTogetherAsksOnce(t *testing.T) {
	ingest.SetGatherTime(t, time.Minute) // the last one that asks ends it
	s := newSite(t)
	var uploads []catalog.Upload
	for i := range 8 {
		name := fmt.Sprintf("p%d", i)
		uploads = append(uploads, s.put("acme/tools/ubuntu/jammy/"+name+".deb", debtest.Build(t, debtest.Spec{Name: name})))
	}
	if err := errors.Join(s.storeTogether(uploads...)...); err != nil {
		t.Fatal(err)
	}
	if s.db.claims != 0 {
		t.Errorf("%d of %d packages were claimed alone", s.db.claims, len(uploads))
	}
	alone := s.put("acme/tools/ubuntu/jammy/alone.deb", debtest.Build(t, debtest.Spec{Name: "alone"}))
	if err := errors.Join(s.storeTogether(alone)...); err != nil || s.db.claims != 1 {
		t.Errorf("an upload without others: %v, %d claims; want one", err, s.db.claims)
	}
}

func TestTogetherJudgesEach(t *testing.T) {
	s := newSite(t)
	good := debtest.Build(t, debtest.Spec{Name: "good"})
	uploads := []catalog.Upload{
		s.put("acme/tools/ubuntu/jammy/good.deb", good),
		s.put("acme/tools/ubuntu/jammy/other.deb", debtest.Build(t, debtest.Spec{Name: "good", Size: 1000})),
		s.put("acme/tools/ubuntu/jammy/broken.deb", good[:len(good)/2]),
		s.put("acme/tools/ubuntu/jammy/beside.deb", debtest.Build(t, debtest.Spec{Name: "beside"})),
	}
	var conflicts, broken int
	for i, err := range s.storeTogether(uploads...) {
		rej, rejected := errors.AsType[*catalog.Rejection](err)
		switch {
		case rejected && rej.Reason == catalog.Conflict && i < 2:
			conflicts++
		case rejected && i == 2:
			broken++
		case err != nil:
			t.Errorf("%s: %v", uploads[i], err)
		}
	}
	if conflicts != 1 || broken != 1 {
		t.Errorf("%d conflicts and %d broken files; want one of each", conflicts, broken)
	}
}

// The questions of large packages do not wait for those of packages that wait for room themselves.
func TestTogetherWaitsForNoneWithoutRoom(t *testing.T) {
	ingest.SetGatherTime(t, 10*time.Second)
	s := newSite(t)
	together := s.Together(8, 8)
	together.Waits(6)
	start := time.Now()
	var running sync.WaitGroup
	for i := range 2 {
		name := fmt.Sprintf("p%d", i)
		u := s.put("acme/tools/ubuntu/jammy/"+name+".deb", debtest.Build(t, debtest.Spec{Name: name}))
		running.Go(func() {
			defer together.Waits(1) // the next one has not come
			if _, err := together.Store(t.Context(), u); err != nil {
				t.Error(err)
			}
		})
	}
	running.Wait()
	if took := time.Since(start); took > 5*time.Second {
		t.Errorf("two packages that had room waited for those that had none: %s", took)
	}
	if s.db.claims != 0 {
		t.Errorf("%d of 2 packages were claimed alone", s.db.claims)
	}
}
