package queue

import (
	"context"
	"fmt"
	"strings"

	"repomill/pipelines/objects/file"
	"repomill/schemas/layout"
)

// A Staging is the staging bucket of the events: file.Staging or gcs.Staging.
type Staging interface {
	Name() string // the bucket in uploads
}

// Open opens the notification source of a URL: dir:// for a staging folder, or
// pubsub://project/subscription[?endpoint=host:port][&insecure=true] for the subscription to which the notifications of
// the staging bucket are delivered. Messages about other buckets are not acknowledged.
func Open(ctx context.Context, rawURL string, staging Staging) (Source, error) {
	switch scheme, rest, _ := strings.Cut(rawURL, "://"); scheme {
	case "dir":
		folder, ok := staging.(*file.Staging)
		if !ok {
			return nil, fmt.Errorf("--events %q watches a folder, but --staging is bucket %q; use pubsub://project/subscription", layout.Shown(rawURL), staging.Name())
		}
		if rest != "" {
			return nil, fmt.Errorf("--events %q: the folder is that of --staging; use dir:// alone", layout.Shown(rawURL))
		}
		return NewDir(folder), nil
	case "pubsub":
		return openPubSub(ctx, rawURL, staging.Name())
	default:
		return nil, fmt.Errorf("--events %q: use pubsub://project/subscription, or dir:// for a staging folder", layout.Shown(rawURL))
	}
}
