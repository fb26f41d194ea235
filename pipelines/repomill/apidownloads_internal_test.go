package main

import (
	"context"
	"errors"
	"log/slog"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"repomill/publish/pages/model"
	"repomill/schemas/catalog"
	"repomill/testdata/proctest"
)

// Counts are kept for a while, and slow ones make no report wait.
func TestDownloadCounts(t *testing.T) {
	t.Parallel()
	tools := catalog.Repository{Owner: "acme", Name: "tools"}
	now := time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)
	var asked atomic.Int64
	var fails atomic.Bool
	var rows []catalog.StatisticsRow
	for i := range 12 {
		rows = append(rows, catalog.StatisticsRow{Values: []string{"p" + strconv.Itoa(i)}, Count: int64(100 - i)})
	}
	hold := make(chan struct{})
	close(hold)
	sums := func(ctx context.Context, q catalog.StatisticsQuery) ([]catalog.StatisticsRow, error) {
		asked.Add(1)
		if q.Owner != "acme" || q.Name != "tools" || q.Since != 20758 {
			t.Errorf("asked for %+v, want the 30 days since 2026-11-01, day 20758", q)
		}
		if fails.Load() {
			return nil, errors.New("away")
		}
		select {
		case <-hold:
			return rows, nil
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	d := newDownloadCounts(sums, slog.New(slog.DiscardHandler))
	defer d.close()
	d.wait = time.Minute
	want := &model.DownloadsStatus{At: now, Since: "2026-11-01", Total: 1134}
	for i := range topDownloads {
		want.Top = append(want.Top, model.DownloadCount{Package: "p" + strconv.Itoa(i), Downloads: int64(100 - i)})
	}
	for range 3 {
		if diff := cmp.Diff(want, d.of(t.Context(), tools, now)); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	}
	if n := asked.Load(); n != 1 {
		t.Errorf("counted %d times, want 1", n)
	}

	fails.Store(true)
	later := now.Add(downloadsAge)
	if diff := cmp.Diff(want, d.of(t.Context(), tools, later)); diff != "" {
		t.Errorf("while the catalog does not count, the last counts (-want +got):\n%s", diff)
	}
	fails.Store(false)
	if got := d.of(t.Context(), tools, later); got == nil || !got.At.Equal(later) {
		t.Errorf("got %+v, want counts of %s", got, later)
	}

	hold = make(chan struct{})
	d.wait = time.Millisecond
	again := later.Add(downloadsAge)
	for range 3 {
		if got := d.of(t.Context(), tools, again); got == nil || !got.At.Equal(later) {
			t.Errorf("while they are being counted: got %+v, want those of %s", got, later)
		}
	}
	close(hold)
	proctest.Eventually(t, "the counts that were waited for are there", func() bool {
		got := d.of(t.Context(), tools, again)
		return got != nil && got.At.Equal(again)
	})
	if n := asked.Load(); n != 4 {
		t.Errorf("counted %d times, want 4", n)
	}
}

func TestDownloadCountsEndWithTheProcess(t *testing.T) {
	t.Parallel()
	begun := make(chan struct{})
	d := newDownloadCounts(func(ctx context.Context, _ catalog.StatisticsQuery) ([]catalog.StatisticsRow, error) {
		close(begun)
		<-ctx.Done()
		return nil, ctx.Err()
	}, slog.New(slog.DiscardHandler))
	d.wait = 0
	r := catalog.Repository{Owner: "acme", Name: "tools"}
	if got := d.of(t.Context(), r, time.Unix(0, 0)); got != nil {
		t.Errorf("got %+v", got)
	}
	<-begun
	d.close()
	if got := d.of(t.Context(), r, time.Unix(0, 0)); got != nil {
		t.Errorf("after the end: %+v", got)
	}
}
