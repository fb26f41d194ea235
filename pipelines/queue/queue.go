// Package queue delivers news of staged objects to the dispatcher.
package queue

import (
	"context"

	"repomill/schemas/catalog"
)

// A Source delivers uploads as they arrive, at least once, in any order. It may lose some: the
// dispatcher's sweep finds those.
type Source interface {
	// Receive calls f for each event, possibly concurrently, until ctx ends or the source fails. f
	// returns when the event is queued; to return late is to hold the source back.
	Receive(ctx context.Context, f func(Event)) error
}

// An Event says that an upload is there.
type Event struct {
	Upload catalog.Upload

	// Settle, unless it is nil, has to be called once: with true when the upload has its final verdict,
	// so that the event never comes again, or with false if this process is done with it and another
	// should have it. Until then the event is kept from others, as long as this process lives.
	Settle func(final bool)
}
