package soak_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"repomill/publish/check"
)

// A server is what the programs need, and what is killed as they are. What was written to it before stays.
type server struct {
	name  string
	kill  func() error
	start func(context.Context) error // returns when it answers
	kills int
}

// outages are the times when a server was down. Its zero value has none.
type outages struct {
	mu    sync.Mutex
	spans []span
	whole sync.RWMutex // held by what must meet none
}

// A span is the time between two others; one that goes on has no end.
type span struct{ begin, end time.Time }

// begin notes that a server goes down. It returns what is to be called once it answers again.
func (o *outages) begin() (end func()) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.spans = append(o.spans, span{begin: time.Now()})
	n := len(o.spans) - 1
	return func() {
		o.mu.Lock()
		defer o.mu.Unlock()
		o.spans[n].end = time.Now()
	}
}

// met reports whether a server was down at some time since begin.
func (o *outages) met(begin time.Time) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return slices.ContainsFunc(o.spans, func(s span) bool { return s.end.IsZero() || s.end.After(begin) })
}

// last returns when the last outage ended; zero if there was none, and the present time if one goes on.
func (o *outages) last() (end time.Time) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, s := range o.spans {
		if s.end.IsZero() {
			return time.Now()
		}
		if s.end.After(end) {
			end = s.end
		}
	}
	return end
}

// maxOutage is how long what needs a server is tried again after it was killed.
const maxOutage = 2 * time.Minute

// despite does what needs servers, again if one of them was down at that time.
func (s *site) despite(do func() error) error {
	for first := time.Now(); ; time.Sleep(50 * time.Millisecond) {
		begin := time.Now()
		err := do()
		if err == nil || errors.Is(err, fs.ErrNotExist) || !s.outages.met(begin) || time.Since(first) > maxOutage {
			return err
		}
	}
}

// A steadyTree is what clients can read, whole: a read that meets an outage is repeated.
type steadyTree struct {
	check.Tree
	site *site
}

// Open implements check.Tree.
func (t steadyTree) Open(ctx context.Context, name string) (body io.ReadCloser, err error) {
	err = t.site.despite(func() error {
		in, err := t.Tree.Open(ctx, name)
		if err != nil {
			return err
		}
		defer in.Close()
		all, err := io.ReadAll(io.LimitReader(in, maxObject))
		body = io.NopCloser(bytes.NewReader(all))
		return err
	})
	return body, err
}

// killServers kills the servers of a site, one at a time, until ctx ends. Then all of them answer.
func (k *soaking) killServers(ctx context.Context, r *rand.Rand) error {
	if len(k.site.servers) == 0 {
		return nil
	}
	pace := 3000 // ms
	if patient() {
		pace = 12_000
	}
	var last time.Duration // of the last outage
	for {
		pause(ctx, time.Duration(1000+r.IntN(pace))*time.Millisecond+2*last) // a slow machine has time for work
		if ctx.Err() != nil {
			return nil
		}
		if k.quiet.Load() {
			continue
		}
		begin := time.Now()
		if err := k.site.outage(ctx, k.site.servers[r.IntN(len(k.site.servers))], time.Duration(r.IntN(2500))*time.Millisecond); err != nil {
			return err
		}
		last = time.Since(begin)
	}
}

// outage kills one server, and starts it again after a while.
func (s *site) outage(ctx context.Context, v *server, length time.Duration) error {
	s.outages.whole.Lock()
	defer s.outages.whole.Unlock()
	end := s.outages.begin()
	if err := v.kill(); err != nil {
		return fmt.Errorf("kill %s: %w", v.name, err)
	}
	v.kills++
	pause(ctx, length)
	if err := v.start(context.WithoutCancel(ctx)); err != nil {
		return fmt.Errorf("start %s again: %w", v.name, err)
	}
	end()
	return nil
}
