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
// to a later call: the catalog remembers.
func (r *Resources) tell(ctx context.Context) {
	r.telling.Lock()
	defer r.telling.Unlock()
	const page = 200
	for ctx.Err() == nil {
		uploads, err := r.Catalog.Untold(ctx, page)
		if err != nil {
			r.Log.Error("verdicts not written; will be tried again", "error", err)
			return
		}
		told := 0
		for _, u := range uploads {
			err := r.writeVerdict(ctx, u)
			if err == nil || errors.Is(err, fs.ErrInvalid) { // a name that cannot have a verdict beside it
				err = r.Catalog.Told(ctx, u)
			}
			if err != nil {
				r.Log.Error("verdict not written; will be tried again", "upload", u.String(), "error", err)
				continue
			}
			told++
		}
		if len(uploads) < page || told == 0 {
			return
		}
	}
}

// writeVerdict stores what the catalog says of an upload, unless a later upload of the same name has
// its verdict there. A verdict that came to its end meanwhile is written again, so that no other writer's
// end is lost under our beginning.
func (r *Resources) writeVerdict(ctx context.Context, u catalog.Upload) error {
	for {
		v, err := r.Catalog.Verdict(ctx, u)
		if err != nil {
			return err
		}
		if later, err := r.hasLater(ctx, u, v); later || err != nil {
			return err
		}
		if err := r.putVerdict(ctx, u, v); err != nil || v.State.Final() {
			return err
		}
		again, err := r.Catalog.Verdict(ctx, u)
		if err != nil || again.State == v.State {
			return err
		}
	}
}

// hasLater reports whether the verdict object is that of a later upload than u, whose verdict is v. An
// upload that was overtaken may well be received later, so what is in staging now counts more than times.
func (r *Resources) hasLater(ctx context.Context, u catalog.Upload, v catalog.Verdict) (bool, error) {
	body, err := r.Staging.Verdict(ctx, u.Object)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("read verdict: %w", err)
	}
	var there catalog.Verdict
	if json.Unmarshal(body, &there) != nil || there.Generation == v.Generation {
		return false, nil
	}
	if now, err := r.Staging.Stat(u.Object); err == nil && (now.Generation == there.Generation || now.Generation == v.Generation) {
		return now.Generation == there.Generation, nil
	}
	return there.Received.After(v.Received), nil
}

func (r *Resources) putVerdict(ctx context.Context, u catalog.Upload, v catalog.Verdict) error {
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
