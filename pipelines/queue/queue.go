// Package queue delivers news of staged objects to the dispatcher.
package queue

import (
	"context"

	"repomill/schemas/catalog"
)

// A Source delivers uploads as they arrive, at least once, in any order. It may lose some: the
// dispatcher's sweep finds those.
type Source interface {
	// Receive calls f for each upload, one after the other, until ctx ends or the source fails. f
	// returns when the upload is queued; to return late is to hold the source back.
	Receive(ctx context.Context, f func(catalog.Upload)) error
}
