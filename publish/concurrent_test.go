package publish_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"repomill/publish"
	"repomill/publish/publishtest"
	"repomill/publish/tree"
	"repomill/schemas/catalog"
	"repomill/schemas/layout"
)

// A witness watches every pointer that a release ever has.
type witness struct {
	mu       sync.Mutex
	pointers int
	revision int64
	date     time.Time // of the newest pointer
	swapped  time.Time
}

// watch fails the test if a revision ever falls or stays, if a Date does not rise by a second at least, or
// if a DEB release is swapped twice in one second.
func watch(w *world, r catalog.Release) *witness {
	s := &witness{}
	w.bucket.After("Swap", layout.PointerKey(r), func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		body, now := w.bucket.Bytes(layout.PointerKey(r)), w.bucket.Now()
		revision := mustParse(w.t, r, body)
		if revision.Number == s.revision {
			return // a swap that lost
		}
		m := manifestOf(w, r, revision.Number, sum(body))
		if revision.Number < s.revision || m.Date.Before(s.date.Add(time.Second)) {
			w.t.Errorf("%s went from revision %d of %v to %d of %v", r, s.revision, s.date, revision.Number, m.Date)
		}
		if r.Arch == "" && now.Before(s.swapped.Add(time.Second)) {
			w.t.Errorf("%s was swapped after %v", r, now.Sub(s.swapped))
		}
		s.pointers, s.revision, s.date, s.swapped = s.pointers+1, revision.Number, m.Date, now
	})
	return s
}

// Several processes push and publish to one release. When a publish has returned without an error, its package is visible, and no
// package is lost.
func TestI06ConcurrentPublishers(t *testing.T) {
	for _, r := range []catalog.Release{jammy, el9} {
		simulate(t, func(t *testing.T, w *world) {
			const processes, pushes = 4, 6
			s := watch(w, r)
			w.bucket.Slow(20 * time.Millisecond)
			packages := somePackages(w, r, processes*pushes)
			var all sync.WaitGroup
			for i := range processes {
				p := w.publisher()
				all.Go(func() {
					for n := range pushes {
						w.push(packages[i*pushes+n])
						at := w.state(r).Revision.Number
						res, err := p.Release(t.Context(), r)
						if err != nil || res.Revision.Number < at {
							t.Errorf("%s: pushed at revision %d, got %+v, %v", r, at, res, err)
						}
						time.Sleep(rand.N(2 * time.Second))
					}
				})
			}
			all.Wait()
			if got := w.check(r); got.Packages != processes*pushes {
				t.Errorf("%s has %d packages, want %d", r, got.Packages, processes*pushes)
			}
			t.Logf("%s: %d pushes, %d pointers", r, processes*pushes, s.pointers)
		})
	}
}

func somePackages(w *world, r catalog.Release, n int) []upload {
	var all []upload
	for i := range n {
		all = append(all, w.some(r, fmt.Sprintf("p%02d", i)))
	}
	return all
}

// All is slow and fails at random, in both ways, while processes push, publish and sweep. In the end a
// sweep leaves nothing for a client to stumble over.
func TestPublishersInBadWeather(t *testing.T) {
	for _, r := range []catalog.Release{jammy, el9} {
		for range 3 {
			simulate(t, func(t *testing.T, w *world) { badWeather(t, w, r) })
		}
	}
}

func badWeather(t *testing.T, w *world, r catalog.Release) {
	const processes, pushes = 3, 5
	watch(w, r)
	w.bucket.Slow(30 * time.Millisecond)
	w.bucket.FailOften(0.1)
	packages := somePackages(w, r, processes*pushes)
	var all sync.WaitGroup
	for i := range processes {
		p := w.publisher()
		all.Go(func() {
			for n := range pushes {
				w.push(packages[i*pushes+n])
				run := p.Release
				if rand.IntN(3) == 0 {
					run = p.Repair
				}
				if _, err := run(t.Context(), r); errors.Is(err, tree.ErrForeign) {
					t.Error(err)
				}
				time.Sleep(rand.N(time.Second))
			}
		})
	}
	all.Wait()
	w.bucket.FailOften(0)
	w.repair(r)
	w.check(r)
}

