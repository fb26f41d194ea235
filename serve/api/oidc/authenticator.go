package oidc

import (
	"context"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"regexp"
	"strings"
	"sync"
	"time"

	goidc "github.com/coreos/go-oidc/v3/oidc"
	"github.com/go-jose/go-jose/v4"

	"repomill/schemas/catalog"
	"repomill/serve/api"
)

// maxToken bounds an ID token, in bytes. Those of GitLab and GitHub have about 2,000.
const maxToken = 16 << 10

// maxMisses bounds how many trusts a line of the log names.
const maxMisses = 10

// algorithms sign ID tokens. Neither none nor HMAC is one of them.
var algorithms = []jose.SignatureAlgorithm{
	jose.RS256, jose.RS384, jose.RS512, jose.PS256, jose.PS384, jose.PS512, jose.ES256, jose.ES384, jose.ES512, jose.EdDSA,
}

// A Config says how an [Authenticator] works.
type Config struct {
	Trusts Trusts
	Now    func() time.Time
	Log    *slog.Logger
	// Networks are those of issuers that are not on the public internet. Without them, an issuer whose name leads to
	// a private, loopback or other special address is not asked for its keys.
	Networks []netip.Prefix
	// Roots are the authorities of issuers' certificates; nil for those of the system.
	Roots *x509.CertPool
}

// An Authenticator knows ID tokens. It may be called concurrently.
type Authenticator struct {
	config    Config
	client    *http.Client
	strangers strangers

	mu      sync.Mutex
	issuers map[string]*keys
}

// New returns an authenticator. It asks an issuer for its keys when a token first needs them.
func New(c Config) *Authenticator {
	return &Authenticator{config: c, client: newClient(c.Networks, c.Roots), issuers: map[string]*keys{}}
}

// A verified is an ID token that opens something.
type verified struct {
	principal api.Principal
	issuer    string
	jti       string // "" if it has none
	expires   time.Time
}

// Authenticate implements [api.Authenticator]. A credential that is not a JWT, or whose issuer no trust names, is
// unknown at once. The sentence of the error says more only about a token with a valid signature: its issuer is trusted,
// and it is the caller's own.
func (a *Authenticator) Authenticate(ctx context.Context, credential string) (api.Principal, error) {
	v, err := a.verify(ctx, credential)
	return v.principal, err
}

func (a *Authenticator) verify(ctx context.Context, raw string) (verified, error) {
	issuer, ok := issuerOf(raw)
	if !ok {
		return verified{}, api.ErrUnknownCredential
	}
	return a.strangers.ask(raw, a.config.Now(), func() (verified, error) { return a.verifyOf(ctx, issuer, raw) })
}

// verifyOf verifies a token that names an issuer.
func (a *Authenticator) verifyOf(ctx context.Context, issuer, raw string) (verified, error) {
	trusts, err := a.config.Trusts.TrustsOf(ctx, issuer)
	if err != nil {
		return verified{}, err
	}
	if len(trusts) == 0 {
		return verified{}, api.ErrUnknownCredential
	}
	set := &keySet{keys: a.keysOf(issuer)}
	token, err := goidc.NewVerifier(issuer, set, &goidc.Config{
		SkipClientIDCheck:    true, // each trust has its audience
		SupportedSigningAlgs: supported(),
		Now:                  a.config.Now,
	}).Verify(ctx, raw)
	var expired *goidc.TokenExpiredError
	switch {
	case set.unavailable != nil:
		return verified{}, set.unavailable
	case !set.valid:
		return verified{}, api.ErrUnknownCredential
	case errors.As(err, &expired):
		return verified{}, &refusal{"this ID token expired at " + expired.Expiry.UTC().Format(time.DateTime) + " UTC: ask the CI system for another one in the job that pushes"}
	case err != nil:
		return verified{}, &refusal{"this ID token is not valid: " + printable(err.Error())}
	}
	all, err := parseClaims(set.payload)
	if err != nil {
		return verified{}, &refusal{printable(err.Error())}
	}
	return a.judge(trusts, token, all)
}

