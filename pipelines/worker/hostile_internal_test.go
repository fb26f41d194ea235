package worker

import (
	"fmt"
	"log/slog"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"repomill/pipelines"
	"repomill/schemas/catalog"
	"repomill/schemas/catalogdb"
)

// Repositories whose uploads all hang take few places: an upload of another one is begun, of whichever kind.
func TestQueueWithRepositoriesThatHang(t *testing.T) {
	for k, hostile := range map[kind]int{fresh: 4, large: 2, again: 4, suspect: 4} {
		q, now := newUploadQueue(), later()
		for i := range 200 {
			for h := range hostile {
				q.put(of(fmt.Sprint("hostile", h), strconv.Itoa(i)), k)
			}
		}
		for range 10 { // each time, all that runs becomes overdue
			for b, _ := q.take(now); b != nil; b, _ = q.take(now) {
			}
			now = now.Add(time.Minute)
		}
		q.put(of("tools", "a"), k)
		if b, _ := q.take(now); b == nil || b.repository != repositoryNamed("tools") {
			t.Errorf("kind %d: %d repositories have all places, with %d runs", k, hostile, len(q.running))
		}
	}
}

// A repository with uploads that hang has others at work, one by one.
func TestQueueOfARepositoryThatHangs(t *testing.T) {
	q := newUploadQueue()
	for i := range 3 * maxBatch {
		q.put(of("tools", strconv.Itoa(i)), fresh)
	}
	q.take(later())
	q.take(later())
	for range 3 {
		b, _ := q.take(later().Add(time.Hour))
		if b == nil || len(b.uploads) != 1 {
			t.Fatalf("beside two runs that hang, got %+v, want a run of one upload", b)
		}
		q.end(b)
	}
}

// Uploads of failing repositories, of which the catalog has many, do not hold the source back.
func TestQueueOfFailingUploadsLeavesTheSourceOpen(t *testing.T) {
	q := newUploadQueue()
	for i := range maxWaiting {
		q.put(of(fmt.Sprint("failing", i%4), strconv.Itoa(i)), suspect)
	}
	q.put(of("failing0", "again"), again)
	done := make(chan bool, 1)
	go func() { done <- q.offer(t.Context(), of("tools", "a")) }()
	select {
	case taken := <-done:
		if !taken {
			t.Error("an upload of another repository is left in staging")
		}
	case <-time.After(5 * time.Second):
		t.Error("the source waits for uploads that fail")
	}
}

// A repository with its share of uploads that were begun with gets no more of the queue, and keeps no one else's out of it.
func TestUnfinishedUploadsOfARepositoryHaveItsShare(t *testing.T) {
	db, err := catalogdb.Open("sqlite://" + filepath.Join(t.TempDir(), "catalog.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if err := db.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	staging := holding{}
	begun := func(repository string, n int) (uploads []catalog.Upload) {
		for i := range n {
			u := of(repository, strconv.Itoa(i))
			u.Bucket, u.Generation = staging.Name(), "1"
			uploads = append(uploads, u)
		}
		if _, err := db.TakeAll(t.Context(), uploads, catalogdb.Lease{Owner: "dead", For: time.Minute}, time.Now().Add(-time.Hour)); err != nil {
			t.Fatal(err)
		}
		return uploads
	}
	begun("failing", 2*maxResumed)
	other := begun("tools", 1)[0]
	d := &Dispatcher{Resources: &pipelines.Resources{Catalog: db, Staging: staging, Log: slog.New(slog.DiscardHandler)}, queue: newUploadQueue()}
	const room = 500
	for i := range maxWaitingOf - room {
		u := of("failing", "earlier"+strconv.Itoa(i))
		d.inFlight.add(u, nil, time.Now())
		d.queue.put(u, suspect)
	}
	for range 3 {
		d.resume(t.Context())
	}
	if n := d.queue.waitingOf(repositoryNamed("failing")); n != maxWaitingOf {
		t.Errorf("%d uploads wait, want %d", n, maxWaitingOf)
	}
	if !d.inFlight.isActive(other) || d.unresumed != 2*maxResumed-room {
		t.Errorf("the upload of another repository is queued: %v; %d have no room, want %d", d.inFlight.isActive(other), d.unresumed, 2*maxResumed-room)
	}
}
