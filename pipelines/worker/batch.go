package worker

import (
	"time"

	"repomill/schemas/catalog"
)

// A kind of uploads has runs of its own, so that no upload of another kind waits for one of these.
type kind int

const (
	fresh   kind = iota // small and new: many of one repository share a run
	large               // larger than largeUpload: each has a run of its own, which small uploads do not wait for
	again               // not finished by an earlier attempt of this process: a run of its own, so that it delays no other upload
	suspect             // not finished by a process that may have died of it: alone, so that an attempt counts against no other
	kinds
)

// places bounds the runs of each kind: the memory that they take, and what one repository takes of them. None has all places of a
// kind but the one of suspect uploads.
var places = [kinds]struct {
	all  int // uploads that are stored at the same time, if none is small
	each int // runs of one repository
}{
	fresh:   {24, 2},
	large:   {3, 2},
	again:   {6, 4},
	suspect: {1, 1},
}

// The bounds of the queue and of its batches.
const (
	maxBatch      = 200                    // uploads in one run
	maxBatchBytes = 512 << 20              // bytes in one run, if it has several uploads
	batchStores   = 8                      // uploads of one run that are stored at the same time, if none is small: of small ones, package pipelines stores more
	largeUpload   = 64 << 20               // bytes; a larger upload has a run of its own
	quiet         = 40 * time.Millisecond  // a batch is complete when nothing of its repository arrived for so long,
	maxCollect    = 250 * time.Millisecond // or after so long

	maxWaiting   = 80_000         // uploads in memory, some 400 bytes each; then the source is held back
	maxWaitingOf = maxWaiting / 4 // of one repository; the others of it are left in staging, which is listed again once most of these are done

	// Runs that take longer than they should give up their places. So many may have done so.
	maxOverdue   = 8
	maxOverdueOf = 2 // of one repository; then it has one upload of each kind more at work, and none that may have ended a process
)

// How long a run takes at most if all is well. One that takes longer has an upload that hangs.
const (
	runTime    = 5 * time.Second
	uploadTime = 25 * time.Millisecond // besides, for each upload,
	mibTime    = time.Second / 32      // and for each MiB
)

// A batch is the uploads of one run.
type batch struct {
	repository catalog.Repository
	kind       kind
	uploads    []catalog.Upload
	first      int64     // number of the first one
	until      time.Time // it should have ended by then
}

// A use is what the runs take of the places.
type use struct {
	all     [kinds]int
	of      [kinds]map[catalog.Repository]int
	overdue map[catalog.Repository]int // runs that take no place any more
	next    time.Duration              // after which it may be less
}

// share returns how many runs of a kind a repository may have, and how many uploads its next one. One whose uploads hang takes few
// places of others: what it has besides may hang, too.
func (u use) share(k kind, r catalog.Repository) (runs, uploads int) {
	switch {
	case u.overdue[r] < maxOverdueOf:
		return places[k].each, maxBatch
	case k == suspect:
		return 0, 0
	}
	return 1, 1
}

// use returns what is taken of the places. Some runs that take longer than they should take none. The caller holds the lock.
func (q *uploadQueue) use(now time.Time) use {
	u := use{overdue: map[catalog.Repository]int{}, next: idleWait}
	for k := range kinds {
		u.of[k] = map[catalog.Repository]int{}
	}
	overdue := 0
	for b := range q.running {
		if wait := b.until.Sub(now); wait > 0 {
			u.next = min(u.next, wait)
		} else if overdue < maxOverdue && u.overdue[b.repository] < maxOverdueOf {
			overdue++
			u.overdue[b.repository]++
			continue
		}
		u.all[b.kind] += min(len(b.uploads), batchStores)
		u.of[b.kind][b.repository]++
	}
	return u
}

// ready returns how long more uploads may join the next batch of a kind; 0 if it is complete.
func (l *line) ready(k kind, now time.Time) time.Duration {
	if k != fresh || len(l.uploads[k]) >= maxBatch {
		return 0
	}
	return max(0, min(l.last.Add(quiet).Sub(now), l.first.Add(maxCollect).Sub(now)))
}

// batchSize returns how many uploads the next batch of a kind has.
func (l *line) batchSize(k kind) int {
	if k != fresh {
		return 1
	}
	n, bytes := 0, int64(0)
	for _, w := range l.uploads[k] {
		if bytes += w.Size; n == maxBatch || n > 0 && bytes > maxBatchBytes {
			break
		}
		n++
	}
	return n
}
