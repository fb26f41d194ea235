package api_test

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"repomill/schemas/catalog"
	"repomill/serve"
	"repomill/serve/api"
)

var begin = time.Date(2026, 8, 1, 12, 0, 0, 0, time.UTC)

// A clock is moved by tests.
type clock struct{ at atomic.Int64 }

func newClock() *clock {
	c := &clock{}
	c.at.Store(begin.UnixNano())
	return c
}
func (c *clock) now() time.Time       { return time.Unix(0, c.at.Load()).UTC() }
func (c *clock) pass(d time.Duration) { c.at.Add(int64(d)) }

// A store has tokens, and counts what it is asked.
type store struct {
	mu           sync.Mutex
	tokens       map[string]catalog.APIToken
	asked, wrote int
	fault        error
	wait         chan struct{}
	actor        catalog.Actor // who made the last one
}

func (s *store) APITokenByDigest(ctx context.Context, digest string) (catalog.APIToken, bool, error) {
	if s.wait != nil {
		select {
		case <-s.wait:
		case <-ctx.Done():
			return catalog.APIToken{}, false, ctx.Err()
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked++
	t, ok := s.tokens[digest]
	return t, ok, s.fault
}

func (s *store) UseAPIToken(_ context.Context, id string, now time.Time) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.wrote++
	for digest, t := range s.tokens {
		if t.ID == id && s.fault == nil {
			t.LastUsed = &now
			s.tokens[digest] = t
		}
	}
	return s.fault
}

// issue adds a token, and returns its secret.
func (s *store) issue(name string, change ...func(*catalog.APIToken)) (secret string) {
	secret, digest := serve.NewToken()
	t := catalog.APIToken{ID: "id-" + name, Name: name, SHA256: digest, Target: catalog.Target{Owner: "acme"}, Scopes: []catalog.Scope{catalog.ScopePush, catalog.ScopeManage}}
	for _, f := range change {
		f(&t)
	}
	s.put(t)
	return secret
}

func (s *store) put(t catalog.APIToken) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.tokens == nil {
		s.tokens = map[string]catalog.APIToken{}
	}
	s.tokens[t.SHA256] = t
}

func (s *store) asks() (asked, wrote int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.asked, s.wrote
}

func newTokens(s *store) (*api.Tokens, *clock) {
	c := newClock()
	return api.NewTokens(s, c.now, slog.New(slog.DiscardHandler)), c
}

func TestTokenIsItsPrincipal(t *testing.T) {
	var s store
	tokens, _ := newTokens(&s)
	got, err := tokens.Authenticate(t.Context(), s.issue("ci"))
	want := api.Principal{ID: "id-ci", Name: "token ci of acme", Grants: []api.Grant{{Right: api.Push, Owner: "acme"}, {Right: api.Manage, Owner: "acme"}}}
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("got %v (-want +got):\n%s", err, diff)
	}
}

func TestWhatOpensNothing(t *testing.T) {
	var s store
	tokens, c := newTokens(&s)
	good := s.issue("good")
	then, soon := begin.Add(-time.Hour), begin.Add(time.Minute)
	other, _ := serve.NewToken()
	for _, tt := range []struct {
		name, credential, says string
		asks                   int
	}{
		{"nothing", "", "not known here", 0},
		{"another server's token", strings.Repeat("f", 48), "not known here", 0},
		{"a JWT", "eyJhbGciOiJSUzI1NiJ9.e30.AAAA", "not known here", 0},
		{"a token with a letter changed", good[:20] + "-" + good[21:], "not whole", 0},
		{"a token that was cut", good[:len(good)-1], "not whole", 0},
		{"a token in another case", strings.ToUpper(good), "not known here", 0},
		{"a token that was never issued", other, "not known here", 1},
		{"one that was revoked", s.issue("gone", func(t *catalog.APIToken) { t.Revoked = &then }), `token "gone" was revoked on 2026-08-01 11:00:00 UTC`, 1},
		{"one that has expired", s.issue("old", func(t *catalog.APIToken) { t.Expires = &then }), `token "old" expired on 2026-08-01 11:00:00 UTC`, 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			before, _ := s.asks()
			p, err := tokens.Authenticate(t.Context(), tt.credential)
			if !errors.Is(err, api.ErrUnknownCredential) || !strings.Contains(err.Error(), tt.says) || len(p.Grants) > 0 {
				t.Errorf("got %+v, %v; want %q", p, err, tt.says)
			}
			if after, _ := s.asks(); after-before != tt.asks {
				t.Errorf("the store was asked %d times, want %d", after-before, tt.asks)
			}
		})
	}
	short := s.issue("short", func(t *catalog.APIToken) { t.Expires = &soon })
	if _, err := tokens.Authenticate(t.Context(), short); err != nil {
		t.Error(err)
	}
	c.pass(time.Minute)
	if _, err := tokens.Authenticate(t.Context(), short); !errors.Is(err, api.ErrUnknownCredential) {
		t.Errorf("at its end: got %v", err)
	}
}

