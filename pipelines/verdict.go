package pipelines

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"

	"repomill/schemas/catalog"
	"repomill/schemas/layout"
)

// tell writes the verdict objects of finished uploads that nobody was told of yet. What fails is left
// to the next call: the catalog remembers.
func (r *Resources) tell(ctx context.Context) {
	r.telling.Lock()
	defer r.telling.Unlock()
	for {
		const page = 200
		uploads, err := r.Catalog.Untold(ctx, page)
		if err != nil {
			r.Log.Error("verdicts not written; the sweep tries again", "error", err)
			return
		}
		for _, u := range uploads {
			err := r.writeVerdict(ctx, u)
			if err == nil || errors.Is(err, fs.ErrInvalid) { // a name that cannot have a verdict beside it
				err = r.Catalog.Told(ctx, u)
			}
			if err != nil {
				r.Log.Error("verdict not written; the sweep tries again", "upload", u.String(), "error", err)
				return
			}
		}
		if len(uploads) < page {
			return
		}
	}
}

// writeVerdict stores what the catalog says of an upload, unless a later upload of the same name has
// its verdict there already.
func (r *Resources) writeVerdict(ctx context.Context, u catalog.Upload) error {
	v, err := r.Catalog.Verdict(ctx, u)
	if err != nil {
		return err
	}
	old, err := r.Staging.Verdict(ctx, u.Object)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("read verdict: %w", err)
	}
	var there catalog.Verdict
	if json.Unmarshal(old, &there) == nil && there.Generation != v.Generation && there.Received.After(v.Received) {
		return nil
	}
	for i, w := range v.Releases {
		release, err := catalog.ParseRelease(w.Release)
		if err != nil {
			return err
		}
		v.Releases[i].Pointer = r.Config.PublicURL + "/" + layout.PointerKey(release)
	}
	body, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return err
	}
	return r.Staging.PutVerdict(ctx, u.Object, append(body, '\n'))
}
