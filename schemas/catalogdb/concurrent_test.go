package catalogdb_test

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"repomill/schemas/catalog"
	"repomill/schemas/catalogdb"
)

const writers = 16

// race runs f in as many goroutines as there are writers, all at once.
func race(f func(i int)) {
	var wg sync.WaitGroup
	ready := make(chan struct{})
	for i := range writers {
		wg.Go(func() {
			<-ready
			f(i)
		})
	}
	close(ready)
	wg.Wait()
}

func writeConcurrently(t *testing.T, db *catalogdb.DB) {
	declare(t, db, jammy)
	declare(t, db, el9)
	const each = 4
	race(func(i int) {
		for n := range each {
			name := fmt.Sprintf("p%d-%d", i, n)
			if err := push(t, db, deb(jammy, name, "1")); err != nil {
				t.Error(err)
			}
			if err := push(t, db, rpm(el9, name, "1-1", "noarch"), "aarch64", "x86_64"); err != nil {
				t.Error(err)
			}
			if err := db.Publish(t.Context(), jammy, int64(n), start); err != nil {
				t.Error(err)
			}
		}
	})
	for _, r := range []catalog.Release{jammy, el9, in(el9, "aarch64")} {
		checkPushed(t, db, r, writers*each)
		publish(t, db, r, writers*each+1, start)
	}
	if n, err := db.Backlog(t.Context()); err != nil || n != 0 {
		t.Errorf("%d uploads are not finished, %v", n, err)
	}
	all, err := db.Recent(t.Context(), "", 1000)
	if err != nil || len(all) != 2*writers*each {
		t.Errorf("got %d uploads, %v; want %d", len(all), err, 2*writers*each)
	}
	for _, v := range all {
		if v.State != catalog.Published {
			t.Errorf("%s is %q, want %q", v.Object, v.State, catalog.Published)
		}
	}
}

func claimConcurrently(t *testing.T, db *catalogdb.DB) {
	declare(t, db, jammy)
	var won atomic.Int64
	holders := make([]catalog.File, writers)
	race(func(i int) {
		k := deb(jammy, "hello", "1")
		k.File = file(fmt.Sprint(i))
		holder, claimed, err := db.Claim(t.Context(), k, catalog.Upload{})
		if err != nil {
			t.Error(err)
		}
		if claimed {
			won.Add(1)
		}
		holders[i] = holder.File
	})
	if won.Load() != 1 {
		t.Errorf("%d claims won, want 1", won.Load())
	}
	for _, h := range holders {
		if h != holders[0] {
			t.Errorf("one got the answer that %s holds it, another %s", holders[0].SHA256, h.SHA256)
		}
	}
}

func takeConcurrently(t *testing.T, db *catalogdb.DB) {
	var won atomic.Int64
	race(func(int) {
		token, state, err := db.Take(t.Context(), hello, lease, start)
		if err != nil || state != catalog.Received {
			t.Errorf("state %q, %v", state, err)
		}
		if token != "" {
			won.Add(1)
		}
	})
	if won.Load() != 1 {
		t.Errorf("%d have the lease, want 1", won.Load())
	}
}

// Publishers hold a snapshot while they ask and write; more of them than there are connections only wait.
func publishConcurrently(t *testing.T, db *catalogdb.DB) {
	declare(t, db, jammy)
	revision := stateOf(t, db, jammy).Revision
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	race(func(int) {
		s, err := db.Snapshot(ctx, jammy)
		if err != nil {
			t.Error(err)
			return
		}
		defer s.Close()
		time.Sleep(50 * time.Millisecond) // until every connection is in use
		if known, err := db.KnowsRevision(ctx, jammy, revision); err != nil || !known {
			t.Errorf("KnowsRevision: %v, %v", known, err)
		}
		if err := db.Publish(ctx, jammy, s.Revision.Number, start); err != nil {
			t.Error(err)
		}
	})
}

func declareConcurrently(t *testing.T, db *catalogdb.DB) {
	var made atomic.Int64
	race(func(i int) {
		created, err := db.Declare(t.Context(), catalogdb.Declaration{Repository: tools, Distro: distro(jammy), Component: fmt.Sprintf("c%d", i)}, start)
		if err != nil || len(created) == 0 {
			t.Errorf("created %q, %v", created, err)
		}
		if len(created) > 0 && created[0] == "repository acme/tools" {
			made.Add(1)
		}
	})
	if made.Load() != 1 {
		t.Errorf("the repository was made %d times", made.Load())
	}
	checkRevision(t, db, jammy, writers)
	s, err := db.Settings(t.Context(), tools)
	if err != nil || len(s.Distributions) != 1 || len(s.Distributions[0].Components) != writers+1 {
		t.Errorf("got %+v, %v; want all components", s, err)
	}
}

// Many workers bring the same package at once: one of them publishes it, and it is one revision.
func activateConcurrently(t *testing.T, db *catalogdb.DB) {
	declare(t, db, jammy)
	all := make([]catalogdb.Stored, writers)
	for i := range all {
		all[i] = store(t, db, deb(jammy, "hello", "1"), fmt.Sprint(i))
	}
	race(func(i int) {
		if err := db.Activate(t.Context(), all[i:i+1], start); err != nil {
			t.Error(err)
		}
	})
	checkRevision(t, db, jammy, 2)
	publish(t, db, jammy, 2, start)
	states := map[catalog.UploadState]int{}
	for _, s := range all {
		states[verdictOf(t, db, s.Upload).State]++
	}
	if diff := cmp.Diff(map[catalog.UploadState]int{catalog.Published: 1, catalog.Duplicate: writers - 1}, states); diff != "" {
		t.Errorf("states of the uploads (-want +got):\n%s", diff)
	}
}

// A yank and uploads of the same package meet: it ends yanked, and no upload gets another answer.
func yankConcurrently(t *testing.T, db *catalogdb.DB) {
	declare(t, db, jammy)
	k := deb(jammy, "hello", "1")
	pushAll(t, db, k)
	again := make([]catalogdb.Stored, writers)
	for i := range again {
		again[i] = store(t, db, k, fmt.Sprint("again", i))
	}
	race(func(i int) {
		var err error
		if i%4 == 0 {
			_, err = db.Yank(t.Context(), selectorOf(k), record, start)
		} else {
			err = db.Activate(t.Context(), again[i:i+1], start)
		}
		if err != nil {
			t.Error(err)
		}
	})
	checkRevision(t, db, jammy, 3)
	publish(t, db, jammy, 3, start)
	checkPackage(t, db, k, catalog.Yanked)
	for i, s := range again {
		if v := verdictOf(t, db, s.Upload); i%4 != 0 && v.State != catalog.Rejected {
			t.Errorf("%s is %q, want it rejected: no one can install it", s.Upload, v.State)
		}
	}
}
