package upload

import (
	"context"
	"errors"
	"io/fs"
	"time"

	"repomill/schemas/catalog"
	"repomill/schemas/layout"
)

// hidden stores a package whose place the caller says after it: under a name that is not listed, and then, when all of the
// call's body has arrived, in its place.
func (in *Intake) hidden(f File) (u catalog.Upload, sum string, refused *refusal) {
	var req request
	in.file.end = func() error {
		d, err := in.rest(f)
		if err != nil {
			return err
		}
		if req, refused = in.place(d, f.Name); refused != nil {
			return refused.answer(in.w)
		}
		return nil
	}
	ctx, object, by := in.r.Context(), layout.Incoming+layout.NewID(), pusher(in.r, in.by)
	if _, err := in.h.Staging.Stat(ctx, object); !errors.Is(err, fs.ErrNotExist) { // says, before the body is sent, whether staging works
		return u, "", down("stat", err)
	}
	left, err := in.h.Staging.Create(ctx, object, in.h.roomed(&in.file), by)
	if err != nil {
		return u, "", in.file.failed("create", err)
	}
	if u, err = in.h.Staging.Move(ctx, left, req.object); err == nil {
		return u, in.h.took(u, &in.file, by, in.by), nil
	}
	in.discard(left)
	if !errors.Is(err, fs.ErrExist) {
		return u, "", in.file.failed("move", err)
	}
	there, err := in.h.Staging.Stat(ctx, req.object)
	if err != nil {
		return u, "", down("stat", err)
	}
	return in.h.same(in.r, req, there, &in.file)
}

// discard removes a file that gets no place, also if its sender has left. If that fails, it is swept later.
func (in *Intake) discard(left catalog.Upload) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(in.r.Context()), discardTime)
	defer cancel()
	if err := in.h.Staging.Delete(ctx, left); err != nil {
		in.h.Log.Warn("staging: an upload that got no place is left for a day", "upload", left.String(), "error", err)
	}
}

const (
	discardTime = 10 * time.Second
	sweepPeriod = time.Hour
	sweepTime   = 5 * time.Minute
)

// sweep removes, once a period, files that got no place because their process was killed. Every process does so for all.
func (h *Handler) sweep() {
	now, last := h.Now(), h.swept.Load()
	if now.Unix()-last < int64(sweepPeriod/time.Second) || !h.swept.CompareAndSwap(last, now.Unix()) {
		return
	}
	go func() {
		ctx, cancel := context.WithTimeout(h.stopped, sweepTime)
		defer cancel()
		if err := h.Staging.SweepIncoming(ctx, now); err != nil && ctx.Err() == nil {
			h.Log.Warn("staging: what killed processes left cannot be removed", "error", err)
		}
	}()
}