// judge returns the principal of a token whose signature, issuer and times are valid.
func (a *Authenticator) judge(trusts []catalog.Trust, token *goidc.IDToken, all claims) (verified, error) {
	if token.Subject == "" {
		return verified{}, &refusal{"this ID token has no subject (claim sub)"}
	}
	if all.text("event_name") == "pull_request_target" {
		return verified{}, &refusal{"this ID token is of the event pull_request_target, which runs what anybody proposes with the rights of the repository: push from another event, such as push or release"}
	}
	job := jobURL(token.Issuer, all)
	ours := false // one of the trusts has the audience
	var fitting []catalog.Trust
	var misses []string
	for _, t := range trusts {
		if !only(token.Audience, t.Audience) {
			continue
		}
		ours = true
		missed, ok := all.fit(t.Claims)
		switch {
		case ok:
			fitting = append(fitting, t)
		case len(misses) < maxMisses:
			misses = append(misses, fmt.Sprintf("%s: %s=%s", t.ID, missed, printable(string(all[missed]))))
		}
	}
	switch {
	case !ours:
		return verified{}, &refusal{fmt.Sprintf("this ID token is for the audience %s: ask the CI system for one whose only audience is that of the trust", printable(fmt.Sprintf("%q", token.Audience)))}
	case len(fitting) == 0:
		a.config.Log.Info("an ID token fits no trust", "issuer", token.Issuer, "subject", printable(token.Subject), "job", job, "misses", misses)
		return verified{}, &refusal{"no trust fits the claims of this ID token (" + printable(token.Subject) + "): an administrator sees in the log of the API which claim differs"}
	}
	v := verified{principal: principalOf(fitting), issuer: token.Issuer, jti: all.text("jti"), expires: token.Expiry}
	v.principal.Name, v.principal.Job = "oidc "+printable(token.Issuer+" "+token.Subject), job
	return v, nil
}

// only reports whether an audience is the only one. With others, each of those could use the token here.
func only(audiences []string, audience string) bool {
	for _, a := range audiences {
		if a != audience {
			return false
		}
	}
	return len(audiences) > 0 && audience != ""
}

func supported() (names []string) {
	for _, a := range algorithms {
		names = append(names, string(a))
	}
	return names
}

// compact is the form of a JWT. Decoders of base64 skip line feeds, and bits at the end; one token has one form here.
var compact = regexp.MustCompile(`\A[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\z`)

// issuerOf returns the issuer that a JWT (RFC 7519) in compact form names, before anything is verified; false for any
// other credential.
func issuerOf(raw string) (issuer string, ok bool) {
	if len(raw) > maxToken || !compact.MatchString(raw) {
		return "", false
	}
	parts := strings.Split(raw, ".")
	var header struct {
		Algorithm string `json:"alg"`
	}
	var payload struct {
		Issuer string `json:"iss"`
	}
	for i, into := range []any{&header, &payload, nil} {
		b, err := base64.RawURLEncoding.Strict().DecodeString(parts[i])
		if err != nil || into != nil && json.Unmarshal(b, into) != nil {
			return "", false
		}
	}
	return payload.Issuer, header.Algorithm != "" && payload.Issuer != ""
}

// keysOf returns the keys of an issuer that a trust names.
func (a *Authenticator) keysOf(issuer string) *keys {
	a.mu.Lock()
	defer a.mu.Unlock()
	k := a.issuers[issuer]
	if k == nil {
		k = &keys{issuer: issuer, now: a.config.Now,
			fetch: func(ctx context.Context) ([]jose.JSONWebKey, error) { return fetchKeys(ctx, a.client, issuer) },
			failed: func(err error) {
				a.config.Log.Warn("the keys of an issuer of ID tokens cannot be fetched", "issuer", issuer, "error", err)
			},
		}
		a.issuers[issuer] = k
	}
	return k
}

// A keySet verifies one signature, and says what came of it: package oidc of coreos does not wrap errors.
type keySet struct {
	keys        *keys
	valid       bool
	payload     []byte
	unavailable error
}

// VerifySignature implements the KeySet of package oidc of coreos. What the header says about keys, other than the ID
// of one, has no effect.
func (s *keySet) VerifySignature(ctx context.Context, raw string) ([]byte, error) {
	jws, err := jose.ParseSignedCompact(raw, algorithms)
	if err != nil {
		return nil, err
	}
	header := jws.Signatures[0].Protected
	if kind, ok := header.ExtraHeaders[jose.HeaderType]; ok {
		if name, _ := kind.(string); !strings.EqualFold(name, "JWT") {
			return nil, errors.New("it is another kind of token")
		}
	}
	found, err := s.keys.find(ctx, header.KeyID, header.Algorithm)
	if err != nil {
		if !errors.Is(err, errNoKey) || errors.As(err, new(*unavailable)) {
			s.unavailable = err
		}
		return nil, err
	}
	for _, k := range found {
		if s.payload, err = jws.Verify(k.Key); err == nil {
			s.valid = true
			return s.payload, nil
		}
	}
	return nil, errors.New("the signature is not valid")
}
