package gcs

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// errStalled is the cause of a context that a watchdog ended.
var errStalled = errors.New("no progress")

// A watchdog ends its context when a request makes no progress for a while. Retries are no progress.
type watchdog struct {
	context.Context
	cancel context.CancelCauseFunc
	timer  *time.Timer
	limit  time.Duration
}

// watch returns a watchdog that is awake. The caller stops it.
func watch(ctx context.Context, limit time.Duration) *watchdog {
	w := &watchdog{limit: limit}
	w.Context, w.cancel = context.WithCancelCause(ctx)
	w.timer = time.AfterFunc(limit, func() { w.cancel(errStalled) })
	return w
}

// feed tells of progress, or wakes the watchdog up.
func (w *watchdog) feed() { w.timer.Reset(w.limit) }

// sleep keeps the watchdog quiet while it is not the store that takes its time.
func (w *watchdog) sleep() { w.timer.Stop() }

func (w *watchdog) stop() {
	w.timer.Stop()
	w.cancel(nil)
}

// blame returns why a request really failed.
func (w *watchdog) blame(err error) error {
	if err != nil && errors.Is(context.Cause(w), errStalled) {
		return fmt.Errorf("%w for %v: %w", errStalled, w.limit, err)
	}
	return err
}
