package oidc

import (
	"crypto/sha256"
	"errors"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"repomill/serve/api"
)

const (
	strangeRate  = 200 // credentials a second that were not known before
	strangeBurst = 400
	maxKnown     = 10_000 // credentials that are remembered
)

// strangers bounds what credentials that were not known before cost: a question to the catalog, and the verification of a
// signature. Anybody can make them up. Those that opened something go on. The zero value is ready.
type strangers struct {
	mu       sync.Mutex
	limit    *rate.Limiter
	familiar map[[sha256.Size]byte]bool
}

// ask finds out who presents a credential, unless too many are asked for.
func (s *strangers) ask(credential string, now time.Time, find func() (verified, error)) (verified, error) {
	key := sha256.Sum256([]byte(credential))
	if !s.allow(key, now) {
		return verified{}, api.Strangers()
	}
	v, err := find()
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case err == nil:
		if len(s.familiar) >= maxKnown {
			clear(s.familiar)
		}
		s.familiar[key] = true
	case errors.Is(err, api.ErrUnknownCredential):
		delete(s.familiar, key)
	}
	return v, err
}

func (s *strangers) allow(key [sha256.Size]byte, now time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.limit == nil {
		s.limit, s.familiar = rate.NewLimiter(strangeRate, strangeBurst), map[[sha256.Size]byte]bool{}
	}
	return s.familiar[key] || s.limit.AllowN(now, 1)
}
