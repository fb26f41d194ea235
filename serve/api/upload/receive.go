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
	"repomill/serve/api"
)

// receive stores the body of an upload, and answers what is known of it then.
func (h *Handler) receive(w http.ResponseWriter, r *http.Request, p api.Principal, body *received) error {
	req, refused := parse(r, p.ID, h.Table)
	if refused != nil {
		return refused.answer(w)
	}
	if err := api.Authorize(p, api.Push, req.at.Repository); err != nil {
		return err
	}
	if refused := h.fits(r.ContentLength); refused != nil {
		return refused.answer(w)
	}
	free, err := h.Gate.Limits.Upload(p)
	if err != nil {
		return err
	}
	defer free()
	body.begin(w, r, h, req.digest)
	u, sum, refused := h.store(r, req, p, body)
	if refused != nil {
		w.Header().Set("Connection", "close") // what is left of the body is not read
		return refused.answer(w)
	}
	free()
	h.allowWait(w)
	return h.accepted(w, r, accepted{u, sum}, req.wait)
}

// fits refuses, before the body is read, what is too large or staging has no room for. A size that is not known is negative.
func (h *Handler) fits(size int64) *refusal {
	switch {
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
		return down("room", err)
	case free < max(size, 0)+spareRoom:
		return full(fmt.Errorf("staging is full: %d bytes are free", free))
	}
	return nil
}

// spareRoom is how many bytes stay free, for what the worker writes beside uploads.
const spareRoom = 64 << 20

func tooLarge(limit int64) *refusal {
	return &refusal{status: http.StatusRequestEntityTooLarge, reason: catalog.TooLarge, message: fmt.Sprintf("the file is larger than %d bytes, which is the limit here", limit)}
}

func full(cause error) *refusal {
	return &refusal{status: http.StatusInsufficientStorage, cause: cause, message: "the server has no room for the file; nothing of it was kept: try again when its operator has made room"}
}

// down is the answer if staging does not work. Its hosts and paths are in the log only.
func down(what string, err error) *refusal {
	return &refusal{status: http.StatusServiceUnavailable, cause: fmt.Errorf("staging: %s: %w", what, err), message: "the file cannot be stored now; nothing of it was kept: try again"}
}

// store puts a body into staging. If the same upload is there already, that one is returned.
func (h *Handler) store(r *http.Request, req request, p api.Principal, body *received) (u catalog.Upload, sum string, refused *refusal) {
	there, err := h.Staging.Stat(r.Context(), req.object) // says also, before the body is sent, whether staging works
	switch {
	case err == nil && req.retriable:
		return h.same(r, req, there, body)
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return u, "", down("stat", err)
	}
	by := pusher(r, p)
	u, err = h.Staging.Create(r.Context(), req.object, h.roomed(body), by)
	if body.err == nil && errors.Is(err, fs.ErrExist) {
		if there, err = h.Staging.Stat(r.Context(), req.object); err != nil {
			return u, "", down("stat", err)
		}
		return h.same(r, req, there, body)
	}
	if err != nil {
		return u, "", body.failed("create", err)
	}
	return u, h.took(u, body, by, p), nil
}

// pusher returns whose upload a request is.
func pusher(r *http.Request, p api.Principal) catalog.Pusher {
	return catalog.Pusher{User: p.Name, Job: cmp.Or(p.Job, r.Header.Get("Repomill-Job"))}
}

// took records an upload that is in staging, and returns its SHA-256.
func (h *Handler) took(u catalog.Upload, body *received, by catalog.Pusher, p api.Principal) (sum string) {
	sum = hex.EncodeToString(body.hash.Sum(nil))
	h.Log.Info("upload accepted", "upload", u.String(), "object", u.Object, "generation", u.Generation, "size", body.n, "sha256", sum, "by", by.User, "principal", p.ID, "job", by.Job)
	if h.Accepted != nil {
		h.Accepted(u, body.began)
	}
	return sum
}

// failed is the answer if a body is not stored, because of itself or of staging.
func (b *received) failed(what string, err error) *refusal {
	switch {
	case b.err != nil:
		return b.refusal()
	case errors.Is(err, errNoRoom) || errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT):
		return full(err)
	default:
		return down(what, err)
	}
}

// accepted is an upload that is in staging.
type accepted struct {
	catalog.Upload
	sum string // SHA-256
}

// accepted answers an upload that is in staging, after its verdict or, if that takes longer than wait, as it is then.
func (h *Handler) accepted(w http.ResponseWriter, r *http.Request, a accepted, wait time.Duration) error {
	report := h.settled(r.Context(), a, wait)
	v := report.Verdict
	w.Header().Set("Location", report.URL)
	switch v.State {
	case catalog.Rejected:
		return (&refusal{status: http.StatusUnprocessableEntity, field: "package", reason: v.Reason, message: report.Why()}).answer(w)
	case catalog.Published:
		api.WriteJSON(w, http.StatusCreated, report)
	case catalog.Duplicate:
		api.WriteJSON(w, http.StatusOK, report)
	default:
		api.WriteJSON(w, http.StatusAccepted, report)
	}
	return nil
}

// settled returns what is known of an upload when its verdict is there, or when a wait is over.
func (h *Handler) settled(ctx context.Context, a accepted, wait time.Duration) Report {
	v := catalog.Verdict{}
	if wait > 0 {
		ctx, cancel := h.waiting(ctx, wait)
		defer cancel()
		var err error
		if v, _, err = h.hub.await(ctx, a.Upload, true); err != nil {
			h.Log.Warn("catalog: the verdict on an upload cannot be found out", "upload", a.String(), "error", err)
		}
	}
	v.Object, v.Generation, v.SHA256, v.Size = a.Object, a.Generation, cmp.Or(v.SHA256, a.sum), cmp.Or(v.Size, a.Size)
	return h.report(v)
}

// allowWait moves the deadline of the connection behind the longest wait. There is one: a caller could send a body that is not
// read, byte by byte.
func (h *Handler) allowWait(w http.ResponseWriter) {
	http.NewResponseController(w).SetReadDeadline(h.Now().Add(maxWait + h.Limits.Patience)) //nolint:errcheck // a server without deadlines has no slow clients
}

// waiting returns a context that ends with a wait, with the caller, or when the server stops.
func (h *Handler) waiting(ctx context.Context, wait time.Duration) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithTimeout(ctx, wait)
	stop := context.AfterFunc(h.stopped, cancel)
	return ctx, func() { stop(); cancel() }
}
