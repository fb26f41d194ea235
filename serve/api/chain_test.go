package api_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"repomill/serve/api"
)

// fixed is an authenticator with one answer.
type fixed struct {
	id  string
	err error
}

func (f fixed) Authenticate(context.Context, string) (api.Principal, error) {
	return api.Principal{ID: f.id}, f.err
}

func TestChain(t *testing.T) {
	down := errors.New("the catalog does not answer")
	expired := fmt.Errorf("%w: it has expired", api.ErrUnknownCredential)
	no := fixed{err: api.ErrUnknownCredential}
	for _, tt := range []struct {
		name  string
		chain api.Chain
		id    string
		err   error
	}{
		{"nothing knows anything", nil, "", api.ErrUnknownCredential},
		{"the first that knows answers", api.Chain{no, fixed{id: "b"}, fixed{id: "c"}}, "b", nil},
		{"one that knows is asked though another cannot find out", api.Chain{fixed{err: down}, fixed{id: "b"}}, "b", nil},
		{"one that cannot find out leaves it open", api.Chain{no, fixed{err: down}, fixed{err: expired}}, "", down},
		{"the sentence that says most is kept", api.Chain{fixed{err: expired}, no}, "", expired},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p, err := tt.chain.Authenticate(t.Context(), "x")
			if p.ID != tt.id || err != tt.err { //nolint:errorlint // that very one
				t.Errorf("got %q, %v; want %q, %v", p.ID, err, tt.id, tt.err)
			}
		})
	}
}
