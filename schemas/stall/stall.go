// Package stall ends work that makes no progress. Its limit is one on silence and not on time, so that large work reaches its end, and work
// that hangs does not go on.
package stall

import (
	"context"
	"fmt"
	"time"
)

// An Error says that work made no progress for so long.
type Error struct{ Limit time.Duration }

// Error implements error.
func (e *Error) Error() string { return fmt.Sprintf("no progress for %s", e.Limit) }

// Timeout says that a repeat may succeed.
func (e *Error) Timeout() bool { return true }

type key struct{}

// A watch ends a context when its timer fires.
type watch struct {
	limit time.Duration
	timer *time.Timer
}

// Limit returns a context that ends, with an [Error] as its cause, once nothing that has it has called [Moved] for the time d. cancel is to be
// called when the work has ended.
func Limit(ctx context.Context, d time.Duration) (limited context.Context, cancel context.CancelFunc) {
	limited, end := context.WithCancelCause(ctx)
	w := watch{d, time.AfterFunc(d, func() { end(&Error{d}) })}
	return context.WithValue(limited, key{}, w), func() { w.timer.Stop(); end(nil) }
}

// Moved says that work with a context, or one above it from [Limit], has made progress. It may be called concurrently.
func Moved(ctx context.Context) {
	if w, ok := ctx.Value(key{}).(watch); ok && ctx.Err() == nil {
		w.timer.Reset(w.limit)
	}
}

// Explain returns err, with why its context ended if that was for want of progress.
func Explain(ctx context.Context, err error) error {
	if cause, ok := context.Cause(ctx).(*Error); ok && err != nil {
		return fmt.Errorf("%w: %w", cause, err)
	}
	return err
}
