package packagecloud

import (
	"context"
	"errors"
	"net/http"
	"time"

	"repomill/schemas/catalog"
)

// What an administration refuses. Errors wrap these.
var (
	ErrTaken   = errors.New("has already been taken")
	ErrRevoked = errors.New("the token that makes it was revoked")
)

// An Administration changes repositories. Both calls wait until clients see the change, for at most wait, and return whether
// they do. An error means that nothing changed.
type Administration interface {
	// CreateRepository creates a repository. The error wraps [ErrTaken] if there is one of that name.
	CreateRepository(ctx context.Context, s catalog.Settings, wait time.Duration) (seen bool, err error)

	// ChangeSettings applies change to the settings of a repository; it may be called several times. The error wraps
	// that of change, or [ErrRevoked] for a new token whose parent is not live.
	ChangeSettings(ctx context.Context, r catalog.Repository, wait time.Duration, change func(*catalog.Settings) error) (seen bool, err error)
}

// Tokens has the tokens of the API.
type Tokens interface {
	// APITokens returns the live tokens, with revoked also others.
	APITokens(ctx context.Context, revoked bool) ([]catalog.APIToken, error)

	// CreateToken stores a token, and returns it with its ID and number. The error wraps [ErrTaken] if the target has one of
	// that name.
	CreateToken(ctx context.Context, t catalog.APIToken) (catalog.APIToken, error)

	// RevokeToken revokes a token and those that it made, and waits until resolvers refuse them, for at most wait.
	RevokeToken(ctx context.Context, t catalog.APIToken, wait time.Duration) (seen bool, err error)
}

// Keys reads public keys.
type Keys interface {
	// ReleaseKeys returns the fingerprints of the keys that sign releases, and of those that will.
	ReleaseKeys(ctx context.Context) ([]string, error)

	// PackageKey parses a key that signs packages, and drops its secret part. The error says what is wrong with it.
	PackageKey(b []byte) (k catalog.PackageKey, fingerprint string, err error)
}

// pending marks the answer to a change that clients do not see yet.
func (c call) pending(seen bool) {
	if !seen {
		c.w.Header().Set(notVisible, "yes")
	}
}

// noContent answers a deletion.
func (c call) noContent(seen bool) {
	c.pending(seen)
	c.w.WriteHeader(http.StatusNoContent)
}
