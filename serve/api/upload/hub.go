package upload

import (
	"context"
	"sync"
	"time"

	"repomill/schemas/catalog"
)

// A hub asks the catalog for all who wait, once a period, so that its load does not grow with them. The verdict objects of
// staging would have to be read one by one, which in a bucket is a request each that is paid for; and the worker writes them
// after the catalog, which therefore knows first.
type hub struct {
	catalog Catalog
	period  time.Duration

	mu      sync.Mutex
	waiters map[*waiter]bool
	running bool
}

const (
	hubPeriod = 200 * time.Millisecond
	hubLook   = 10 * time.Second // how long the catalog may take for one answer
)

func newHub(c Catalog) *hub {
	return &hub{catalog: c, period: hubPeriod, waiters: map[*waiter]bool{}}
}

// A waiter is a call that waits for an upload.
type waiter struct {
	upload catalog.Upload
	final  bool // whether it waits for a final state, or for what is known now
	done   chan struct{}
	seen   outcome // under the hub's mutex until done is closed
}

// An outcome is what the catalog said of an upload.
type outcome struct {
	verdict catalog.Verdict
	known   bool
	err     error
}

// await returns the verdict on an upload: what is known now, or, if final is asked for, the final one. When ctx ends, it
// returns what was known last.
func (h *hub) await(ctx context.Context, u catalog.Upload, final bool) (v catalog.Verdict, known bool, err error) {
	u.Size = 0 // a hint, which would make one upload two
	w := &waiter{upload: u, final: final, done: make(chan struct{})}
	h.mu.Lock()
	h.waiters[w] = true
	if !h.running {
		h.running = true
		go h.run()
	}
	h.mu.Unlock()
	select {
	case <-w.done:
	case <-ctx.Done():
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.waiters, w)
	return w.seen.verdict, w.seen.known, w.seen.err
}

// run asks the catalog while there are waiters.
func (h *hub) run() {
	for {
		uploads := h.uploads()
		if uploads == nil {
			return
		}
		ctx, cancel := context.WithTimeout(context.Background(), hubLook)
		verdicts, err := h.catalog.Verdicts(ctx, uploads)
		cancel()
		h.deliver(uploads, verdicts, err)
		time.Sleep(h.period)
	}
}

// uploads returns what is waited for, each once; nil if nothing is, and the hub rests.
func (h *hub) uploads() (uploads []catalog.Upload) {
	h.mu.Lock()
	defer h.mu.Unlock()
	seen := map[catalog.Upload]bool{}
	for w := range h.waiters {
		if !seen[w.upload] {
			seen[w.upload] = true
			uploads = append(uploads, w.upload)
		}
	}
	h.running = uploads != nil
	return uploads
}

// deliver gives the waiters for some uploads what the catalog said. An error ends no wait for a final state: the catalog may be
// back before the wait is over.
func (h *hub) deliver(uploads []catalog.Upload, verdicts map[catalog.Upload]catalog.Verdict, err error) {
	asked := map[catalog.Upload]bool{}
	for _, u := range uploads {
		asked[u] = true
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	for w := range h.waiters {
		if !asked[w.upload] {
			continue // it came since
		}
		if err != nil {
			w.seen.err = err
		} else {
			v, known := verdicts[w.upload]
			w.seen = outcome{verdict: v, known: known}
		}
		if !w.final || err == nil && w.seen.verdict.State.Settled() {
			close(w.done)
			delete(h.waiters, w)
		}
	}
}
