package pipelines_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"repomill/pipelines/worker"
	"repomill/publish/tree"
	"repomill/schemas/layout"
)

// setFormat writes the number of the bucket's format, as a later version of the program would.
func (s *site) setFormat(text string) {
	s.t.Helper()
	meta, err := s.Bucket.Stat(s.t.Context(), layout.FormatKey)
	if err != nil {
		s.t.Fatal(err)
	}
	if _, err := s.Bucket.Swap(s.t.Context(), meta.Version, layout.ObjectOf(layout.FormatKey), strings.NewReader(text)); err != nil {
		s.t.Fatal(err)
	}
}

func TestBucketOfALaterVersionIsLeftAlone(t *testing.T) {
	s := newSite(t, runDirect)
	if err := s.CheckFormat(t.Context()); err != nil {
		t.Fatalf("a new bucket: %v", err)
	}
	if written, err := tree.CheckFormat(t.Context(), s.Bucket); err != nil || !written {
		t.Fatalf("the format is not written down: %t, %v", written, err)
	}
	s.setFormat(fmt.Sprintf(`{"format": %d}`, tree.Format+1))
	newer, ok := errors.AsType[*tree.NewerFormat](s.CheckFormat(t.Context()))
	if !ok || newer.Bucket != tree.Format+1 {
		t.Errorf("got %v, want that the bucket has format %d", newer, tree.Format+1)
	}
	t.Run("a command does not begin", func(t *testing.T) {
		if err := s.CheckKey(t.Context()); !errors.As(err, &newer) {
			t.Errorf("got %v", err)
		}
	})
	t.Run("a collector removes nothing", func(t *testing.T) {
		if _, err := s.Collector.Sweep(t.Context()); !errors.As(err, &newer) {
			t.Errorf("got %v", err)
		}
	})
	t.Run("a worker ends", func(t *testing.T) {
		d := worker.Dispatcher{Resources: s.Resources, Source: mute, Run: s.run}
		if err := d.Serve(t.Context(), grace); !errors.As(err, &newer) {
			t.Errorf("got %v", err)
		}
	})
	t.Run("an object that is not readable is no reason to end", func(t *testing.T) {
		s.setFormat("{")
		if err := s.CheckFormat(t.Context()); err == nil || errors.As(err, &newer) || !strings.Contains(err.Error(), "restore an earlier version") {
			t.Errorf("got %v", err)
		}
	})
}
