package pages

import (
	"context"
	"encoding/json"
	"time"

	"golang.org/x/sync/errgroup"

	"repomill/publish/keys"
	"repomill/publish/pages/model"
	"repomill/publish/sign"
	"repomill/publish/tree"
	"repomill/schemas/catalog"
	"repomill/schemas/layout"
)

// VerifyPeriod is how old a time of verification gets before the pointer is read back again.
const VerifyPeriod = time.Hour

// Verify reads the pointers of a repository back whose last verification is old, and brings the page of their revisions up to date. A
// repository that has no such page yet gets none.
func (m *Maker) Verify(ctx context.Context, r catalog.Repository) (done Counts, err error) {
	w := &work{Maker: m, repository: r}
	there, err := w.has(ctx, layout.StatusKey(r))
	if err == nil && there {
		err = w.guard(func() error { return w.status(ctx) })
	}
	return w.counts, err
}

// status brings the page of the revisions of a repository up to date. A release keeps the time at which its revision was verified for a
// while: so the page is written if something else has changed, or once in a while.
func (w *work) status(ctx context.Context) error {
	return w.replace(ctx, []string{layout.StatusKey(w.repository)}, func(old objects) ([]model.Page, error) {
		rows, err := w.Catalog.PageFront(ctx, w.repository, 0)
		if err != nil {
			return nil, err
		}
		set, err := w.Keys(ctx)
		if err != nil {
			return nil, err
		}
		f := w.frontOf(rows, set)
		w.verify(ctx, f.Releases, set, lastVerified(old[layout.StatusKey(w.repository)].body))
		return []model.Page{w.twin.Status(f)}, ctx.Err()
	})
}

// A verification is when a revision was verified.
type verification struct {
	revision catalog.Revision
	at       time.Time
}

// lastVerified returns what a page of revisions says of verifications, by release.
func lastVerified(page []byte) map[string]verification {
	var said struct {
		Releases []struct {
			Release string `json:"release"`
			catalog.Revision
			Verified *time.Time `json:"verified"`
		} `json:"releases"`
	}
	last := map[string]verification{}
	if json.Unmarshal(page, &said) != nil { // there is none, or of another form: all are verified again
		return last
	}
	for _, r := range said.Releases {
		if r.Verified != nil {
			last[r.Release] = verification{r.Revision, *r.Verified}
		}
	}
	return last
}

// verify sets when each release was verified last. It reads back the pointers of those for which that is long ago.
func (w *work) verify(ctx context.Context, releases []model.Release, set keys.Set, last map[string]verification) {
	now := w.Now().UTC().Truncate(time.Second)
	var ring *sign.Keyring
	var g errgroup.Group
	g.SetLimit(perPage)
	for i := range releases {
		r := &releases[i]
		if was, ok := last[r.Release.String()]; ok && was.revision == r.Revision {
			r.Verified = &was.at
			if now.Sub(was.at) < VerifyPeriod {
				continue
			}
		}
		if r.Revision == (catalog.Revision{}) {
			continue
		}
		if ring == nil {
			ring = trusted(set)
		}
		g.Go(func() error {
			switch ok, err := w.readBack(ctx, *r, *ring); {
			case err != nil && ctx.Err() == nil:
				w.Log.Warn("published pointer not verified", "release", r.Release.String(), "error", err)
			case ok:
				r.Verified = &now
			}
			return nil
		})
	}
	g.Wait() //nolint:errcheck // they are logged
}

// readBack reads the pointer of a release, and reports whether it is that of the revision, with a good signature.
func (w *work) readBack(ctx context.Context, r model.Release, ring sign.Keyring) (bool, error) {
	body, meta, err := tree.ReadSmall(ctx, w.Bucket, layout.PointerKey(r.Release))
	if err != nil || meta.Version == "" {
		return false, err
	}
	ptr, err := tree.OpenPointer(ctx, w.Bucket, ring, r.Release, body)
	return err == nil && ptr.Revision == r.Revision, err
}

// trusted returns the keys that may have signed published pointers; none if they cannot be read.
func trusted(set keys.Set) *sign.Keyring {
	var some []keys.Key
	for _, k := range set.Keys {
		if !k.Distrusted {
			some = append(some, k)
		}
	}
	ring := sign.Keyring{}
	if armored, err := keys.Public(some); err == nil && len(some) > 0 {
		ring, _ = sign.ReadKeyring(armored) //nolint:errcheck // it verifies nothing then
	}
	return &ring
}
