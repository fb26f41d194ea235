package worker

import (
	"context"
	"slices"
	"sync"
	"time"

	"repomill/schemas/catalog"
)

// An uploadQueue is the queue of uploads, by repository. Repositories take turns: each batch is of one repository, and the next
// one is of the repository that has waited longest. However many uploads a repository has, and however they fail, an
// upload of another one waits for one batch of each repository at most.
type uploadQueue struct {
	wake   chan struct{} // has an element when a batch may have become ready
	rescan chan struct{} // has an element when uploads that were left in staging should be looked for

	mu      sync.Mutex
	room    chan struct{} // closed when uploads were taken
	last    int64         // number of the upload that was put last
	count   int           // uploads that wait
	offered int           // of these, fresh and large ones: for others, the source does not wait
	lines   map[catalog.Repository]*line
	turns   [kinds][]catalog.Repository // that have uploads of the kind, the next one first
	running map[*batch]bool

	left     map[catalog.Repository]bool // have uploads in staging for which there was no room
	scanning bool
}

// A line is what waits of one repository; without empty lines.
type line struct {
	uploads     [kinds][]waiting
	first, last time.Time // when the oldest and the newest fresh upload were put
}

// A waiting upload has the number of its place in the queue.
type waiting struct {
	catalog.Upload
	number int64
}

func newUploadQueue() *uploadQueue {
	return &uploadQueue{
		wake: make(chan struct{}, 1), rescan: make(chan struct{}, 1), room: make(chan struct{}),
		lines: map[catalog.Repository]*line{}, running: map[*batch]bool{}, left: map[catalog.Repository]bool{},
	}
}

// offer queues an upload of which nothing is known but its size. It waits until there is room, and returns false if ctx ends
// before, or if the repository has its share of the room: then the upload is left in staging.
func (q *uploadQueue) offer(ctx context.Context, u catalog.Upload) bool {
	r, k := repositoryOf(u.Object), fresh
	if u.Size > largeUpload {
		k = large
	}
	for {
		q.mu.Lock()
		if q.waitingOf(r) >= maxWaitingOf {
			q.left[r] = true
			q.mu.Unlock()
			return false
		}
		if q.offered < maxWaiting {
			q.add(u, r, k)
			q.mu.Unlock()
			return true
		}
		room := q.room
		q.mu.Unlock()
		select {
		case <-room:
		case <-ctx.Done():
			return false
		}
	}
}

// put queues an upload that is known here already, and so has room.
func (q *uploadQueue) put(u catalog.Upload, k kind) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.add(u, repositoryOf(u.Object), k)
}

// add queues an upload. The caller holds the lock.
func (q *uploadQueue) add(u catalog.Upload, r catalog.Repository, k kind) {
	l, now := q.lines[r], time.Now()
	if l == nil {
		l = &line{}
		q.lines[r] = l
	}
	if len(l.uploads[k]) == 0 {
		q.turns[k] = append(q.turns[k], r)
		if k == fresh {
			l.first = now
		}
	}
	if k == fresh {
		l.last = now
	}
	q.last++
	q.count++
	if isOffered(k) {
		q.offered++
	}
	l.uploads[k] = append(l.uploads[k], waiting{u, q.last})
	signal(q.wake)
}

// isOffered reports whether uploads of a kind have not been begun with. The catalog has the others: they come from passes, each with a bound.
func isOffered(k kind) bool { return k == fresh || k == large }

// hasRoomFor reports whether a repository has less than its share of the room.
func (q *uploadQueue) hasRoomFor(r catalog.Repository) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.waitingOf(r) < maxWaitingOf
}

// waitingOf returns how many uploads of a repository wait. The caller holds the lock.
func (q *uploadQueue) waitingOf(r catalog.Repository) (n int) {
	if l := q.lines[r]; l != nil {
		for _, uploads := range l.uploads {
			n += len(uploads)
		}
	}
	return n
}

// run processes batches until ctx ends, and returns when those that run have ended. What waits then is in staging still: the
// next start finds it.
func (q *uploadQueue) run(ctx context.Context, process func(*batch)) {
	var running sync.WaitGroup
	defer running.Wait()
	for ctx.Err() == nil {
		b, next := q.take(time.Now())
		if b != nil {
			running.Go(func() {
				defer q.end(b)
				process(b)
			})
			continue
		}
		timer := time.NewTimer(next)
		select {
		case <-q.wake:
		case <-timer.C:
		case <-ctx.Done():
		}
		timer.Stop()
	}
}

