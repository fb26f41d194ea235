package upload

import (
	"cmp"
	"sync"
	"time"
)

// Limits bound what callers can use. A zero is replaced by a default.
type Limits struct {
	MaxSize      int64         // of a package, in bytes
	Uploads      int           // whose bodies arrive at one time
	PerPrincipal int           // of those, of one caller
	MinRate      int64         // bytes a second that a body has to arrive with, besides Patience
	Patience     time.Duration // how long a body may take in addition, and how long it may pause
}

const (
	defaultMaxSize = 8 << 30
	maxWait        = time.Minute
	curlWait       = 50 * time.Second // below the minute after which proxies give up
)

func (l Limits) orDefaults() Limits {
	return Limits{
		MaxSize: cmp.Or(l.MaxSize, defaultMaxSize), Uploads: cmp.Or(l.Uploads, 64), PerPrincipal: cmp.Or(l.PerPrincipal, 32),
		MinRate: cmp.Or(l.MinRate, 8<<10), Patience: cmp.Or(l.Patience, 30*time.Second),
	}
}

// slots count the bodies that arrive.
type slots struct {
	limits Limits
	mu     sync.Mutex
	all    int
	by     map[string]int // principal
}

func newSlots(l Limits) *slots { return &slots{limits: l, by: map[string]int{}} }

// take takes a slot for a principal, which free gives back. If there is none, why says which are used up.
func (s *slots) take(principal string) (free func(), why string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.by[principal] >= s.limits.PerPrincipal:
		return nil, "as many uploads of this token as it may have at a time are on their way; try again when one has ended"
	case s.all >= s.limits.Uploads:
		return nil, "as many uploads as the server takes at a time are on their way; try again"
	}
	s.all++
	s.by[principal]++
	return sync.OnceFunc(func() { s.free(principal) }), ""
}

func (s *slots) free(principal string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.all--
	if s.by[principal]--; s.by[principal] == 0 {
		delete(s.by, principal)
	}
}
