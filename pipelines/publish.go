package pipelines

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"time"

	"repomill/publish"
	"repomill/schemas/catalog"
	"repomill/schemas/stall"
)

// PublishLimit is how long a publish of a release may make no progress before it is left to the next round.
const PublishLimit = 5 * time.Minute

// A PublishResult is how a publish of a release ended.
type PublishResult struct {
	Revision int64            // that clients see; 0 if the publish failed, or was left to other workers
	Err      error            // why it failed; clients see what they saw before, and another attempt may succeed
	Finished []catalog.Upload // got their verdict objects; of this release, and of others that were published at the same time
}

// PublishRelease brings a release up to date with its rows, in this process, which has the signing keys: if it has not, it leaves
// the release to workers that do. Index files that the workers of a job prepared are taken as they are; job may be empty. A
// failure is recorded in the catalog. Verdict objects of the uploads that are published then are written.
func (r *Resources) PublishRelease(ctx context.Context, release catalog.Release, job string) (res PublishResult) {
	defer func() {
		if v := recover(); v != nil { // it concerns this release alone
			r.Log.Error("panic in a publish", "release", release.String(), "panic", v, "stack", string(debug.Stack()))
			res = PublishResult{Err: fmt.Errorf("panic: %v", v)}
		}
	}()
	if !r.MayPublish() {
		r.leaveToOthers(ctx, release)
		return res
	}
	start := time.Now()
	got, err := r.publish(ctx, release, job)
	r.metrics.conflicts.Add(float64(got.Again))
	if err != nil {
		r.metrics.publishes.WithLabelValues(failedResult).Observe(time.Since(start).Seconds())
		r.Log.Error("not published; will be tried again", "release", release.String(), "error", err)
		r.recordPublishFault(ctx, release, err.Error())
		return PublishResult{Err: err}
	}
	if got.Changed {
		took := time.Since(start)
		r.metrics.publishes.WithLabelValues(publishedResult).Observe(took.Seconds())
		r.Log.Info("published", "release", release.String(), "revision", got.Revision.Number, "packages", got.Packages, "took", took.Round(time.Millisecond).String())
		if r.OnPublish != nil {
			r.OnPublish(ctx, got)
		}
	}
	if got.Signed {
		r.Log.Info("signed again", "release", release.String(), "revision", got.Revision.Number)
	}
	published := time.Now()
	res = PublishResult{Revision: got.Revision.Number, Finished: r.WriteVerdicts(ctx)}
	tracePublish(res.Finished, release, start, published)
	return res
}

// publish publishes a release with the index files that a job prepared, if that succeeds, and else with its own.
func (r *Resources) publish(ctx context.Context, release catalog.Release, job string) (publish.Result, error) {
	if job != "" {
		got, err := r.publishPrepared(ctx, release, job)
		if err == nil || ctx.Err() != nil {
			return got, err
		}
		if !errors.Is(err, errNotPrepared) {
			r.Log.Warn("not published as it was prepared; this process renders it", "release", release.String(), "error", err)
		}
	}
	ctx, cancel := stall.Limit(ctx, PublishLimit)
	defer cancel()
	got, err := r.Publisher.Release(ctx, release)
	return got, stall.Explain(ctx, err)
}

// errNotPrepared says that a job prepared no index files of a release.
var errNotPrepared = errors.New("not prepared")

// publishPrepared publishes a release with the index files that the workers of a job made, as far as these are of its present
// rows.
func (r *Resources) publishPrepared(ctx context.Context, release catalog.Release, job string) (publish.Result, error) {
	prepared, err := r.Publisher.FindPrepared(ctx, release, job)
	if err != nil {
		return publish.Result{}, err
	}
	if prepared == nil {
		return publish.Result{}, errNotPrepared
	}
	return r.Publisher.ReleasePrepared(ctx, release, *prepared)
}

// leaveToOthers leaves a release to workers that have the keys that are to sign. If no running worker has them, the catalog says
// to those who wait for the release which keys are missing.
func (r *Resources) leaveToOthers(ctx context.Context, release catalog.Release) {
	why := "left to workers that have the keys that are to sign"
	if w := r.Waits(); w != nil {
		why = w.String()
		r.recordPublishFault(ctx, release, why)
	}
	r.Log.Debug("not published", "release", release.String(), "why", why)
}

func (r *Resources) recordPublishFault(ctx context.Context, release catalog.Release, why string) {
	if err := r.Catalog.RecordReleaseFault(ctx, release, why); err != nil && ctx.Err() == nil {
		r.Log.Error("fault not recorded", "release", release.String(), "error", err)
	}
}
