package api_test

import (
	"context"
	"fmt"
	"log/slog"
	"sync/atomic"
	"testing"
	"time"

	"repomill/serve/api"
)

// A hangingStore answers which token it is, and records no use until it is released.
type hangingStore struct {
	store
	writing atomic.Int32
	release chan struct{}
}

func (s *hangingStore) UseAPIToken(ctx context.Context, id string, now time.Time) error {
	s.writing.Add(1)
	<-s.release
	return s.store.UseAPIToken(ctx, id, now)
}

func TestUseThatCannotBeRecordedHoldsUpNoCall(t *testing.T) {
	s := &hangingStore{release: make(chan struct{})}
	c := newClock()
	tokens := api.NewTokens(s, c.now, slog.New(slog.DiscardHandler))
	secret := s.issue("ci")
	done := make(chan error, 1)
	go func() {
		for range 50 { // an hour and a half
			if _, err := tokens.Authenticate(context.Background(), secret); err != nil {
				done <- err
				return
			}
			c.pass(2 * time.Minute)
		}
		done <- nil
	}()
	select {
	case err := <-done:
		if err != nil {
			t.Fatal(err)
		}
	case <-time.After(10 * time.Second):
		t.Fatal("calls wait until their use is recorded")
	}
	for i := range 5 * api.MaxUses {
		if _, err := tokens.Authenticate(t.Context(), s.issue(fmt.Sprint("other-", i))); err != nil {
			t.Fatal(err)
		}
	}
	for deadline := time.Now().Add(10 * time.Second); s.writing.Load() < api.MaxUses && time.Now().Before(deadline); {
		time.Sleep(time.Millisecond)
	}
	if n := s.writing.Load(); n != api.MaxUses {
		t.Errorf("%d uses wait, want %d", n, api.MaxUses)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	tokens.Close(ctx) // gives up
	if _, wrote := s.asks(); wrote != 0 || ctx.Err() == nil {
		t.Errorf("closed after %d records, %v", wrote, ctx.Err())
	}
	close(s.release)
	tokens.Close(t.Context())
	if _, wrote := s.asks(); wrote != api.MaxUses {
		t.Errorf("%d uses are recorded at the end, want %d", wrote, api.MaxUses)
	}
	if _, err := tokens.Authenticate(t.Context(), s.issue("late")); err != nil {
		t.Error(err)
	}
	tokens.Settle()
	if n := s.writing.Load(); n != api.MaxUses {
		t.Error("a use is recorded after the end")
	}
}

// One token has one record at a time, so that a call of it leaves places for those of others.
func TestUseOfATokenWaitsOnce(t *testing.T) {
	s := &hangingStore{release: make(chan struct{})}
	c := newClock()
	tokens := api.NewTokens(s, c.now, slog.New(slog.DiscardHandler))
	busy, other := s.issue("busy"), s.issue("other")
	for range 3 * api.MaxUses {
		if _, err := tokens.Authenticate(t.Context(), busy); err != nil {
			t.Fatal(err)
		}
		c.pass(2 * time.Minute)
	}
	if _, err := tokens.Authenticate(t.Context(), other); err != nil {
		t.Fatal(err)
	}
	close(s.release)
	tokens.Close(t.Context())
	if _, wrote := s.asks(); wrote != 2 {
		t.Errorf("%d uses are recorded, want one of each token", wrote)
	}
}
