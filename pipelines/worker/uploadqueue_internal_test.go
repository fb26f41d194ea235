package worker

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"repomill/schemas/catalog"
)

func repositoryNamed(name string) catalog.Repository {
	return catalog.Repository{Owner: "acme", Name: name}
}

// later returns a time at which all batches are complete, and none that runs is overdue.
func later() time.Time { return time.Now().Add(time.Second) }

// However many uploads a repository has, one of another repository is in the batch after the next one.
func TestQueueGivesRepositoriesTurns(t *testing.T) {
	q := newUploadQueue()
	for i := range maxWaitingOf {
		if u := of("flood", strconv.Itoa(i)); !q.offer(t.Context(), u) {
			t.Fatalf("upload %d has no room", i)
		}
	}
	q.offer(t.Context(), of("tools", "a"))
	q.offer(t.Context(), of("other", "a"))
	var turns []string
	for range 5 {
		b, _ := q.take(later())
		if b == nil {
			t.Fatalf("after %v none is ready", turns)
		}
		turns = append(turns, fmt.Sprintf("%s %d", b.repository.Name, len(b.uploads)))
		q.end(b)
	}
	want := []string{"flood 200", "tools 1", "other 1", "flood 200", "flood 200"}
	if !slices.Equal(turns, want) {
		t.Errorf("the batches are %v, want %v", turns, want)
	}
}

// A repository that floods staging takes its share of the memory. What is left in staging is looked for when there is room.
func TestQueueLeavesTheExcessOfARepositoryInStaging(t *testing.T) {
	q := newUploadQueue()
	taken := 0
	for i := range 2 * maxWaitingOf {
		if q.offer(t.Context(), of("flood", strconv.Itoa(i))) {
			taken++
		}
	}
	if taken != maxWaitingOf || !q.offer(t.Context(), of("tools", "a")) {
		t.Errorf("%d uploads are taken, want %d, and one of another repository", taken, maxWaitingOf)
	}
	for q.waitingOf(repositoryNamed("flood")) >= maxWaitingOf/4 {
		if len(q.rescan) > 0 {
			t.Fatal("staging is scanned while there is little room")
		}
		b, _ := q.take(later())
		q.end(b)
	}
	if len(q.rescan) != 1 || !q.scans() {
		t.Error("staging is not scanned although there is room")
	}
	q.beginScan()
	q.endScan()
	if q.scans() {
		t.Error("staging is to be scanned again")
	}
}

// Without room in memory the source waits, until there is room or the worker ends.
func TestQueueHoldsTheSourceBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := newUploadQueue()
		for i := range maxWaiting {
			q.offer(t.Context(), of(strconv.Itoa(i%10), strconv.Itoa(i)))
		}
		ctx, stop := context.WithCancel(t.Context())
		offered := make(chan bool)
		offer := func() { offered <- q.offer(ctx, of("tools", "a")) }
		go offer()
		synctest.Wait()
		select {
		case <-offered:
			t.Fatal("the source is not held back")
		default:
		}
		q.take(later())
		if !<-offered {
			t.Error("there is room, and the upload is left")
		}
		for i := range maxBatch {
			q.offer(ctx, of("1", "more"+strconv.Itoa(i)))
			if q.count == maxWaiting {
				break
			}
		}
		go offer()
		stop()
		if <-offered {
			t.Error("an upload is taken without room")
		}
	})
}

// A batch has many uploads of one repository, but not so many bytes that the others wait long.
func TestQueueBoundsBatches(t *testing.T) {
	for name, tt := range map[string]struct {
		size int64
		n    int
		want int
	}{
		"few small uploads":  {1, 3, 3},
		"many small uploads": {1, 2*maxBatch + 1, maxBatch},
		"many of 60 MiB":     {60 << 20, 20, 8},
		"large ones":         {largeUpload + 1, 3, 1},
	} {
		q := newUploadQueue()
		for i := range tt.n {
			u := of("tools", strconv.Itoa(i))
			u.Size = tt.size
			q.offer(t.Context(), u)
		}
		if b, _ := q.take(later()); len(b.uploads) != tt.want {
			t.Errorf("%s: %d in a batch, want %d", name, len(b.uploads), tt.want)
		}
	}
}

// Uploads that follow each other closely are one batch, and no upload waits long for others.
func TestQueueCollects(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := newUploadQueue()
		q.offer(t.Context(), of("tools", "a"))
		b, wait := q.take(time.Now())
		if b != nil || wait != quiet {
			t.Errorf("got %v, and the next in %s; want it in %s", b, wait, quiet)
		}
		for i := range 100 {
			time.Sleep(quiet / 2)
			q.offer(t.Context(), of("tools", strconv.Itoa(i)))
			if b, _ = q.take(time.Now()); b != nil {
				break
			}
		}
		if b == nil || len(b.uploads) != 14 {
			t.Errorf("got %v, want the 14 uploads that came until %s had passed", b, maxCollect)
		}
	})
}