// A zombie falls asleep at some step of its publish. What others publish in the meantime stays.
func TestI06Zombie(t *testing.T) {
	for _, tt := range []struct {
		release catalog.Release
		op, key string
	}{
		{jammy, "Get", layout.PointerKey(jammy)},
		{jammy, "Stat", layout.DebDir(jammy) + "/Release"},
		{jammy, "Create", "by-hash/SHA256/*"},
		{jammy, "Create", ".history/*/*/*/*/withdrawn-chunk-*"},
		{jammy, "Create", ".history/*/*/*/*/*.json"},
		{jammy, "Swap", layout.PointerKey(jammy)},
		{el9, "Get", layout.PointerKey(el9)},
		{el9, "Stat", ascOf(el9)},
		{el9, "Create", "repodata/*-primary.xml.gz"},
		{el9, "Create", ".history/*/*/*/*/*/*.json"},
		{el9, "Swap", layout.PointerKey(el9)},
	} {
		t.Run(tt.op+" "+tt.key, func(t *testing.T) {
			simulate(t, func(t *testing.T, w *world) {
				begin(w, tt.release, true)
				watch(w, tt.release)
				asleep, awake := holdOnce(w, tt.op, tt.key)
				zombie := make(chan error)
				go func() {
					_, err := w.publisher().Release(t.Context(), tt.release)
					zombie <- err
				}()
				<-asleep
				w.pushAndPublish(tt.release)
				w.check(tt.release)
				before := w.bucket.Bytes(layout.PointerKey(tt.release))
				close(awake)
				if err := <-zombie; err != nil {
					t.Error(err)
				}
				if string(w.bucket.Bytes(layout.PointerKey(tt.release))) != string(before) {
					t.Error("the zombie published over its successor")
				}
				w.check(tt.release)
			})
		})
	}
}

// holdOnce holds the first operation op on a key until awake is closed.
func holdOnce(w *world, op, key string) (asleep <-chan struct{}, awake chan<- struct{}) {
	in, out := make(chan struct{}), make(chan struct{})
	var once sync.Once
	w.bucket.Before(op, key, func() {
		first := false
		once.Do(func() { first = true })
		if first {
			close(in)
			<-out
		}
	})
	return in, out
}

// After a zombie has fallen asleep between the files of a pair, the two match in the end, even if others have repaired the torn pair.
func TestZombieBesideThePointer(t *testing.T) {
	dist := layout.DebDir(jammy)
	for _, tt := range []struct {
		name    string
		release catalog.Release
		held    string
		others  func(w *world)
	}{
		{"somebody repairs and dies while repomd.xml is to come", el9, layout.PointerKey(el9), func(w *world) { w.repairAndDie(el9) }},
		{"somebody repairs while repomd.xml is to come", el9, layout.PointerKey(el9), func(w *world) { w.repairOrFail(el9) }},
		{"somebody publishes while repomd.xml is to come", el9, layout.PointerKey(el9), func(w *world) { w.pushAndPublish(el9) }},
		{"somebody publishes while the signature is to come", el9, ascOf(el9), func(w *world) { w.pushAndPublish(el9) }},
		{"somebody repairs while Release.gpg is to come", jammy, dist + "/Release.gpg", func(w *world) { w.repairOrFail(jammy) }},
		{"somebody publishes while Release.gpg is to come", jammy, dist + "/Release.gpg", func(w *world) { w.pushAndPublish(jammy) }},
		{"somebody publishes while Release is to come", jammy, dist + "/Release", func(w *world) { w.pushAndPublish(jammy) }},
		{"somebody publishes while an index is to come", jammy, dist + "/main/binary-amd64/Packages.gz", func(w *world) { w.pushAndPublish(jammy) }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			simulate(t, func(t *testing.T, w *world) {
				begin(w, tt.release, true)
				asleep, awake := holdOnce(w, "Swap", tt.held)
				zombie := make(chan error)
				go func() {
					_, err := w.publisher().Release(t.Context(), tt.release)
					zombie <- err
				}()
				<-asleep
				tt.others(w)
				close(awake)
				if err := <-zombie; err != nil {
					t.Error(err)
				}
				w.check(tt.release)
			})
		})
	}
}

func (w *world) pushAndPublish(r catalog.Release) {
	w.push(w.some(r, "third"))
	w.publish(r)
}

// repairOrFail repairs what another publish has not ended. It may meet it again and again, and give up.
func (w *world) repairOrFail(r catalog.Release) {
	if _, err := w.publisher().Repair(w.t.Context(), r); err != nil && !errors.Is(err, publish.ErrConflict) {
		w.t.Error(err)
	}
}

// repairAndDie signs a repomd.xml that is about to be replaced again, and stops there.
func (w *world) repairAndDie(r catalog.Release) {
	w.t.Helper()
	ctx, cancel := withCancel(w.t)
	w.bucket.After("Swap", ascOf(r), cancel)
	if _, err := w.publisher().Repair(ctx, r); !errors.Is(err, context.Canceled) {
		w.t.Errorf("got %v", err)
	}
}

func ascOf(r catalog.Release) string { return layout.PointerKey(r) + ".asc" }

// Many callers of one publisher share its publishes.
func TestOneProcessPublishesOnce(t *testing.T) {
	simulate(t, func(t *testing.T, w *world) {
		p, s := w.publisher(), watch(w, jammy)
		w.push(somePackages(w, jammy, 10)...)
		var all sync.WaitGroup
		for range 10 {
			all.Go(func() {
				if _, err := p.Release(t.Context(), jammy); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
		w.check(jammy)
		if s.pointers != 1 {
			t.Errorf("published %d times", s.pointers)
		}
		if took := w.bucket.Now().Sub(publishtest.Start); took > 2*time.Second {
			t.Errorf("took %v", took)
		}
	})
}
