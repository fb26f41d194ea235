// Package oidc lets CI jobs call the API with the ID tokens (OpenID Connect Core 1.0) that their CI system issues to
// them. An administrator adds a trust: an issuer, an audience, and what claims have to be. A token that fits one has the
// trust's scope. Tokens are verified and never stored.
package oidc

import (
	"context"
	"time"

	"repomill/schemas/catalog"
	"repomill/serve/api"
)

// Trusts has the trusts that administrators added.
type Trusts interface {
	// TrustsOf returns the trusts in an issuer, in an order that stays.
	TrustsOf(ctx context.Context, issuer string) ([]catalog.Trust, error)
}

// Uses remembers which ID tokens were exchanged.
type Uses interface {
	// UseIDToken records that the token with a jti of an issuer was used. The error is, or wraps, the error that
	// [Exchange] names as Used if it was used before. Of concurrent calls with one jti, one succeeds.
	UseIDToken(ctx context.Context, issuer, jti string, expires, now time.Time) error
}

// An Issuer issues tokens of the API to CI jobs. [JobTokens] is one.
type Issuer interface {
	// IssueToken returns the secret of a new token, with the name and the grants of a principal, and when it expires.
	IssueToken(ctx context.Context, p api.Principal, ttl time.Duration) (secret string, expires time.Time, err error)
}

// A refusal says why a token whose signature is valid opens nothing. It wraps [api.ErrUnknownCredential].
type refusal struct{ why string }

func (r *refusal) Error() string { return r.why }
func (r *refusal) Unwrap() error { return api.ErrUnknownCredential }
