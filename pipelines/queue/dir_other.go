//go:build !linux

package queue

import (
	"context"
	"time"
)

// Receive implements [Source]. A file is an event when it was left alone for a while.
func (d *Dir) Receive(ctx context.Context, f func(Event)) error { return d.poll(ctx, time.Second, f) }
