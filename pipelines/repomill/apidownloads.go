package main

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"repomill/publish/pages/model"
	"repomill/schemas/catalog"
)

const (
	downloadDays = 30
	topDownloads = 10

	// downloadsAge is how long counts are used again: logs are counted a few times an hour, and summing them up takes seconds in a
	// large catalog.
	downloadsAge = 5 * time.Minute
	// downloadsWait is how long a report waits for counts. Without them it has all else.
	downloadsWait = time.Second
	// downloadsTime bounds a count, which goes on for the next report.
	downloadsTime = time.Minute
	// maxDownloadCounts bounds the repositories whose counts are kept, and maxCounting those that wait for theirs.
	maxDownloadCounts = 1000
	maxCounting       = 20
)

// downloadCounts has the downloads of repositories in the last days, for a while. It counts those of one repository at a time.
type downloadCounts struct {
	sums func(context.Context, catalog.StatisticsQuery) ([]catalog.StatisticsRow, error)
	log  *slog.Logger
	wait time.Duration // as downloadsWait

	ctx  context.Context
	stop context.CancelFunc
	ends sync.WaitGroup
	turn sync.Mutex // of the count

	mu       sync.Mutex
	kept     map[catalog.Repository]*model.DownloadsStatus
	counting map[catalog.Repository]chan struct{} // closed when a count has ended
}

func newDownloadCounts(sums func(context.Context, catalog.StatisticsQuery) ([]catalog.StatisticsRow, error), log *slog.Logger) *downloadCounts {
	d := &downloadCounts{sums: sums, log: log, wait: downloadsWait, kept: map[catalog.Repository]*model.DownloadsStatus{}, counting: map[catalog.Repository]chan struct{}{}}
	d.ctx, d.stop = context.WithCancel(context.Background())
	return d
}

// close ends what is being counted. The catalog may be closed after that.
func (d *downloadCounts) close() {
	d.stop()
	d.ends.Wait()
}

// of returns the downloads of a repository at a time. While new ones are being counted, it returns the last ones; nil if there are none.
func (d *downloadCounts) of(ctx context.Context, r catalog.Repository, now time.Time) *model.DownloadsStatus {
	kept, done := d.begin(r, now)
	if done == nil {
		return kept
	}
	waited := time.NewTimer(d.wait)
	defer waited.Stop()
	select {
	case <-done:
	case <-waited.C:
	case <-ctx.Done():
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.kept[r]
}

// begin returns counts that are new enough, or what is closed when there are new ones.
func (d *downloadCounts) begin(r catalog.Repository, now time.Time) (*model.DownloadsStatus, chan struct{}) {
	d.mu.Lock()
	defer d.mu.Unlock()
	kept := d.kept[r]
	if kept != nil {
		if age := now.Sub(kept.At); 0 <= age && age < downloadsAge {
			return kept, nil
		}
	}
	done, ok := d.counting[r]
	if !ok && (len(d.counting) >= maxCounting || d.ctx.Err() != nil) {
		return kept, nil
	}
	if !ok {
		done = make(chan struct{})
		d.counting[r] = done
		d.ends.Go(func() { d.count(r, now, done) })
	}
	return kept, done
}

// count counts the downloads of a repository, and closes done.
func (d *downloadCounts) count(r catalog.Repository, now time.Time, done chan struct{}) {
	d.turn.Lock()
	ctx, cancel := context.WithTimeout(d.ctx, downloadsTime)
	counts, err := d.sum(ctx, r, now)
	cancel()
	d.turn.Unlock()
	if err != nil && d.ctx.Err() == nil {
		d.log.Warn("cannot count downloads", "repository", r.String(), "error", err)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.counting, r)
	close(done)
	if err != nil {
		return
	}
	if len(d.kept) >= maxDownloadCounts {
		clear(d.kept)
	}
	d.kept[r] = counts
}

func (d *downloadCounts) sum(ctx context.Context, r catalog.Repository, now time.Time) (*model.DownloadsStatus, error) {
	first := now.UTC().AddDate(0, 0, 1-downloadDays)
	rows, err := d.sums(ctx, catalog.StatisticsQuery{Owner: r.Owner, Name: r.Name, Since: first.Unix() / (24 * 60 * 60), By: []catalog.StatisticsField{catalog.ByPackage}})
	if err != nil {
		return nil, err
	}
	counts := &model.DownloadsStatus{At: now, Since: first.Format(time.DateOnly)}
	for i, row := range rows {
		counts.Total += row.Count
		if i < topDownloads {
			counts.Top = append(counts.Top, model.DownloadCount{Package: row.Values[0], Downloads: row.Count})
		}
	}
	return counts, nil
}
