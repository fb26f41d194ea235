package check

import (
	"context"
	"sync"
)

// A Budget bounds the bytes of objects that samples read together. A nil Budget bounds nothing.
type Budget struct {
	mu    sync.Mutex
	bytes int64
	read  int64
}

// NewBudget returns a budget of some bytes.
func NewBudget(bytes int64) *Budget { return &Budget{bytes: bytes} }

// Read returns the size of the objects together that were read, as what names them has it.
func (b *Budget) Read() int64 {
	if b == nil {
		return 0
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.read
}

// take takes the bytes of an object, unless they are more than what is left.
func (b *Budget) take(n int64) bool {
	if b == nil {
		return true
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if n > b.bytes-b.read {
		return false
	}
	b.read += n
	return true
}

// afford reports whether an object may be read. Of one that exceeds the budget, it compares the size, and notes what that is.
func (s *sampler) afford(ctx context.Context, o named) bool {
	if s.opt.Budget.take(o.size) {
		return true
	}
	n, err := int64(-1), error(nil)
	if t, ok := s.tree.(sizer); ok {
		n, err = t.size(ctx, o.key)
	}
	switch {
	case err != nil:
		s.note(o.key, outcomeOf(err), "%v (listed in %s)", unreadable(err), o.by)
	case n < 0:
		s.note(o.key, Unreachable, "it is there, and its size is not known; it was not read, because it is larger than what is left of the bytes of a round")
	case n != o.size:
		s.note(o.key, Differs, "has %d bytes, listed with %d (listed in %s)", n, o.size, o.by)
	default:
		s.note(o.key, Good, "")
		s.seen[len(s.seen)-1].Sized = true
	}
	return false
}
