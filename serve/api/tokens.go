package api

import (
	"context"
	"crypto/subtle"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"
	"golang.org/x/time/rate"

	"repomill/schemas/catalog"
	"repomill/serve"
)

// A TokenStore has the tokens of the API. The catalog is one.
type TokenStore interface {
	// APITokenByDigest returns the token with a digest, also one that has expired or was revoked, and whether there is one.
	APITokenByDigest(ctx context.Context, digest string) (t catalog.APIToken, found bool, err error)
	// UseAPIToken records that a token was used, unless that was recorded less than an hour ago.
	UseAPIToken(ctx context.Context, id string, now time.Time) error
}

// TokenAge is how long a process goes by what it read of a token: after that time at most a revocation counts everywhere.
const TokenAge = 3 * time.Second

const (
	lookupTime   = 5 * time.Second // for a question to the store
	maxTokens    = 10_000          // that are remembered
	strangeRate  = 200             // questions a second for digests that were not known last
	strangeBurst = 400
)

// Tokens finds out who presents a token of the API.
type Tokens struct {
	store    TokenStore
	now      func() time.Time
	log      *slog.Logger
	lookups  singleflight.Group
	strange  *rate.Limiter
	mu       sync.Mutex
	remember map[string]remembered // by digest
	uses     uses
}

type remembered struct {
	token catalog.APIToken
	found bool
	read  time.Time
	used  time.Time // when a use was recorded last, or that failed
}

// NewTokens returns an authenticator that goes by a clock.
func NewTokens(store TokenStore, now func() time.Time, log *slog.Logger) *Tokens {
	return &Tokens{
		store: store, now: now, log: log, strange: rate.NewLimiter(strangeRate, strangeBurst), remember: map[string]remembered{},
		uses: uses{slots: make(chan struct{}, maxUses), running: map[string]bool{}},
	}
}

// deadToken says why a token that was issued opens nothing. Its holder alone can ask.
type deadToken struct{ sentence string }

func (e *deadToken) Error() string        { return e.sentence }
func (e *deadToken) Is(target error) bool { return target == ErrUnknownCredential }

// Authenticate implements [Authenticator]. What does not have the form of a token costs no question to the store. Others
// cost one every [TokenAge], by their digest: a caller learns nothing from the time that takes, because no guess chooses
// the bytes of its digest.
func (a *Tokens) Authenticate(ctx context.Context, credential string) (Principal, error) {
	if !serve.IsToken(credential) {
		if strings.HasPrefix(credential, serve.TokenPrefix) {
			return Principal{}, &deadToken{"this token is not whole: a character is missing, or was changed; copy it again"}
		}
		return Principal{}, ErrUnknownCredential
	}
	digest := serve.TokenDigest(credential)
	r, err := a.look(ctx, digest)
	if err != nil {
		return Principal{}, err
	}
	t, now := r.token, a.now()
	switch {
	case !r.found || subtle.ConstantTimeCompare([]byte(t.SHA256), []byte(digest)) != 1:
		return Principal{}, ErrUnknownCredential
	case t.Revoked != nil:
		return Principal{}, &deadToken{fmt.Sprintf("token %q was revoked on %s", t.Name, t.Revoked.UTC().Format(time.DateTime+" MST"))}
	case t.Expires != nil && !now.Before(*t.Expires):
		return Principal{}, &deadToken{fmt.Sprintf("token %q expired on %s", t.Name, t.Expires.UTC().Format(time.DateTime+" MST"))}
	}
	a.use(digest, r, now)
	return principalOf(t), nil
}

func principalOf(t catalog.APIToken) Principal {
	p := Principal{ID: t.ID, Name: "token " + t.Name + " of " + t.Target.String(), Job: t.Job}
	for _, s := range t.Scopes {
		p.Grants = append(p.Grants, Grant{Right: Right(s), Owner: t.Target.Owner, Name: t.Target.Name})
	}
	return p
}

// look returns what is known of a digest, which is [TokenAge] old at most.
func (a *Tokens) look(ctx context.Context, digest string) (remembered, error) {
	now := a.now()
	a.mu.Lock()
	r, ok := a.remember[digest]
	a.mu.Unlock()
	if ok && now.Sub(r.read) < TokenAge && now.Sub(r.read) >= 0 {
		return r, nil
	}
	if !r.found && !a.strange.AllowN(now, 1) { // holders of tokens go on
		return r, Strangers()
	}
	asked := a.lookups.DoChan(digest, func() (any, error) {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), lookupTime) // it is the answer of others, too
		defer cancel()
		return a.ask(ctx, digest)
	})
	select {
	case got := <-asked:
		if got.Err != nil {
			return r, got.Err
		}
		return got.Val.(remembered), nil
	case <-ctx.Done():
		return r, ctx.Err()
	}
}

// Strangers answers a credential that was not known last while too many such are asked for.
func Strangers() *Error {
	return &Error{Status: http.StatusServiceUnavailable, Message: "the server is asked for too many unknown tokens; try again", RetryAfter: time.Second, Cause: errStrangers}
}

var errStrangers = errors.New("questions for unknown tokens exceed their limit")

// strangersLogged bounds the lines of the log about that: anybody can make up tokens.
var strangersLogged = rate.Sometimes{First: 1, Interval: 10 * time.Second}

// ask asks the store for a digest.
func (a *Tokens) ask(ctx context.Context, digest string) (remembered, error) {
	read := a.now() // what is revoked from now on is perhaps not seen
	t, found, err := a.store.APITokenByDigest(ctx, digest)
	if err != nil {
		return remembered{}, err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	r := remembered{token: t, found: found, read: read, used: a.remember[digest].used}
	if len(a.remember) >= maxTokens {
		a.forget(read)
	}
	a.remember[digest] = r
	return r, nil
}

// forget makes room: at first what is old or unknown goes, and then the rest, which costs a question each.
func (a *Tokens) forget(now time.Time) {
	for digest, r := range a.remember {
		if !r.found || now.Sub(r.read) >= TokenAge {
			delete(a.remember, digest)
		}
	}
	if len(a.remember) >= maxTokens {
		clear(a.remember)
	}
}
