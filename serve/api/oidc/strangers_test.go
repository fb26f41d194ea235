package oidc_test

import (
	"context"
	"errors"
	"net/http"
	"testing"
	"time"

	"repomill/schemas/catalog"
	"repomill/serve"
	"repomill/serve/api"
	"repomill/serve/api/oidc"
)

// oneJob is a store with one token, by its digest. It counts questions.
type oneJob struct {
	digest string
	asked  int
}

func (s *oneJob) AddJobToken(_ context.Context, t catalog.JobToken, _ time.Time) error {
	s.digest = t.SHA256
	return nil
}

func (s *oneJob) JobToken(_ context.Context, digest string) (t catalog.JobToken, trusts []catalog.Trust, found bool, err error) {
	s.asked++
	if digest != s.digest {
		return t, nil, false, nil
	}
	return catalog.JobToken{Name: "job", Expires: start.Add(time.Hour)}, []catalog.Trust{{ID: "1", Owner: "acme", Scope: "push"}}, true, nil
}

func TestMadeUpTokensOfJobsCauseFewQuestions(t *testing.T) {
	now := start
	store := &oneJob{}
	jobs := &oidc.JobTokens{Store: store, Now: func() time.Time { return now }}
	mine, _, err := jobs.IssueToken(t.Context(), api.Principal{ID: "trust:1"}, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := jobs.Authenticate(t.Context(), mine); err != nil {
		t.Fatal(err)
	}
	guess := func() error {
		secret, _ := serve.NewToken()
		_, err := jobs.Authenticate(t.Context(), oidc.JobTokenPrefix+secret)
		return err
	}
	for range 2000 {
		err = guess()
	}
	var answer *api.Error
	if !errors.As(err, &answer) || answer.Status != http.StatusServiceUnavailable || answer.RetryAfter == 0 {
		t.Errorf("the last guess: %v, want 503 with Retry-After", err)
	}
	if store.asked > 500 {
		t.Errorf("2000 guesses caused %d questions", store.asked)
	}
	for range 1000 {
		if _, err := jobs.Authenticate(t.Context(), mine); err != nil {
			t.Fatalf("a job that was known before: %v", err)
		}
	}
	now = now.Add(time.Second)
	if err := guess(); !errors.Is(err, api.ErrUnknownCredential) {
		t.Errorf("a second later: %v", err)
	}
}

func TestMadeUpIDTokensCauseFewQuestions(t *testing.T) {
	key := newECDSA(t, "a")
	ci := newCI(t, key)
	trusts := &fixedTrusts{}
	a, _ := newAuthenticator(ci, trusts)
	var err error
	for range 500 {
		_, err = a.Authenticate(t.Context(), key.sign(t, payloadOf(t, gitlabToken(ci.URL)), nil))
	}
	var answer *api.Error
	if !errors.As(err, &answer) || answer.Status != http.StatusServiceUnavailable {
		t.Errorf("the last of 500 tokens of an issuer that no trust names: %v, want 503", err)
	}
}
