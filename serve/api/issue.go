package api

import (
	"context"
	"errors"
	"strings"
	"time"

	"repomill/schemas/catalog"
	"repomill/serve"
)

// A TokenMaker stores tokens of the API. The catalog is one.
type TokenMaker interface {
	// CreateAPIToken stores a token, and returns it as it is stored.
	CreateAPIToken(ctx context.Context, t catalog.APIToken, now time.Time) (catalog.APIToken, error)
}

// An Issuer makes short-lived tokens for CI jobs that were known otherwise.
type Issuer struct {
	Store TokenMaker
	Now   func() time.Time
}

// maxSubject is how much of a principal's name the name of its token has.
const maxSubject = 200

// errGrants says that a token cannot have what a principal has.
var errGrants = errors.New("a token is for one repository, one owner or all: this principal has rights in several")

// IssueToken makes a token with the grants of a principal, which are of one target, and returns its secret and when it
// expires. Its name begins with that of the principal, and it has the principal's job.
func (i Issuer) IssueToken(ctx context.Context, p Principal, ttl time.Duration) (secret string, expires time.Time, err error) {
	secret, digest := serve.NewToken()
	now := i.Now()
	expires = now.Add(ttl).UTC().Truncate(time.Second)
	subject := p.Name
	if len(subject) > maxSubject {
		subject = strings.ToValidUTF8(subject[:maxSubject], "")
	}
	t := catalog.APIToken{Name: subject + " #" + digest[:8], SHA256: digest, By: p.Name, Job: p.Job, Expires: &expires}
	for n, g := range p.Grants {
		target := catalog.Target{Owner: g.Owner, Name: g.Name}
		if n > 0 && target != t.Target {
			return "", time.Time{}, errGrants
		}
		t.Target, t.Scopes = target, append(t.Scopes, catalog.Scope(g.Right))
	}
	if _, err := i.Store.CreateAPIToken(catalog.WithActor(ctx, p.Actor()), t, now); err != nil {
		return "", time.Time{}, err
	}
	return secret, expires, nil
}
