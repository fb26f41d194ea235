package worker

import (
	"context"
	"sync"
	"time"

	"repomill/schemas/catalog"
)

// The schedule's bounds.
const (
	minSpacing   = time.Second      // between the starts of two publishes of one release
	maxHold      = 30 * time.Second // how long a publish waits for uploads that came before it
	maxPublishes = 32               // releases published at the same time
	rests        = 8                // times what a publish took: from its start to the next one, while many uploads wait
)

// A schedule publishes releases, each in a run of its own: none waits for another. A release that
// changes while it is published, or waits to be, is published once more and not more often. Before a
// publish, the small uploads of its repository that are queued already get their rows, so that one publish shows them all. While many wait,
// a release is published in an eighth of the time at most: most of its segments change each time.
type schedule struct {
	publish func(context.Context, catalog.Release)
	ahead   func(catalog.Repository) (reached func() bool) // reports whether all uploads queued now have their rows
	many    func(catalog.Repository) bool                  // reports whether many uploads wait; nil for never
	places  chan struct{}
	running sync.WaitGroup

	mu      sync.Mutex
	due     map[catalog.Release]*due
	started map[catalog.Release]time.Time // within the last minSpacing
}

// A due release is waiting or being published.
type due struct {
	again bool // something changed since the publish began
	soon  bool // it does not rest before it is published
}

func newSchedule(publish func(context.Context, catalog.Release), ahead func(catalog.Repository) func() bool) *schedule {
	return &schedule{
		publish: publish, ahead: ahead, places: make(chan struct{}, maxPublishes),
		due: map[catalog.Release]*due{}, started: map[catalog.Release]time.Time{},
	}
}

// add has releases published soon. When ctx ends, they are published at once; work bounds that.
func (q *schedule) add(ctx, work context.Context, releases []catalog.Release) {
	q.addAll(ctx, work, releases, false)
}

// addSoon is add of releases that are to be published at the same time: none of them rests, however many uploads wait.
func (q *schedule) addSoon(ctx, work context.Context, releases []catalog.Release) {
	q.addAll(ctx, work, releases, true)
}

func (q *schedule) addAll(ctx, work context.Context, releases []catalog.Release, soon bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, r := range releases {
		if d, there := q.due[r]; there {
			d.again, d.soon = true, d.soon || soon
			continue
		}
		d := &due{soon: soon}
		q.due[r] = d
		q.running.Go(func() { q.run(ctx, work, r, d) })
	}
}

// run publishes a release until nothing has changed since the publish began.
func (q *schedule) run(ctx, work context.Context, r catalog.Release, d *due) {
	var rest time.Time
	for {
		q.hold(ctx, r.Repository, q.spacing(r), func() bool { return !time.Now().Before(rest) || q.isSoon(d) })
		q.places <- struct{}{}
		q.begin(r, d)
		start := time.Now()
		q.publish(work, r)
		rest = start.Add(rests * time.Since(start))
		<-q.places
		if q.end(r, d, work.Err() != nil) {
			return
		}
	}
}

// begin notes that a publish starts: later changes need another one.
func (q *schedule) begin(r catalog.Release, d *due) {
	q.mu.Lock()
	defer q.mu.Unlock()
	d.again, d.soon = false, false
	now := time.Now()
	for old, at := range q.started {
		if now.Sub(at) > minSpacing {
			delete(q.started, old)
		}
	}
	q.started[r] = now
}

// end forgets a release, unless it has to be published again.
func (q *schedule) end(r catalog.Release, d *due, stop bool) (ended bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if d.again && !stop {
		return false
	}
	delete(q.due, r)
	return true
}

// spacing returns how long the next publish of a release has to wait.
func (q *schedule) spacing(r catalog.Release) time.Duration {
	q.mu.Lock()
	defer q.mu.Unlock()
	return time.Until(q.started[r].Add(minSpacing))
}

// isSoon reports whether a release is not to rest.
func (q *schedule) isSoon(d *due) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return d.soon
}

// hold waits for a while, for the uploads that are ahead and, while many uploads wait, until it has rested; not for long, and not once ctx has ended.
func (q *schedule) hold(ctx context.Context, r catalog.Repository, spacing time.Duration, rest func() (ended bool)) {
	if spacing > 0 {
		select {
		case <-time.After(spacing):
		case <-ctx.Done():
		}
	}
	reached := q.ahead(r)
	rested := func() bool { return q.many == nil || rest() || !q.many(r) }
	for end := time.Now().Add(maxHold); (!reached() || !rested()) && time.Now().Before(end) && ctx.Err() == nil; {
		select {
		case <-time.After(5 * time.Millisecond):
		case <-ctx.Done():
		}
	}
}

// idle reports whether no release waits or is being published.
func (q *schedule) idle() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.due) == 0
}

// publishRelease publishes one release, and settles the events of uploads that got their final verdict.
func (d *Dispatcher) publishRelease(ctx context.Context, r catalog.Release) {
	res := d.Resources.PublishRelease(ctx, r, "")
	d.left.tried(r, res.Err != nil, time.Now())
	d.unsigned.tried(r, res.Err != nil, time.Now())
	d.settle(res.Finished)
	if res.Err == nil {
		d.pages.wish()
	}
}

// publishBehind schedules the releases of a repository that are behind, by [schedule.add] or [schedule.addSoon].
func (d *Dispatcher) publishBehind(ctx, work context.Context, of catalog.Repository, add func(ctx, work context.Context, releases []catalog.Release)) {
	behind, err := d.Resources.Catalog.UnpublishedOf(work, of)
	if err != nil {
		if work.Err() == nil {
			d.Resources.Log.Error("releases that are behind not read; the next pass does", "error", err)
		}
		return
	}
	add(ctx, work, behind)
}