// No repository takes all places of a kind, and no kind those of another one.
func TestQueueSharesPlaces(t *testing.T) {
	for k, want := range map[kind]int{fresh: 2, large: 2, again: 4, suspect: 1} {
		q := newUploadQueue()
		for i := range 3 * maxBatch {
			q.put(of("hangs", strconv.Itoa(i)), k)
		}
		n := 0
		for b, _ := q.take(later()); b != nil; b, _ = q.take(later()) {
			n++
		}
		if n != want {
			t.Errorf("kind %d: a repository has %d runs at a time, want %d", k, n, want)
		}
		for other := range kinds {
			q.put(of("tools", "a"), other)
			b, _ := q.take(later())
			if other == k && k == suspect {
				if b != nil {
					t.Error("two suspect uploads run at the same time")
				}
				continue
			}
			if b == nil || b.repository != repositoryNamed("tools") {
				t.Errorf("kind %d has all places, and an upload of kind %d and another repository waits", k, other)
			}
		}
	}
}

// A run that takes longer than it should gives up its place.
func TestQueueGivesThePlaceOfAHangingRunAway(t *testing.T) {
	for k := range kinds {
		q := newUploadQueue()
		for i := range 4 * places[k].all { // as many repositories as it takes
			q.put(of(strconv.Itoa(i), "hangs"), k)
		}
		for b, _ := q.take(later()); b != nil; b, _ = q.take(later()) {
		}
		q.put(of("tools", "a"), k)
		if b, _ := q.take(later()); b != nil {
			t.Fatalf("kind %d: there is a place while all runs may be well", k)
		}
		if b, _ := q.take(later().Add(runTime + uploadTime)); b == nil {
			t.Errorf("kind %d: runs that hang keep their places", k)
		}
	}
}

// What is queued behind a mark does not count, what is processed out of order does not either, nor do uploads of others.
func TestQueueAhead(t *testing.T) {
	q := newUploadQueue()
	put := func(name string) *batch {
		q.put(of("tools", name), fresh)
		b, _ := q.take(later())
		return b
	}
	first, second := put("a.rpm"), put("b.rpm")
	reached := q.aheadOf(repositoryNamed("tools"))
	q.put(of("tools", "c.rpm"), fresh)
	q.end(second)
	if reached() {
		t.Error("reached while the first is being processed")
	}
	if !q.aheadOf(repositoryNamed("other"))() {
		t.Error("a repository without uploads waits for those of another one")
	}
	q.end(first)
	if !reached() {
		t.Error("not reached although only a later one waits")
	}
	if q.aheadOf(repositoryNamed("tools"))() {
		t.Error("nothing is ahead although one waits")
	}
	third, _ := q.take(later())
	q.end(third)
	if len(q.lines) != 0 || len(q.running) != 0 || q.count != 0 {
		t.Errorf("what was processed is remembered: %v %v %d", q.lines, q.running, q.count)
	}
}

// Publishes wait for a run as long as one takes that is well: many uploads, or large ones, take longer than one.
func TestRunsAreAwaited(t *testing.T) {
	for name, tt := range map[string]struct {
		n    int
		size int64
		want time.Duration
	}{
		"one small upload":    {1, 1, 5025 * time.Millisecond},
		"40 small uploads":    {40, 0, 6 * time.Second},
		"an upload of 64 MiB": {1, 64 << 20, 7025 * time.Millisecond},
	} {
		synctest.Test(t, func(t *testing.T) {
			q := newUploadQueue()
			for i := range tt.n {
				u := of("tools", strconv.Itoa(i))
				u.Size = tt.size
				q.offer(t.Context(), u)
			}
			time.Sleep(maxCollect)
			reached := q.aheadOf(repositoryNamed("tools"))
			q.take(time.Now())
			time.Sleep(tt.want - time.Millisecond)
			if reached() {
				t.Errorf("%s: not awaited for %s", name, tt.want)
			}
			time.Sleep(time.Millisecond)
			if !reached() {
				t.Errorf("%s: awaited for longer than %s", name, tt.want)
			}
		})
	}
}

// An upload that hangs delays no upload of another repository, and of its own those that wait for the same run only.
func TestHangingUploadDelaysNoOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := newUploadQueue()
		ctx, stop := context.WithCancel(t.Context())
		begin, hanging := time.Now(), make(chan struct{})
		delays := map[string]time.Duration{}
		done := make(chan string)
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			q.run(ctx, func(b *batch) {
				for _, u := range b.uploads {
					if u == of("tools", "hangs") {
						<-hanging
						continue
					}
					done <- u.Object
				}
			})
		}()
		q.offer(ctx, of("tools", "hangs"))
		time.Sleep(time.Second)
		others := []catalog.Upload{of("other", "a"), of("third", "a"), of("tools", "a")}
		for _, u := range others {
			q.offer(ctx, u)
		}
		for range others {
			delays[<-done] = time.Since(begin) - time.Second
		}
		for object, delay := range delays {
			if delay != quiet {
				t.Errorf("%s was begun after %s, want %s", object, delay, quiet)
			}
		}
		close(hanging)
		stop()
		<-ended
	})
}