func TestRevocationCountsWithinSeconds(t *testing.T) {
	var s store
	tokens, c := newTokens(&s)
	secret := s.issue("ci")
	for range 100 {
		if _, err := tokens.Authenticate(t.Context(), secret); err != nil {
			t.Fatal(err)
		}
	}
	tokens.Settle()
	if asked, wrote := s.asks(); asked != 1 || wrote != 1 {
		t.Errorf("100 calls asked the store %d times and wrote %d times", asked, wrote)
	}
	s.mu.Lock()
	token := s.tokens[serve.TokenDigest(secret)]
	s.mu.Unlock()
	now := c.now()
	token.Revoked = &now
	s.put(token)
	c.pass(api.TokenAge - 1)
	if _, err := tokens.Authenticate(t.Context(), secret); err != nil {
		t.Errorf("what was read is not gone by: %v", err)
	}
	c.pass(1)
	if _, err := tokens.Authenticate(t.Context(), secret); !errors.Is(err, api.ErrUnknownCredential) {
		t.Errorf("%s after the revocation: got %v", api.TokenAge, err)
	}
}

func TestUseIsWrittenOnceAnHour(t *testing.T) {
	var s store
	tokens, c := newTokens(&s)
	secret := s.issue("ci")
	for range 3 * 60 {
		if _, err := tokens.Authenticate(t.Context(), secret); err != nil {
			t.Fatal(err)
		}
		tokens.Settle()
		c.pass(time.Minute)
	}
	if _, wrote := s.asks(); wrote != 3 {
		t.Errorf("wrote %d times in three hours", wrote)
	}
}

func TestStoreThatDoesNotAnswer(t *testing.T) {
	s := store{fault: errors.New("gone away")}
	tokens, _ := newTokens(&s)
	secret := s.issue("ci")
	_, err := tokens.Authenticate(t.Context(), secret)
	if err == nil || errors.Is(err, api.ErrUnknownCredential) {
		t.Errorf("got %v", err)
	}
	s.mu.Lock()
	s.fault = nil
	s.mu.Unlock()
	if _, err := tokens.Authenticate(t.Context(), secret); err != nil {
		t.Errorf("once it answers: %v", err)
	}
}

// A caller who goes away does not spoil the answer of others who wait for the same one.
func TestCallersShareAnAnswer(t *testing.T) {
	s := store{wait: make(chan struct{})}
	tokens, _ := newTokens(&s)
	secret := s.issue("ci")
	ctx, cancel := context.WithCancel(t.Context())
	first := make(chan error)
	go func() {
		_, err := tokens.Authenticate(ctx, secret)
		first <- err
	}()
	cancel()
	if err := <-first; !errors.Is(err, context.Canceled) {
		t.Errorf("who went away got %v", err)
	}
	var others sync.WaitGroup
	for range 10 {
		others.Go(func() {
			if _, err := tokens.Authenticate(t.Context(), secret); err != nil {
				t.Error(err)
			}
		})
	}
	close(s.wait)
	others.Wait()
}

func TestFloodOfUnknownTokens(t *testing.T) {
	var s store
	tokens, c := newTokens(&s)
	secret := s.issue("ci")
	if _, err := tokens.Authenticate(t.Context(), secret); err != nil {
		t.Fatal(err)
	}
	refused := 0
	for range 2000 {
		guess, _ := serve.NewToken()
		_, err := tokens.Authenticate(t.Context(), guess)
		var answer *api.Error
		switch {
		case errors.As(err, &answer) && answer.Status == 503 && answer.RetryAfter > 0:
			refused++
		case !errors.Is(err, api.ErrUnknownCredential):
			t.Fatal(err)
		}
	}
	if asked, _ := s.asks(); refused == 0 || asked > 500 {
		t.Errorf("2000 guesses: the store was asked %d times, and %d were refused", asked, refused)
	}
	c.pass(api.TokenAge)
	guess, _ := serve.NewToken()
	for range 2000 { // uses up what there is
		_, _ = tokens.Authenticate(t.Context(), guess)
		guess, _ = serve.NewToken()
	}
	if _, err := tokens.Authenticate(t.Context(), secret); err != nil {
		t.Errorf("the holder of a token is refused in a flood: %v", err)
	}
}
