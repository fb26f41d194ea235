package kms

import (
	"context"
	"time"
)

// OpenWithin is [Open] with other limits.
func OpenWithin(ctx context.Context, rawURL string, attempt, total time.Duration) (*Key, error) {
	return open(ctx, rawURL, limits{attempt: attempt, total: total, pause: time.Millisecond})
}
