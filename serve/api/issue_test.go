package api_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"repomill/schemas/catalog"
	"repomill/serve/api"
)

// CreateAPIToken implements [api.TokenMaker].
func (s *store) CreateAPIToken(ctx context.Context, t catalog.APIToken, now time.Time) (catalog.APIToken, error) {
	t.ID, t.Created = "id-"+t.Name, now
	s.put(t)
	s.actor = catalog.ActorOf(ctx)
	return t, s.fault
}

func TestIssuedTokenIsGoodForItsTime(t *testing.T) {
	var s store
	tokens, at := newTokens(&s)
	job := api.Principal{ID: "trust", Name: "oidc project_path:acme/tools:ref:main" + strings.Repeat("x", 300), Job: "https://ci/7",
		Grants: []api.Grant{{Right: api.Push, Owner: "acme", Name: "tools"}, {Right: api.Read, Owner: "acme", Name: "tools"}}}
	secret, expires, err := api.Issuer{Store: &s, Now: at.now}.IssueToken(t.Context(), job, time.Hour)
	if err != nil || !expires.Equal(begin.Add(time.Hour)) {
		t.Fatalf("got %v, %v", expires, err)
	}
	p, err := tokens.Authenticate(t.Context(), secret)
	tools := catalog.Repository{Owner: "acme", Name: "tools"}
	if err != nil || !p.May(api.Push, tools) || !p.May(api.Read, tools) || p.May(api.Manage, tools) || p.Job != job.Job ||
		!strings.HasPrefix(p.Name, "token oidc project_path:acme/tools:ref:main") || s.actor.Job != job.Job {
		t.Errorf("got %+v, %v", p, err)
	}
	at.pass(time.Hour)
	if _, err := tokens.Authenticate(t.Context(), secret); !errors.Is(err, api.ErrUnknownCredential) {
		t.Errorf("at its end: got %v", err)
	}
}

func TestTokenOfSeveralTargetsIsNotIssued(t *testing.T) {
	var s store
	two := api.Principal{Grants: []api.Grant{{Right: api.Push, Owner: "acme", Name: "tools"}, {Right: api.Push, Owner: "acme", Name: "other"}}}
	if secret, _, err := (api.Issuer{Store: &s, Now: newClock().now}).IssueToken(t.Context(), two, time.Hour); err == nil || secret != "" || len(s.tokens) > 0 {
		t.Errorf("got %q, %v", secret, err)
	}
}
