package upload

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"path"
	"slices"
	"strings"
	"time"

	"repomill/schemas/catalog"
	"repomill/schemas/layout"
	"repomill/serve/api"
)

// staged is the state of an upload that no worker has begun with.
const staged catalog.UploadState = "staged"

// A Report is the answer about an upload: its verdict, or what is known so far.
type Report struct {
	ID  string `json:"id"`
	URL string `json:"url"` // to ask again, or to wait: ?wait=30s
	catalog.Verdict
}

// Why says why an upload was rejected.
func (r Report) Why() string {
	return fmt.Sprintf("%s: %s", r.Reason, layout.ShownIn(r.Detail, r.Object))
}

func (h *Handler) report(v catalog.Verdict) Report {
	v.State = cmp.Or(v.State, staged)
	v.Releases = slices.Clone(v.Releases) // others who waited have the same
	for i, released := range v.Releases {
		if release, err := catalog.ParseRelease(released.Release); err == nil {
			v.Releases[i].Pointer = h.PublicURL + "/" + layout.PointerKey(release)
		}
	}
	id := idOf(v.Object)
	return Report{ID: id, URL: h.PublicURL + VerdictPath + id, Verdict: v}
}

// verdict answers what became of an upload, and waits for it if asked to. A settled state is answered with 200, another one
// with 202.
func (h *Handler) verdict(w http.ResponseWriter, r *http.Request, p api.Principal) error {
	wait, err := waitOf(r)
	if err != nil {
		return api.Invalid("wait", err.Error())
	}
	object, at, ok := parseID(strings.TrimPrefix(r.URL.Path, VerdictPath))
	if !ok || !p.Looks(at.Repository) || at.Embargo && !p.May(api.Push, at.Repository) && !p.May(api.Manage, at.Repository) {
		return absent
	}
	h.allowWait(w)
	v, err := h.find(r.Context(), object, wait)
	switch {
	case errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrInvalid):
		return absent
	case err != nil:
		return &api.Error{Status: http.StatusServiceUnavailable, Message: "what became of the upload cannot be found out now; it goes on: ask again", RetryAfter: retryAfter, Cause: err}
	case v.State.Settled():
		api.WriteJSON(w, http.StatusOK, h.report(v))
	default:
		api.WriteJSON(w, http.StatusAccepted, h.report(v))
	}
	return nil
}

// absent answers alike for an upload that never was and for one that the caller may not know of.
var absent = api.NotFound("there is no upload with this ID for this token: it was never accepted, has not arrived yet, or is older than the retention of uploads")

// find returns the verdict on an upload as it is now, or as it is after the wait. The catalog says it; the verdict object in
// staging does where the catalog does not, as after its loss.
func (h *Handler) find(ctx context.Context, object string, wait time.Duration) (catalog.Verdict, error) {
	u, err := h.Staging.Stat(ctx, object)
	if errors.Is(err, fs.ErrNotExist) {
		return h.written(ctx, object)
	}
	if err != nil {
		return catalog.Verdict{}, err
	}
	waiting, cancel := h.waiting(ctx, cmp.Or(wait, longestLook))
	defer cancel()
	v, known, err := h.hub.await(waiting, u, wait > 0)
	if err == nil && known {
		return v, nil
	}
	written, failed := h.written(ctx, object)
	switch {
	case failed == nil && written.Generation == u.Generation:
		return written, nil
	case err != nil:
		return catalog.Verdict{}, err
	}
	return catalog.Verdict{Object: u.Object, Generation: u.Generation, Size: u.Size}, nil
}

// longestLook bounds an answer that is not waited for.
const longestLook = 10 * time.Second

// written returns the verdict object of a staged object, or fs.ErrNotExist.
func (h *Handler) written(ctx context.Context, object string) (v catalog.Verdict, err error) {
	body, _, err := h.Staging.Verdict(ctx, object)
	if err != nil {
		return v, err
	}
	return v, json.Unmarshal(body, &v)
}

// File returns the name of the file, as its pusher called it.
func (r Report) File() string {
	_, file := layout.CutID(path.Base(r.Object))
	return file
}
