package client

import (
	"context"
	"errors"
	"io/fs"
	"sync"
	"time"

	"repomill/schemas/catalog"
)

const (
	longPoll     = 30 * time.Second // how long the server waits before it answers, at most: the first waits are short, so that progress shows
	maxLongPolls = 16               // at one time; the others' verdicts wait at the server
	askPause     = time.Second      // after a fault
)

// verdicts are what a server said last of uploads. Each upload is asked for until its end, from the first time that its
// verdict is wanted.
type verdicts struct {
	ask   func(ctx context.Context, id string, wait time.Duration) (catalog.Verdict, error)
	slots chan struct{}

	mu    sync.Mutex
	all   map[string]*asked // by staging key
	fault error             // of the last question
	ends  []context.CancelFunc
}

// asked is an upload, and what was said of it.
type asked struct {
	id      string
	begun   bool
	verdict catalog.Verdict
	err     error // why it is not asked for any more
}

func newVerdicts(ask func(context.Context, string, time.Duration) (catalog.Verdict, error)) *verdicts {
	return &verdicts{ask: ask, slots: make(chan struct{}, maxLongPolls), all: map[string]*asked{}}
}

func (v *verdicts) add(object, id string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.all[object] = &asked{id: id}
}

// last returns what was said last of an upload; nothing, until something is.
func (v *verdicts) last(ctx context.Context, object string) (catalog.Verdict, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	a := v.all[object]
	if a == nil {
		return catalog.Verdict{}, fs.ErrNotExist
	}
	if !a.begun {
		a.begun = true
		ctx, cancel := context.WithCancel(ctx)
		v.ends = append(v.ends, cancel)
		go v.follow(ctx, a)
	}
	return a.verdict, a.err
}

// follow asks for an upload until its end. A fault may go away; a refusal does not.
func (v *verdicts) follow(ctx context.Context, a *asked) {
	for wait := time.Second; ctx.Err() == nil; wait = min(2*wait, longPoll) {
		select {
		case v.slots <- struct{}{}:
		case <-ctx.Done():
			return
		}
		verdict, err := v.ask(ctx, a.id, wait)
		<-v.slots
		v.mu.Lock()
		if ctx.Err() == nil {
			v.fault = err
		}
		if err == nil {
			a.verdict = verdict
		}
		if errors.Is(err, fs.ErrPermission) {
			a.err = err
		}
		over := a.verdict.State.Settled() || a.err != nil
		v.mu.Unlock()
		if over {
			return
		}
		if err != nil {
			select {
			case <-time.After(askPause):
			case <-ctx.Done():
			}
		}
	}
}

func (v *verdicts) lastFault() error {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.fault
}

func (v *verdicts) stop() {
	v.mu.Lock()
	defer v.mu.Unlock()
	for _, end := range v.ends {
		end()
	}
}
