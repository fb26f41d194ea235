package pipelines

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"

	"repomill/ingest"
	"repomill/pipelines/objects"
	"repomill/schemas/catalog"
	"repomill/schemas/catalogdb"
)

// An uploadSource opens uploads: those of staging, and promotions, whose bytes are in the published bucket.
type uploadSource struct {
	staging ingest.Staging
	bucket  objects.Bucket
	catalog *catalogdb.DB
}

// Open implements [ingest.Staging]. A promotion whose package was withdrawn since is rejected.
func (s uploadSource) Open(ctx context.Context, u catalog.Upload) (io.ReadCloser, catalog.Pusher, error) {
	if !u.Promoted() {
		return s.staging.Open(ctx, u)
	}
	p, err := s.catalog.Promotion(ctx, u)
	if errors.Is(err, catalogdb.ErrNotFound) {
		return nil, catalog.Pusher{}, gone("the package that was to be copied is not in the catalog any more: push it to this place")
	}
	if err != nil {
		return nil, catalog.Pusher{}, err
	}
	k := p.Source
	name := fmt.Sprintf("%s %s %s", k.Name, k.Version, k.Arch)
	if k.State != catalog.Active {
		why := ""
		if k.Yank != nil {
			why = fmt.Sprintf(" (%.200q)", k.Yank.Reason)
		}
		return nil, catalog.Pusher{}, &catalog.Rejection{Reason: catalog.YankedIdentity,
			Detail: fmt.Sprintf("%s was withdrawn from %s%s before it was copied; repomill unyank brings it back there, then promote it again", name, k.Place(), why)}
	}
	body, _, err := s.bucket.Get(ctx, k.Key)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, catalog.Pusher{}, gone(fmt.Sprintf("the file of %s in %s is missing from the published bucket (%s): restore it there, then promote it again", name, k.Place(), k.Key))
	}
	if err != nil {
		return nil, catalog.Pusher{}, err
	}
	return &publishedBody{ReadCloser: body, key: k.Key, want: u.Generation, sum: sha256.New()}, catalog.Pusher{User: p.By.User, Job: p.By.Job}, nil
}

func gone(detail string) *catalog.Rejection {
	return &catalog.Rejection{Reason: catalog.Replaced, Detail: detail}
}

// A publishedBody is the bytes of a published package, which have to be those that its row names.
type publishedBody struct {
	io.ReadCloser
	key, want string
	sum       hash.Hash
}

// Key returns the object whose bytes these are, so that the store can copy it by itself.
func (b *publishedBody) Key() string { return b.key }

func (b *publishedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	b.sum.Write(p[:n]) //nolint:errcheck // never fails
	if errors.Is(err, io.EOF) {
		if got := hex.EncodeToString(b.sum.Sum(nil)); got != b.want {
			return n, &catalog.Rejection{Reason: catalog.BadDigest,
				Detail: fmt.Sprintf("the published bucket has other bytes under %s than were published: sha256 %s, not %s; restore the file, then promote it again", b.key, got, b.want)}
		}
	}
	return n, err
}
