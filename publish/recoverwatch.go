package publish

import (
	"context"
	"iter"
	"time"

	"repomill/schemas/catalog"
	"repomill/schemas/stall"
)

// recoveryLog is the time between two log entries about a recovery, which also extend its lock on the release.
const recoveryLog = lockLength / 2

// A recoveryWatch watches the rows of a release while they are imported. They are read once to be checked, and then to be imported, perhaps
// several times.
// The lock is not extended within a transaction of the catalog, which would wait for itself: only a recovery reads rows outside of one.
type recoveryWatch struct {
	p       *Publisher
	release catalog.Release
	locked  bool      // extend the lock on the release
	due     time.Time // of the next log entry
	reading int       // 1 is the first one
	total   int       // rows of the first reading
}

// watch yields rows. It says that each is progress, logs how many there were, and keeps the lock on the release.
func (w *recoveryWatch) watch(ctx context.Context, rows iter.Seq2[catalog.Package, error]) iter.Seq2[catalog.Package, error] {
	return func(yield func(catalog.Package, error) bool) {
		w.reading++
		n := 0
		for k, err := range rows {
			n++
			stall.Moved(ctx)
			if now := w.p.now(); now.After(w.due) {
				w.due = now.Add(recoveryLog)
				w.log(ctx, n)
			}
			if !yield(k, err) {
				return
			}
		}
		if w.reading == 1 {
			w.total = n
		}
	}
}

func (w *recoveryWatch) log(ctx context.Context, n int) {
	if w.reading == 1 {
		w.p.log.Info("published rows are checked before they are imported", "release", w.release.String(), "rows", n)
	} else {
		w.p.log.Info("published rows are imported", "release", w.release.String(), "rows", n, "of", w.total)
	}
	if !w.locked {
		return
	}
	if _, err := w.p.catalog.LockRelease(ctx, w.release, w.p.name, lockLength, w.p.now()); err != nil {
		w.p.log.Debug("release not locked", "release", w.release.String(), "error", err)
	}
}
