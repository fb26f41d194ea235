package pipelines

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"

	"repomill/schemas/catalog"
	"repomill/schemas/layout"
)

// verdictRounds lets one round of writing verdict objects run at a time. Callers that wait for their turn share the next round.
type verdictRounds struct {
	running sync.Mutex
	mu      sync.Mutex
	next    *verdictRound // has not begun; nil if no caller waits
}

// A verdictRound is one of them.
type verdictRound struct {
	done     chan struct{}
	finished []catalog.Upload
	ended    bool // to its end: its caller's context did not end before
}

// WriteVerdicts writes the verdict objects of finished uploads that have none yet, and returns the uploads that have one now, those
// of other callers at the same time among them. A later call repeats a write that failed.
func (r *Resources) WriteVerdicts(ctx context.Context) (finished []catalog.Upload) {
	for ctx.Err() == nil {
		round, first := r.verdicts.join()
		if first {
			r.verdicts.running.Lock()
			r.verdicts.begin()
			round.finished = r.writeVerdicts(ctx)
			round.ended = ctx.Err() == nil
			r.verdicts.running.Unlock()
			close(round.done)
			return round.finished
		}
		select {
		case <-round.done:
			if round.ended {
				return round.finished
			}
		case <-ctx.Done():
		}
	}
	return nil
}

// join returns the round that begins next, and whether the caller is the first in it: then it has to run it.
func (v *verdictRounds) join() (round *verdictRound, first bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.next != nil {
		return v.next, false
	}
	v.next = &verdictRound{done: make(chan struct{})}
	return v.next, true
}

// begin has later callers wait for another round: this one may not see what they finished.
func (v *verdictRounds) begin() {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.next = nil
}

// writeVerdicts writes verdict objects until none is missing.
func (r *Resources) writeVerdicts(ctx context.Context) (finished []catalog.Upload) {
	const page = 200
	for ctx.Err() == nil {
		uploads, err := r.Catalog.VerdictsToWrite(ctx, page)
		var written []catalog.Upload
		if err == nil {
			written, err = r.writeVerdictsOf(ctx, uploads)
		}
		finished = append(finished, written...)
		if err != nil {
			r.Log.Error("verdicts not written; will be tried again", "error", err)
			break
		}
		if len(uploads) < page || len(written) == 0 {
			break
		}
	}
	return finished
}

// verdictsAtATime is how many verdict objects are written at the same time: a distant store is waited for.
const verdictsAtATime = 8

// writeVerdictsOf writes the verdict objects of some finished uploads, several at a time, then notes that they are
// written, and returns those that were. A crash between has them written again.
func (r *Resources) writeVerdictsOf(ctx context.Context, uploads []catalog.Upload) (written []catalog.Upload, err error) {
	verdicts, err := r.Catalog.Verdicts(ctx, uploads)
	if err != nil {
		return nil, err
	}
	failed := make([]error, len(uploads))
	var g errgroup.Group
	g.SetLimit(verdictsAtATime)
	for i, u := range uploads {
		g.Go(func() error {
			v, ok := verdicts[u]
			if failed[i] = errNoVerdict; ok {
				failed[i] = r.WriteVerdict(ctx, u, v)
			}
			return nil
		})
	}
	g.Wait() //nolint:errcheck // failed has the errors
	var held []catalog.Upload
	for i, u := range uploads {
		if err := failed[i]; err != nil && !errors.Is(err, fs.ErrInvalid) { // that is a name which cannot have a verdict beside it
			r.Log.Error("verdict not written; will be tried again", "upload", u.String(), "error", err)
			continue
		}
		switch state := verdicts[u].State; {
		case state == catalog.Held:
			held = append(held, u)
		case state.Final(): // or else it was held until just now
			written = append(written, u)
		}
	}
	if err := r.recordWritten(ctx, held, verdicts, r.Catalog.HeldVerdictsWritten); err != nil {
		return nil, err
	}
	if err := r.recordWritten(ctx, written, verdicts, r.Catalog.VerdictsWritten); err != nil {
		return nil, err
	}
	return append(written, held...), nil
}

// recordWritten notes that verdict objects are written, and reports those that it is the first to note.
func (r *Resources) recordWritten(ctx context.Context, written []catalog.Upload, verdicts map[catalog.Upload]catalog.Verdict, note func(context.Context, ...catalog.Upload) ([]bool, error)) error {
	if len(written) == 0 {
		return nil
	}
	first, err := note(ctx, written...)
	if err != nil {
		return err
	}
	for i, u := range written {
		if first[i] { // or else another process was faster, and counts it
			r.report(u, verdicts[u])
		}
	}
	return nil
}

// errNoVerdict says that the catalog lost an upload which it had just listed.
var errNoVerdict = errors.New("the catalog does not know the upload any more")

// report counts and logs an upload that has its final verdict.
func (r *Resources) report(u catalog.Upload, v catalog.Verdict) {
	r.metrics.counted(v)
	traceVerdict(u, v)
	level := slog.LevelInfo
	if v.State == catalog.Rejected {
		level = slog.LevelWarn
	}
	r.LogUpload(level, u, string(v.State), "sha256", v.SHA256, "package", v.Package, "reason", string(v.Reason), "detail", v.Detail)
}

// NamesOf names uploads in the log, as [catalog.Upload.String] does: of many, the first ten.
func NamesOf(uploads []catalog.Upload) string {
	const most = 10
	var names []string
	for _, u := range uploads[:min(most, len(uploads))] {
		names = append(names, u.String())
	}
	return strings.Join(names, " ")
}

// LogUpload writes the one line that a state change of an upload has in the log.
func (r *Resources) LogUpload(level slog.Level, u catalog.Upload, state string, args ...any) {
	r.Log.Log(context.Background(), level, "upload "+state, append([]any{"upload", u.String(), "bucket", u.Bucket, "object", u.Object, "generation", u.Generation}, args...)...)
}

// WriteVerdict stores v, which is what the catalog says of an upload, unless a later upload of the same
// name has its verdict there. If the upload was finished in the meantime, the final verdict is written
// again, so that this write does not replace it. A promotion has no verdict object: who asked for it reads the catalog.
func (r *Resources) WriteVerdict(ctx context.Context, u catalog.Upload, v catalog.Verdict) error {
	if u.Promoted() {
		return nil
	}
	if v.Reason == catalog.Replaced { // by what has its own verdict, in this place
		if now, err := r.Staging.Stat(ctx, u.Object); err == nil && now.Generation != u.Generation {
			return nil
		}
	}
	var version layout.Version // most uploads are the first of their name: see it only when it is in the way
	for {
		err := r.putVerdict(ctx, u, version, v)
		written := err == nil
		switch {
		case errors.Is(err, layout.ErrConflict):
			var later bool
			if later, version, err = r.hasLater(ctx, u, v); later || err != nil {
				return err
			}
		case err != nil || v.State.Final():
			return err
		}
		again, err := r.Catalog.Verdict(ctx, u)
		if err != nil || written && again.State == v.State {
			return err
		}
		if v = again; written {
			version = ""
		}
	}
}

// hasLater reports whether the verdict object is that of a later upload than u, whose verdict is v. An
// upload that was overtaken may well be received later, so what is in staging now counts more than times. A rejection of u that stays is as
// good as a later one.
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
	if json.Unmarshal(body, &there) != nil {
		return false, version, nil
	}
	if there.Generation == v.Generation { // progress does not replace a rejection by a catalog that was lost: see RejectedBefore
		return !v.State.Final() && there.State == catalog.Rejected && staysRejected(there.Reason), version, nil
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
