package main

import (
	"context"
	"errors"
	"sync"
	"time"

	"repomill/publish/pages/model"
	"repomill/schemas/catalog"
)

const (
	downloadDays = 30
	topDownloads = 10

	// downloadsAge is how long counts are used again: logs are counted a few times an hour, and summing them up takes a second in a
	// large catalog.
	downloadsAge = 5 * time.Minute
	// downloadsTime is how long a report waits for counts. Without them it has all else.
	downloadsTime = 3 * time.Second
	// maxDownloadCounts bounds the repositories whose counts are kept.
	maxDownloadCounts = 1000
)

// downloadCounts has the downloads of repositories in the last days, for a while.
type downloadCounts struct {
	sums func(context.Context, catalog.StatisticsQuery) ([]catalog.StatisticsRow, error)

	mu   sync.Mutex
	kept map[catalog.Repository]keptDownloads
}

type keptDownloads struct {
	at     time.Time
	counts *model.DownloadsStatus // nil if they took too long
}

// of returns the downloads of a repository at a time, or nil if they cannot be counted within [downloadsTime].
func (d *downloadCounts) of(ctx context.Context, r catalog.Repository, now time.Time) (*model.DownloadsStatus, error) {
	d.mu.Lock()
	k, ok := d.kept[r]
	d.mu.Unlock()
	if age := now.Sub(k.at); ok && age >= 0 && age < downloadsAge {
		return k.counts, nil
	}
	limited, cancel := context.WithTimeout(ctx, downloadsTime)
	defer cancel()
	counts, err := d.count(limited, r, now)
	if err != nil && (ctx.Err() != nil || !errors.Is(limited.Err(), context.DeadlineExceeded)) {
		return nil, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.kept) >= maxDownloadCounts || d.kept == nil {
		d.kept = map[catalog.Repository]keptDownloads{}
	}
	d.kept[r] = keptDownloads{now, counts}
	return counts, nil
}

func (d *downloadCounts) count(ctx context.Context, r catalog.Repository, now time.Time) (*model.DownloadsStatus, error) {
	first := now.UTC().AddDate(0, 0, 1-downloadDays)
	q := catalog.StatisticsQuery{Owner: r.Owner, Name: r.Name, Since: first.Unix() / (24 * 60 * 60), By: []catalog.StatisticsField{catalog.ByPackage}}
	rows, err := d.sums(ctx, q)
	if err != nil {
		return nil, err
	}
	counts := &model.DownloadsStatus{Since: first.Format(time.DateOnly)}
	for i, row := range rows {
		counts.Total += row.Count
		if i < topDownloads {
			counts.Top = append(counts.Top, model.DownloadCount{Package: row.Values[0], Downloads: row.Count})
		}
	}
	return counts, nil
}
