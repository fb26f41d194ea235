package publishtest

import (
	"math/rand/v2"
	"time"
)

// A Fault is a way in which a write fails.
type Fault int

// The two ways in which a write fails: the caller gets an error, and the store has changed nothing, or
// has what was written all the same.
const (
	Lost Fault = iota + 1
	Stored
)

func (f Fault) String() string { return [...]string{"none", "lost", "stored"}[f] }

// An Op is one operation on an object.
type Op struct {
	Name string // of the method
	Key  string
}

func (o Op) writes() bool {
	switch o.Name {
	case "Create", "Swap", "Copy", "Delete":
		return true
	}
	return false
}

type fault struct {
	pattern string
	fault   Fault
	spent   bool
}

// FailOnce makes the next write fail whose key ends as pattern says: "InRelease", "by-hash/SHA256/*".
func (b *Bucket) FailOnce(pattern string, f Fault) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.faults = append(b.faults, &fault{pattern: pattern, fault: f})
}

// FailOften makes each write fail with a probability, in either way.
func (b *Bucket) FailOften(probability float64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.often = probability
}

// takeFault returns what is to go wrong with an operation, once. The bucket is locked.
func (b *Bucket) takeFault(op Op) Fault {
	if !op.writes() {
		return 0
	}
	if rand.Float64() < b.often {
		return Lost + Fault(rand.IntN(2))
	}
	for _, f := range b.faults {
		if !f.spent && matches(f.pattern, op.Key) {
			f.spent = true
			return f.fault
		}
	}
	return 0
}

func (b *Bucket) checkFaults() {
	for _, f := range b.faults {
		if !f.spent {
			b.t.Errorf("no write of %s was there to be %v", f.pattern, f.fault)
		}
	}
}

type hook struct {
	op    Op // its Key is a pattern
	after bool
	f     func()
}

// Before calls f before every operation op on a key that ends as pattern says. f may block.
func (b *Bucket) Before(op, pattern string, f func()) { b.hook(hook{Op{op, pattern}, false, f}) }

// After calls f after every operation op on a key that ends as pattern says. f may block.
func (b *Bucket) After(op, pattern string, f func()) { b.hook(hook{Op{op, pattern}, true, f}) }

func (b *Bucket) hook(h hook) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.hooks = append(b.hooks, h)
}

// call calls the hooks of an operation.
func (b *Bucket) call(op Op, after bool) {
	b.mu.Lock()
	hooks := b.hooks
	b.mu.Unlock()
	for _, h := range hooks {
		if h.op.Name == op.Name && h.after == after && matches(h.op.Key, op.Key) {
			h.f()
		}
	}
}

// Slow makes each operation take up to 2 max, at random. In a bubble of [testing/synctest] this is what
// lets concurrent operations meet in many orders.
func (b *Bucket) Slow(max time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.delay = func() time.Duration { return rand.N(max) }
}

func (b *Bucket) pause() {
	b.mu.Lock()
	delay := b.delay()
	b.mu.Unlock()
	if delay > 0 {
		time.Sleep(delay)
	}
}

// Now returns what the bucket's clock shows.
func (b *Bucket) Now() time.Time {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.clock()
}

// SetClock sets the bucket's clock, which goes on from there.
func (b *Bucket) SetClock(now time.Time) {
	begin := time.Now()
	b.setClock(func() time.Time { return now.Add(time.Since(begin)) })
}

// StopClock stops the bucket's clock.
func (b *Bucket) StopClock() {
	now := b.Now()
	b.setClock(func() time.Time { return now })
}

func (b *Bucket) setClock(clock func() time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.clock = clock
}
