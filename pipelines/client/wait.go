package client

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"strings"
	"time"

	"repomill/pipelines/command"
	"repomill/publish/tree"
	"repomill/schemas/catalog"
	"repomill/schemas/layout"
)

// staged is the state of an upload that no worker has reported on.
const staged catalog.UploadState = "staged"

// How often a verdictPoller polls a verdict: in a folder, and in a bucket.
const (
	pollPeriod       = 50 * time.Millisecond
	bucketPollPeriod = time.Second
)

// wait waits until every upload has a final verdict and, if it is published, clients can see that. It prints each verdict.
func (c *Push) wait(ctx context.Context, io Stdio, staging stager, ups []*pushed) error {
	ctx, cancel := context.WithTimeout(ctx, c.Timeout)
	defer cancel()
	w := verdictPoller{staging: staging, client: &http.Client{Timeout: 10 * time.Second}, visible: map[catalog.VerdictRelease]bool{}, private: map[string]bool{}}
	period := pollPeriod
	if !strings.HasPrefix(c.Staging, "file://") && c.Server == "" {
		period = bucketPollPeriod
	}
	start := time.Now()
	line := newProgressLine(io.Err, start)
	defer line.clear()
	for left := unsettledOf(ups); left > 0; {
		line.show(ups, time.Now())
		for _, p := range ups {
			if p.settled {
				continue
			}
			if err := w.poll(ctx, p); ctx.Err() != nil && !p.settled {
				line.clear()
				return c.printTimeout(io, staging, ups, cause(ctx, c.Timeout), time.Since(start), w.why)
			} else if err != nil {
				return command.Fault(shownError{err, p.object})
			}
			if p.settled {
				left--
				line.clear()
				c.print(io, p)
			}
		}
		select {
		case <-time.After(period):
		case <-ctx.Done():
			if left > 0 {
				line.clear()
				return c.printTimeout(io, staging, ups, cause(ctx, c.Timeout), time.Since(start), w.why)
			}
		}
	}
	line.clear()
	c.summarize(io, ups)
	c.explainHeld(io, ups)
	c.installLines(io, ups, w.private)
	return exitOf(ups)
}

// explainHeld prints what holds packages, once for each repository and train.
func (c *Push) explainHeld(io Stdio, ups []*pushed) {
	said := map[string]bool{}
	for _, p := range ups {
		if text := p.verdict.Detail; p.verdict.State == catalog.Held && text != "" && !said[text] && !c.JSON {
			said[text] = true
			fmt.Fprintf(io.Err, "held: %s\n", command.Printable(text))
		}
	}
}

func unsettledOf(ups []*pushed) (n int) {
	for _, p := range ups {
		if !p.settled {
			n++
		}
	}
	return n
}

// A fileVerdict is the verdict on a file of the command line.
type fileVerdict struct {
	File    string `json:"file"`
	Outcome string `json:"outcome,omitempty"` // replaced, of a published package that took the place of other bytes
	catalog.Verdict
}

func verdictOf(p *pushed) fileVerdict {
	v := fileVerdict{File: p.file, Verdict: p.verdict}
	if outcome := v.Verdict.Outcome(); outcome != string(v.State) {
		v.Outcome = outcome
	}
	return v
}

func (c *Push) print(io Stdio, p *pushed) {
	v := p.verdict
	if c.JSON {
		PrintJSON(io.Out, verdictOf(p))
	}
	switch {
	case v.State == catalog.Rejected:
		fmt.Fprintf(io.Err, "%s: rejected: %s: %s\n", c.nameOf(p), command.Printable(string(v.Reason)), command.Printable(v.Detail))
	case !c.JSON:
		fmt.Fprintf(io.Out, "%s: %s: %s%s\n", c.nameOf(p), command.Printable(v.Outcome()), command.Printable(v.Package), inPlaceOf(v))
	}
}

// inPlaceOf says whose place a package of a mutable repository took, for the end of a line.
func inPlaceOf(v catalog.Verdict) string {
	if v.Replaced == "" {
		return ""
	}
	return fmt.Sprintf(": sha256 %s in place of %s; hosts that have the version keep the old bytes", v.SHA256, v.Replaced)
}

// cause returns why the wait ended early.
func cause(ctx context.Context, timeout time.Duration) string {
	if errors.Is(ctx.Err(), context.Canceled) {
		return "interrupted; the server continues with the upload"
	}
	return "timed out after " + timeout.String()
}

