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

// maxExtra bounds the jobs that failed ones cost: it is enough to find three uploads of 10,000 that stop
// their worker. What is not stored then is left to the next run.
const maxExtra = 100

// A jobRunner runs a job that stores batches, and returns when it has ended; with detach it returns
// [errDetached] once the job is submitted.
type jobRunner func(ctx context.Context, name string, batches []pipelines.Batch, detach bool) error

// A portion is the uploads of one job.
type portion struct {
	uploads []catalog.Upload
	alone   bool // each is an element of its own
}

// A storing is the jobs of one run, one after the other.
type storing struct {
	*drain
	fresh  []catalog.Upload
	again  []catalog.Upload // not finished before, in this run or another: each is an element of its own
	failed []portion        // of jobs that failed: the last one is next
	extra  int              // jobs that failed ones have cost
	sound  bool             // a job has ended well: engine and workers are set up as they should be
}

// store has jobs store uploads. What a job could not finish is tried once more, each upload as an element
// of its own. A job that fails, since an upload stops its worker or for another reason, is followed by two
// of its halves, down to the upload that is to blame: its attempt counts, and those of others do not.
func (d *drain) store(ctx context.Context, fresh, suspect []catalog.Upload) {
	s := &storing{drain: d, fresh: fresh, again: suspect}
	for ctx.Err() == nil {
		p, ok := s.next()
		if !ok || !s.carry(ctx, p) {
			return
		}
	}
}

// next returns the uploads of the next job. Failed portions come last, so that they delay no other one.
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
		slog.Error("too many jobs failed; the next run goes on", "jobs", s.extra)
		return p, false
	default:
		p, s.failed = s.failed[len(s.failed)-1], s.failed[:len(s.failed)-1]
		s.extra++
	}
	return p, true
}

// carry has a job store a portion, and reports whether another job makes sense.
func (s *storing) carry(ctx context.Context, p portion) (goOn bool) {
	leases := s.leases(leaseTime)
	job := leases.Lease.Owner
	stop := leases.Renew(ctx) // before there is any: the last ones may be taken long after the first
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
		slog.Error("job failed; the catalog says what is left to do",
			"job", job, "uploads", len(tasks), "error", err)
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

// isAlone reports whether an upload is to be an element of its own.
func (p portion) isAlone(u catalog.Upload) bool { return p.alone || isLarge(u) }

// splitFailed gives back what a failed job left, in halves for the next jobs, and reports whether they
// make sense. An upload that had the job for itself is to blame, unless any job would have failed.
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

// probe has workers open their resources, and nothing else, and reports whether they could.
func (s *storing) probe(ctx context.Context) bool {
	s.extra++
	name := jobName()
	err := s.run(ctx, name, []pipelines.Batch{{Tasks: []pipelines.Task{}}}, false)
	if err != nil && ctx.Err() == nil {
		slog.Error("a job without uploads fails too: see to the engine and its workers, and run again", "job", name, "error", err)
	}
	s.sound = err == nil
	return s.sound
}

// blameLimit is how long counting an attempt may take, also when work has to end.
const blameLimit = 5 * time.Second

// blame counts the attempt at an upload whose job failed; the last one that may fail is its end.
func (s *storing) blame(ctx context.Context, t pipelines.Task, cause error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), blameLimit)
	defer cancel()
	u := t.Upload()
	slog.Error("the job of this upload alone failed: the attempt counts", "upload", u.String())
	why := "a job that had nothing else to do failed: " + firstLine(cause)
	if err := s.resources.Catalog.GiveUp(ctx, u, t.Token, why, time.Now()); err != nil {
		slog.Error("attempt not counted", "upload", u.String(), "error", err)
	}
}

// unfinished returns the uploads of tasks that are neither stored nor finished.
func unfinished(tasks []pipelines.Task, states map[catalog.Upload]catalog.UploadState) (left []catalog.Upload) {
	for _, t := range tasks {
		if state := states[t.Upload()]; state != catalog.Stored && !state.Final() {
			left = append(left, t.Upload())
		}
	}
	return left
}

// firstLine returns an error without the stack or the log that may follow it.
func firstLine(err error) string {
	line, _, _ := strings.Cut(err.Error(), "\n")
	return line
}
