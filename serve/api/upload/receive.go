package upload

import (
	"cmp"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"syscall"
	"time"

	"repomill/schemas/catalog"
	"repomill/schemas/layout"
	"repomill/serve/api"
)

// receive stores the body of an upload, and answers what is known of it then.
func (h *Handler) receive(w http.ResponseWriter, r *http.Request, body *received) {
	p, err := api.Caller(w, r, h.Callers)
	if err != nil {
		return
	}
	req, refused := parse(r, p.ID, h.Table)
	if refused == nil {
		refused = h.permit(p, req.at.Repository, r.ContentLength)
	}
	if refused != nil {
		refused.answer(w)
		return
	}
	free, why := h.slots.take(p.ID)
	if free == nil {
		api.FailFor(w, http.StatusTooManyRequests, 2*time.Second, why)
		return
	}
	defer free()
	body.begin(w, r, h, req.digest)
	u, sum, refused := h.store(r, req, p, body)
	if refused != nil {
		w.Header().Set("Connection", "close") // what is left of the body is not read
		refused.answer(w)
		return
	}
	free()
	body.end()
	h.accepted(w, r, accepted{u, sum}, req.wait)
}

// permit refuses, before the body is read, what the caller may not do or staging has no room for.
func (h *Handler) permit(p api.Principal, repository catalog.Repository, size int64) *refusal {
	switch {
	case !p.Known(repository):
		return &refusal{status: http.StatusNotFound, message: fmt.Sprintf("there is no repository %s for this token: correct the path, or use a token of the repository", repository)}
	case !p.May(api.Push, repository):
		return &refusal{status: http.StatusForbidden, message: fmt.Sprintf("this token may not push to %s: use one with the right push", repository)}
	case size > h.Limits.MaxSize:
		return tooLarge(h.Limits.MaxSize)
	case size == 0:
		return &refusal{status: http.StatusUnprocessableEntity, field: "file", reason: catalog.Empty, message: "the file is empty"}
	}
	if h.Room == nil {
		return nil
	}
	switch free, err := h.Room(); {
	case err != nil:
		return h.down("room", err)
	case free < max(size, 0)+spareRoom:
		h.Log.Error("staging is full: uploads are refused", "free", free)
		return full()
	}
	return nil
}

// spareRoom is how many bytes stay free, for what the worker writes beside uploads.
const spareRoom = 64 << 20

func tooLarge(limit int64) *refusal {
	return &refusal{status: http.StatusRequestEntityTooLarge, reason: catalog.TooLarge, message: fmt.Sprintf("the file is larger than %d bytes, which is the limit here", limit)}
}

func full() *refusal {
	return &refusal{status: http.StatusInsufficientStorage, message: "the server has no room for the file; nothing of it was kept: try again when its operator has made room"}
}

// down is the answer if staging does not work. Its hosts and paths are in the log only.
func (h *Handler) down(what string, err error) *refusal {
	h.Log.Error("staging cannot be used", "call", what, "error", err)
	return &refusal{status: http.StatusServiceUnavailable, message: "the file cannot be stored now; nothing of it was kept: try again"}
}

// store puts a body into staging. If the same upload is there already, that one is returned.
func (h *Handler) store(r *http.Request, req request, p api.Principal, body *received) (u catalog.Upload, sum string, refused *refusal) {
	there, err := h.Staging.Stat(r.Context(), req.object) // says also, before the body is sent, whether staging works
	switch {
	case err == nil && req.retriable:
		return h.same(r, req, there, body)
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return u, "", h.down("stat", err)
	}
	by := catalog.Pusher{User: p.Name, Job: cmp.Or(p.Job, r.Header.Get("Repomill-Job"))}
	u, err = h.Staging.Create(r.Context(), req.object, body, by)
	switch {
	case err == nil:
		sum := hex.EncodeToString(body.hash.Sum(nil))
		h.Log.Info("upload accepted", "object", u.Object, "generation", u.Generation, "size", body.n, "sha256", sum, "by", by.User, "principal", p.ID, "job", by.Job)
		return u, sum, nil
	case body.err != nil:
		return u, "", body.refusal()
	case errors.Is(err, fs.ErrExist):
		if there, err = h.Staging.Stat(r.Context(), req.object); err != nil {
			return u, "", h.down("stat", err)
		}
		return h.same(r, req, there, body)
	case errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT):
		h.Log.Error("staging is full", "error", err)
		return u, "", full()
	default:
		return u, "", h.down("create", err)
	}
}

// accepted is an upload that is in staging.
type accepted struct {
	catalog.Upload
	sum string // SHA-256
}

// accepted answers an upload that is in staging, after its verdict or, if that takes longer than wait, as it is then.
func (h *Handler) accepted(w http.ResponseWriter, r *http.Request, a accepted, wait time.Duration) {
	v := catalog.Verdict{}
	if wait > 0 {
		ctx, cancel := h.waiting(r.Context(), wait)
		defer cancel()
		var err error
		if v, _, err = h.hub.await(ctx, a.Upload, true); err != nil {
			h.Log.Warn("catalog: the verdict on an upload cannot be found out", "object", a.Object, "error", err)
		}
	}
	v.Object, v.Generation, v.SHA256, v.Size = a.Object, a.Generation, cmp.Or(v.SHA256, a.sum), cmp.Or(v.Size, a.Size)
	report := h.report(v)
	w.Header().Set("Location", report.URL)
	switch v.State {
	case catalog.Rejected:
		message := fmt.Sprintf("%s: %s", v.Reason, layout.ShownIn(v.Detail, v.Object))
		(&refusal{status: http.StatusUnprocessableEntity, field: "package", reason: v.Reason, message: message}).answer(w)
	case catalog.Published:
		api.Write(w, http.StatusCreated, report)
	case catalog.Duplicate:
		api.Write(w, http.StatusOK, report)
	default:
		api.Write(w, http.StatusAccepted, report)
	}
}

// waiting returns a context that ends with a wait, with the caller, or when the server stops.
func (h *Handler) waiting(ctx context.Context, wait time.Duration) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithTimeout(ctx, wait)
	stop := context.AfterFunc(h.stopped, cancel)
	return ctx, func() { stop(); cancel() }
}