// printTimeout prints the state of each upload that is not settled, in the words of status. waited is how long the wait took.
func (c *Push) printTimeout(io Stdio, staging stager, ups []*pushed, cause string, waited time.Duration, why error) error {
	for _, p := range ups {
		if p.settled {
			continue
		}
		var stage string
		switch p.verdict.State {
		case "":
			stage = "staged: no worker has reported on it so far"
			if waited > AwaitWorker { // a running worker has reported by then
				stage += "; does one (or repomill up) run?"
			}
		case catalog.Received:
			stage = "received: a worker is processing it"
		case catalog.Stored:
			stage = "stored: its release is not published yet; repomill status says more"
		default:
			stage = fmt.Sprintf("%s: but clients cannot fetch it: %v", p.verdict.State, why)
		}
		if p.verdict.Detail != "" {
			stage += ": " + command.Printable(p.verdict.Detail)
		}
		fmt.Fprintf(io.Err, "%s: %s: %s\n", c.nameOf(p), cause, stage)
		if c.JSON {
			p.verdict.Object, p.verdict.Generation = p.upload.Object, p.upload.Generation
			p.verdict.State = cmp.Or(p.verdict.State, staged)
			PrintJSON(io.Out, verdictOf(p))
		}
	}
	if f, ok := staging.(interface{ Fault() error }); ok && f.Fault() != nil {
		fmt.Fprintf(io.Err, "at last: %s\n", command.Printable(f.Fault().Error()))
	}
	c.summarize(io, ups)
	return command.Exit(command.Interrupted)
}

// A verdictPoller reads verdicts, and confirms through the public URL that clients see what is published.
type verdictPoller struct {
	staging stager
	client  *http.Client
	visible map[catalog.VerdictRelease]bool // confirmed
	private map[string]bool                 // repositories that want a token
	why     error                           // why the last one could not be
}

// poll reads the verdict of an upload. The upload is settled if its verdict is final and its releases are visible.
func (w *verdictPoller) poll(ctx context.Context, p *pushed) error {
	body, _, err := w.staging.Verdict(ctx, p.upload.Object)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	var v catalog.Verdict
	if err := json.Unmarshal(body, &v); err != nil {
		return fmt.Errorf("verdict of %s: %w", p.upload.Object, err)
	}
	if v.Generation != p.upload.Generation {
		w.replaced(ctx, p, v)
		return nil
	}
	p.verdict = v
	p.settled = v.State.Settled()
	for _, r := range v.Releases {
		if v.State != catalog.Rejected && !w.confirm(ctx, r) {
			p.settled = false
		}
	}
	return nil
}

// replaced settles an upload whose object was replaced by a later upload with a verdict.
func (w *verdictPoller) replaced(ctx context.Context, p *pushed, other catalog.Verdict) {
	now, err := w.staging.Stat(ctx, p.upload.Object)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return // the next poll tries again
	}
	if err == nil && now.Generation == p.upload.Generation || !other.State.Final() {
		return // the verdict is an older upload's
	}
	p.verdict = catalog.Verdict{Object: p.upload.Object, Generation: p.upload.Generation, State: catalog.Rejected,
		Reason: catalog.Replaced, Detail: "another file was pushed later under the same name; its verdict is " + string(other.State)}
	p.settled = true
}

// confirm reports whether clients see a release, through the public URL, at the revision that has the package.
func (w *verdictPoller) confirm(ctx context.Context, r catalog.VerdictRelease) bool {
	if !w.visible[r] {
		switch err := w.fetch(ctx, r); {
		case err == nil:
			w.visible[r] = true
		case w.why == nil || ctx.Err() == nil: // the end of ctx must not hide the earlier error
			w.why = err
		}
	}
	return w.visible[r]
}

// fetch reads the pointer of a release. It returns an error unless the pointer has the revision of the verdict or a later one.
func (w *verdictPoller) fetch(ctx context.Context, r catalog.VerdictRelease) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, r.Pointer, nil)
	if err != nil {
		return err
	}
	req.Header.Set("User-Agent", command.UserAgent("repomill"))
	resp, err := w.client.Do(req)
	if failed, ok := errors.AsType[*url.Error](err); ok { // of the signed URL that the resolver redirects to
		return fmt.Errorf("%s %s: %w", failed.Op, layout.Shown(failed.URL), failed.Err)
	}
	if err != nil {
		return withoutQuery(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode == http.StatusUnauthorized {
		if release, err := catalog.ParseRelease(r.Release); err == nil {
			w.private[release.Repository.String()] = true
		}
		return nil // private: the verdict suffices, because it is written after the pointer
	}
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s", r.Pointer, resp.Status)
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, 10_000_000))
	if err != nil {
		return err
	}
	release, err := catalog.ParseRelease(r.Release)
	if err != nil {
		return err
	}
	revision, err := tree.RevisionOf(release, body)
	if err != nil {
		return err
	}
	if revision.Number < r.Revision {
		return fmt.Errorf("%s has revision %d, not %d yet", r.Pointer, revision.Number, r.Revision)
	}
	return nil
}

// withoutQuery returns an error of an HTTP client without the query of its URL. That of a redirect is a signature, with which
// a reader of the log could fetch the file.
func withoutQuery(err error) error {
	if e, ok := errors.AsType[*url.Error](err); ok {
		shown := *e
		shown.URL, _, _ = strings.Cut(e.URL, "?")
		return &shown
	}
	return err
}

// AwaitWorker is how long commands wait for a worker that may just be starting.
const AwaitWorker = 3 * time.Second