// idleWait is how long the queue waits if nothing can become ready by itself.
const idleWait = time.Minute

// take returns the batch that is next, which runs from then on until it is ended. If no batch is ready, it returns after how
// long one may be.
func (q *uploadQueue) take(now time.Time) (b *batch, next time.Duration) {
	q.mu.Lock()
	defer q.mu.Unlock()
	use := q.use(now)
	next = idleWait
	for k := range kinds {
		for i, r := range q.turns[k] {
			l := q.lines[r]
			runs, most := use.share(k, r)
			if use.of[k][r] >= runs {
				continue
			}
			if wait := l.ready(k, now); wait > 0 {
				next = min(next, wait)
				continue
			}
			n := min(l.batchSize(k), most)
			if use.all[k] > 0 && use.all[k]+min(n, batchStores) > places[k].all {
				break // it is the next one, as soon as it fits
			}
			q.turns[k] = slices.Delete(q.turns[k], i, i+1)
			return q.begin(r, k, n, now), 0
		}
	}
	return nil, min(next, use.next)
}

// begin takes the first uploads of a repository, which goes to the end of the line of repositories. The caller holds the lock.
func (q *uploadQueue) begin(r catalog.Repository, k kind, n int, now time.Time) *batch {
	l := q.lines[r]
	taken := l.uploads[k][:n]
	l.uploads[k] = l.uploads[k][n:]
	if len(l.uploads[k]) > 0 {
		q.turns[k] = append(q.turns[k], r)
	}
	l.first = now // what is left is collected from here on
	b := &batch{repository: r, kind: k, first: taken[0].number, until: now.Add(runTime)}
	for _, w := range taken {
		b.uploads = append(b.uploads, w.Upload)
		b.until = b.until.Add(uploadTime + time.Duration(w.Size>>20)*mibTime)
	}
	q.running[b] = true
	q.count -= n
	if isOffered(k) {
		q.offered -= n
	}
	close(q.room)
	q.room = make(chan struct{})
	left := q.waitingOf(r)
	if left == 0 {
		delete(q.lines, r)
	}
	if q.left[r] && left < maxWaitingOf/4 {
		signal(q.rescan)
	}
	return b
}

// end notes that a batch has ended.
func (q *uploadQueue) end(b *batch) {
	q.mu.Lock()
	defer q.mu.Unlock()
	delete(q.running, b)
	signal(q.wake)
}

// aheadOf returns a function that reports whether all small uploads of a repository that are queued now have been processed, but
// those that hang.
func (q *uploadQueue) aheadOf(r catalog.Repository) (reached func() bool) {
	q.mu.Lock()
	last := q.last
	q.mu.Unlock()
	return func() bool {
		q.mu.Lock()
		defer q.mu.Unlock()
		if l := q.lines[r]; l != nil && len(l.uploads[fresh]) > 0 && l.uploads[fresh][0].number <= last {
			return false
		}
		now := time.Now()
		for b := range q.running {
			if b.kind == fresh && b.repository == r && b.first <= last && now.Before(b.until) {
				return false
			}
		}
		return true
	}
}

// manyOf reports whether more small uploads of a repository wait than one batch takes.
func (q *uploadQueue) manyOf(r catalog.Repository) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	l := q.lines[r]
	return l != nil && len(l.uploads[fresh]) > maxBatch
}

// beginScan notes that staging is looked through from here on: what was left in it is found.
func (q *uploadQueue) beginScan() {
	q.mu.Lock()
	defer q.mu.Unlock()
	clear(q.left)
	q.scanning = true
}

func (q *uploadQueue) endScan() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.scanning = false
}

// scans reports whether a scan runs, or has to run since uploads were left in staging.
func (q *uploadQueue) scans() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.scanning || len(q.left) > 0
}

// crowded reports whether more uploads wait than one batch takes.
func (q *uploadQueue) crowded() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.count > maxBatch
}

// signal puts an element into a channel, unless it has one.
func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
