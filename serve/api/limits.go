package api

import (
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// A LimitConfig bounds what callers ask of a process. Zero is the default of each.
type LimitConfig struct {
	RequestsPerSecond float64 // of one principal
	Burst             int     // requests at once beyond that
	UploadsPerToken   int     // at once, of one principal
	Uploads           int     // at once, of the process
}

// The defaults of [LimitConfig].
const (
	DefaultRequestsPerSecond = 500
	DefaultBurst             = 1000
	DefaultUploadsPerToken   = 32
	DefaultUploads           = 64
)

// maxStates bounds the principals that [Limits] knows something of.
const maxStates = 10_000

// Limits has the limits of each principal and of the process. A principal that does nothing costs no memory.
type Limits struct {
	config LimitConfig
	now    func() time.Time

	mu      sync.Mutex
	states  map[string]*limitState
	uploads int
}

type limitState struct {
	requests *rate.Limiter
	uploads  int
}

// NewLimits returns limits that go by a clock.
func NewLimits(c LimitConfig, now func() time.Time) *Limits {
	if c.RequestsPerSecond == 0 {
		c.RequestsPerSecond = DefaultRequestsPerSecond
	}
	for field, value := range map[*int]int{&c.Burst: DefaultBurst, &c.UploadsPerToken: DefaultUploadsPerToken, &c.Uploads: DefaultUploads} {
		if *field == 0 {
			*field = value
		}
	}
	return &Limits{config: c, now: now, states: map[string]*limitState{}}
}

// Request counts a request of a principal. Beyond the limit it returns the answer, 429.
func (l *Limits) Request(p Principal) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.now()
	allowed := l.state(p.ID, now).requests.ReserveN(now, 1)
	if wait := allowed.DelayFrom(now); wait > 0 {
		allowed.CancelAt(now)
		return TooMany("this token makes too many requests: slow down", wait)
	}
	return nil
}

// uploadsAgain is when a caller may try again who has too many uploads.
const uploadsAgain = 2 * time.Second

// Upload counts an upload of a principal until done is called, which may be called several times. Beyond the limit of the
// principal it returns the answer, 429, and beyond that of the process, 503: send it before the body is read.
func (l *Limits) Upload(p Principal) (done func(), err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	s := l.state(p.ID, l.now())
	switch {
	case s.uploads >= l.config.UploadsPerToken:
		return nil, TooMany("this token has too many uploads at once: let some end first", uploadsAgain)
	case l.uploads >= l.config.Uploads:
		e := Unavailable(nil)
		e.Message, e.RetryAfter = "the server has too many uploads at once; try again", uploadsAgain
		return nil, e
	}
	s.uploads++
	l.uploads++
	return sync.OnceFunc(func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		s.uploads--
		l.uploads--
	}), nil
}

// state returns the state of a principal.
func (l *Limits) state(id string, now time.Time) *limitState {
	if s, ok := l.states[id]; ok {
		return s
	}
	if len(l.states) >= maxStates {
		l.forget(now)
	}
	s := &limitState{requests: rate.NewLimiter(rate.Limit(l.config.RequestsPerSecond), l.config.Burst)}
	l.states[id] = s
	return s
}

// forget forgets principals whose state is as a new one. If half of the states are others, some of those go that have no
// upload: their requests are counted from none.
func (l *Limits) forget(now time.Time) {
	for id, s := range l.states {
		if s.uploads == 0 && s.requests.TokensAt(now) >= float64(l.config.Burst) {
			delete(l.states, id)
		}
	}
	for id, s := range l.states {
		if len(l.states) < maxStates/2 {
			return
		}
		if s.uploads == 0 {
			delete(l.states, id)
		}
	}
}
