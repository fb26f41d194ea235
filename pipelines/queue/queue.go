// Package queue receives notifications of new uploads: from a Pub/Sub subscription, or by watching a staging folder.
package queue

import (
	"context"

	"repomill/schemas/catalog"
)

// A Source delivers uploads as they arrive, at least once, in any order. It may lose some; the worker's periodic scan of
// staging finds those.
type Source interface {
	// Receive calls f for each event, possibly concurrently, until ctx ends, when it returns nil, or the source fails.
	// f may block: then the source delivers more slowly.
	Receive(ctx context.Context, f func(Event)) error
}

// An Event is a notification of an upload.
type Event struct {
	Upload catalog.Upload

	// Settle, unless it is nil, must be called once. Settle(true), after the catalog has committed the final state of
	// the upload, acknowledges the event. Settle(false) returns it to the source, for any process. Until then the source
	// does not deliver it to other processes, as long as this one lives. Further calls do nothing.
	Settle func(final bool)
}
