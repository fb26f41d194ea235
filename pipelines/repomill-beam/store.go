package main

import (
	"context"
	"log/slog"
	"strings"
	"time"

	"repomill/pipelines"
	"repomill/pipelines/worker"
	"repomill/schemas/catalog"
)

// maxExtra bounds the jobs that follow failed ones: it is enough to find three uploads of 10,000 that stop their worker. The
// next run stores the rest.
const maxExtra = 100

// A jobRunner runs a job that stores batches, and returns when the job has ended. With detach, it returns [errDetached] once the
// job is submitted.
type jobRunner func(ctx context.Context, name string, batches []pipelines.Batch, detach bool) error

// A portion is the uploads of one job.
type portion struct {
	uploads []catalog.Upload
	alone   bool // each upload has an element to itself
}

// A storing is the state of the jobs of one run. They run one after the other.
type storing struct {
	*drain
	fresh  []catalog.Upload
	again  []catalog.Upload // not finished before, in this run or an earlier one; each has an element to itself
	failed []portion        // uploads of failed jobs; the last portion is next
	extra  int              // jobs after failed ones
	sound  bool             // a job has succeeded, so engine and workers are set up correctly
}

// store stores uploads in jobs. It retries the uploads that a job has not finished once, each with an element to itself. After a
// failed job, it runs a job for each half of its uploads, down to the single upload that makes its job fail. Only the attempt at
// that one counts.
func (d *drain) store(ctx context.Context, fresh, suspect []catalog.Upload) {
	s := &storing{drain: d, fresh: fresh, again: suspect}
	for ctx.Err() == nil {
		p, ok := s.next()
		if !ok || !s.process(ctx, p) {
			return
		}
	}
}

// next returns the uploads of the next job. Failed portions are last, so that they do not delay others.
func (s *storing) next() (p portion, ok bool) {
	switch {
	case len(s.fresh) > 0:
		n := min(len(s.fresh), s.maxJob)
		p.uploads, s.fresh = s.fresh[:n], s.fresh[n:]
	case len(s.again) > 0:
		n := min(len(s.again), s.maxJob)
		p.uploads, s.again, p.alone = s.again[:n], s.again[n:], true
	case len(s.failed) == 0:
		return p, false
	case s.extra >= maxExtra:
		slog.Error("too many jobs failed: check the engine, and run again", "jobs", s.extra)
		return p, false
	default:
		p, s.failed = s.failed[len(s.failed)-1], s.failed[:len(s.failed)-1]
		s.extra++
	}
	return p, true
}

// process runs a job that stores a portion, and reports whether to run the next job.
func (s *storing) process(ctx context.Context, p portion) (goOn bool) {
	leases := s.leases(leaseTime)
	job := leases.Lease.Owner
	stop := leases.Renew(ctx) // from the start, because taking many leases takes long
	defer stop()
	tasks, _ := leases.Take(ctx, p.uploads)
	if len(tasks) == 0 || ctx.Err() != nil {
		leases.Reconcile(ctx, tasks)
		return true
	}
	slog.Info("job submitted", "job", job, "uploads", len(tasks))
	begin := time.Now()
	err := s.run(ctx, job, batches(tasks, p.isAlone), false)
	if err != nil && ctx.Err() == nil {
		slog.Warn("job failed", "job", job, "uploads", len(tasks), "error", err)
		return s.splitFailed(ctx, leases, p.alone, tasks, err)
	}
	s.sound = s.sound || err == nil
	again := unfinished(tasks, leases.Reconcile(ctx, tasks))
	slog.Info("job ended", "job", job, "uploads", len(tasks), "unfinished", len(again),
		"took", time.Since(begin).Round(time.Millisecond).String())
	if !p.alone {
		s.again = append(s.again, again...)
	}
	return true
}

// isAlone reports whether an upload gets an element to itself.
func (p portion) isAlone(u catalog.Upload) bool { return p.alone || isLarge(u) }

// splitFailed splits the unfinished uploads of a failed job into halves for the next jobs, and reports whether to run them. If the
// job had one upload, and a job without uploads succeeds, the attempt at that upload counts.
func (s *storing) splitFailed(ctx context.Context, leases worker.Leases, alone bool, tasks []pipelines.Task, cause error) (goOn bool) {
	if len(tasks) == 1 && s.probe(ctx) {
		s.blame(ctx, tasks[0], cause)
		return true
	}
	left := unfinished(tasks, leases.Reconcile(ctx, tasks))
	if len(tasks) == 1 {
		return false
	}
	half := (len(left) + 1) / 2
	for _, part := range [][]catalog.Upload{left[half:], left[:half]} {
		if len(part) > 0 {
			s.failed = append(s.failed, portion{part, alone})
		}
	}
	return len(left) == 0 || s.sound || s.probe(ctx)
}

// probe runs a job without uploads, in which workers only open their resources, and reports whether it succeeded.
func (s *storing) probe(ctx context.Context) bool {
	s.extra++
	name := jobName()
	err := s.run(ctx, name, []pipelines.Batch{{Tasks: []pipelines.Task{}}}, false)
	if err != nil && ctx.Err() == nil {
		slog.Error("job without uploads failed: check the engine and its workers, and run again", "job", name, "error", err)
	}
	s.sound = err == nil
	return s.sound
}

// blameLimit is how long counting an attempt may take, also after ctx has ended.
const blameLimit = 5 * time.Second

// blame counts the failed attempt at an upload. The catalog rejects the upload after the last one.
func (s *storing) blame(ctx context.Context, t pipelines.Task, cause error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), blameLimit)
	defer cancel()
	u := t.Upload()
	slog.Warn("job of one upload failed: the attempt counts", "upload", u.String())
	why := "a job of this upload alone failed: " + firstLine(cause)
	if err := s.resources.Catalog.GiveUp(ctx, u, t.Token, why, time.Now()); err != nil {
		slog.Warn("attempt not counted", "upload", u.String(), "error", err)
	}
}

// unfinished returns the uploads of tasks that are neither stored nor finished.
func unfinished(tasks []pipelines.Task, states map[catalog.Upload]catalog.UploadState) (left []catalog.Upload) {
	for _, t := range tasks {
		if state := states[t.Upload()]; state != catalog.Stored && !state.Settled() {
			left = append(left, t.Upload())
		}
	}
	return left
}

// firstLine returns the first line of an error, without the stack or the log that may follow.
func firstLine(err error) string {
	line, _, _ := strings.Cut(err.Error(), "\n")
	return line
}
