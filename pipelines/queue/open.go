package queue

import (
	"context"
	"fmt"
	"strings"

	"repomill/pipelines/objects/file"
	"repomill/schemas/layout"
)

// A Staging is the staging bucket that events are about: file.Staging or gcs.Staging.
type Staging interface {
	Name() string // as in the uploads
}

// Open opens the source of events that a URL names: dir://, which is the staging folder itself, or
// pubsub://project/subscription[?endpoint=host:port][&insecure=true], the subscription to which the
// staging bucket's notifications are delivered. Events of other buckets are not taken.
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
