package pipelines

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"

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
			v, err := r.writeVerdict(ctx, u)
			first := false
			if err == nil || errors.Is(err, fs.ErrInvalid) { // a name that cannot have a verdict beside it
				first, err = r.Catalog.Told(ctx, u)
			}
			if err != nil {
				r.Log.Error("verdict not written; will be tried again", "upload", u.String(), "error", err)
				continue
			}
			told++
			if !first { // another process was faster, and counts it
				continue
			}
			r.metrics.told(v)
			level := slog.LevelInfo
			if v.State == catalog.Rejected {
				level = slog.LevelWarn
			}
			r.logUpload(level, u, string(v.State), "sha256", v.SHA256, "package", v.Package, "reason", string(v.Reason), "detail", v.Detail)
		}
		if len(uploads) < page || told == 0 {
			return
		}
	}
}

// logUpload writes the one line that a state change of an upload has in the log.
func (r *Resources) logUpload(level slog.Level, u catalog.Upload, state string, args ...any) {
	r.Log.Log(context.Background(), level, "upload "+state, append([]any{"bucket", u.Bucket, "object", u.Object, "generation", u.Generation}, args...)...)
}

// writeVerdict stores what the catalog says of an upload, unless a later upload of the same name has
// its verdict there. A verdict that came to its end meanwhile is written again, so that no other writer's
// end is lost under our beginning. It returns the verdict, even if it is not written.
func (r *Resources) writeVerdict(ctx context.Context, u catalog.Upload) (v catalog.Verdict, err error) {
	for {
		if v, err = r.Catalog.Verdict(ctx, u); err != nil {
			return v, err
		}
		later, version, err := r.hasLater(ctx, u, v)
		if later || err != nil {
			return v, err
		}
		err = r.putVerdict(ctx, u, version, v)
		if errors.Is(err, layout.ErrConflict) {
			continue // another process wrote one just now: look again whose is later
		}
		if err != nil || v.State.Final() {
			return v, err
		}
		again, err := r.Catalog.Verdict(ctx, u)
		if err != nil || again.State == v.State {
			return v, err
		}
	}
}

// hasLater reports whether the verdict object is that of a later upload than u, whose verdict is v. An
// upload that was overtaken may well be received later, so what is in staging now counts more than times.
// version is that of the verdict object.
func (r *Resources) hasLater(ctx context.Context, u catalog.Upload, v catalog.Verdict) (later bool, version layout.Version, err error) {
	body, version, err := r.Staging.Verdict(ctx, u.Object)
	if errors.Is(err, fs.ErrNotExist) {
		return false, "", nil
	}
	if err != nil {
		return false, "", fmt.Errorf("read verdict: %w", err)
	}
	var there catalog.Verdict
	if json.Unmarshal(body, &there) != nil || there.Generation == v.Generation {
		return false, version, nil
	}
	if now, err := r.Staging.Stat(ctx, u.Object); err == nil && (now.Generation == there.Generation || now.Generation == v.Generation) {
		return now.Generation == there.Generation, version, nil
	}
	return there.Received.After(v.Received), version, nil
}

func (r *Resources) putVerdict(ctx context.Context, u catalog.Upload, old layout.Version, v catalog.Verdict) error {
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
	return r.Staging.PutVerdict(ctx, u.Object, old, append(body, '\n'))
}
