package gcs

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// errStalled is the cause of a context that a watchdog has ended.
var errStalled = errors.New("no progress")

// A watchdog ends its context when a request makes no progress for a time. A retry is not progress.
type watchdog struct {
	context.Context
	cancel context.CancelCauseFunc
	timer  *time.Timer
	limit  time.Duration
}

// watch returns a running watchdog. The caller stops it.
func watch(ctx context.Context, limit time.Duration) *watchdog {
	w := &watchdog{limit: limit}
	w.Context, w.cancel = context.WithCancelCause(ctx)
	w.timer = time.AfterFunc(limit, func() { w.cancel(errStalled) })
	return w
}

// feed restarts the time of the watchdog after progress, and resumes it after sleep.
func (w *watchdog) feed() { w.timer.Reset(w.limit) }

// sleep suspends the watchdog while the caller, and not the store, is waited for.
func (w *watchdog) sleep() { w.timer.Stop() }

func (w *watchdog) stop() {
	w.timer.Stop()
	w.cancel(nil)
}

// blame returns the cause of a failed request: [errStalled] if the watchdog has ended it.
func (w *watchdog) blame(err error) error {
	if err != nil && errors.Is(context.Cause(w), errStalled) {
		return fmt.Errorf("%w for %v: %w", errStalled, w.limit, err)
	}
	return err
}
