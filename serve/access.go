package serve

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"repomill/schemas/catalog"
)

// A Secret is a credential of a client: a token, a user name or a password. Every way to print it prints "***".
type Secret string

const stars = "***"

// String returns "***".
func (Secret) String() string { return stars }

// Format writes "***" for every verb.
func (Secret) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, stars) }

// MarshalText returns "***", for logs in JSON and text.
func (Secret) MarshalText() ([]byte, error) { return []byte(stars), nil }

// An Access says who may read a repository. The zero Access refuses everyone.
type Access struct {
	Visibility catalog.Visibility
	tokens     map[[sha256.Size]byte]time.Time // when each ends; the zero time is never
}

// NewAccess returns the access that the settings of a repository grant. A token whose digest is not 64
// hexadecimal digits is skipped.
func NewAccess(s catalog.Settings) Access {
	a := Access{Visibility: s.Visibility, tokens: make(map[[sha256.Size]byte]time.Time, len(s.Tokens))}
	for _, t := range s.Tokens {
		b, err := hex.DecodeString(t.SHA256)
		if err != nil || len(b) != sha256.Size {
			continue
		}
		digest := [sha256.Size]byte(b)
		var ends time.Time
		if t.Expires != nil {
			ends = *t.Expires
		}
		if other, ok := a.tokens[digest]; ok && (other.IsZero() || !ends.IsZero() && ends.Before(other)) {
			continue // the same secret under two names is good as long as either
		}
		a.tokens[digest] = ends
	}
	return a
}

// Opens reports whether one of some secrets is a token that is valid at now. The work does not depend on
// which one it is. The look-up by digest is not constant in time, but its time says nothing about the secret.
func (a Access) Opens(secrets []Secret, now time.Time) bool {
	opens := false
	for _, s := range secrets {
		ends, ok := a.tokens[sha256.Sum256([]byte(s))]
		if ok && s != "" && (ends.IsZero() || now.Before(ends)) {
			opens = true
		}
	}
	return opens
}

// secrets returns the credentials of a request: the token of its path, and the user name and password of
// Basic (RFC 7617) or the token of Bearer (RFC 6750). Any of them may be a repository token.
func secrets(r *http.Request, inPath Secret) []Secret {
	var all []Secret
	if inPath != "" {
		all = append(all, inPath)
	}
	if user, password, ok := r.BasicAuth(); ok {
		return append(all, Secret(user), Secret(password))
	}
	if scheme, token, ok := strings.Cut(r.Header.Get("Authorization"), " "); ok && strings.EqualFold(scheme, "Bearer") {
		all = append(all, Secret(strings.TrimSpace(token)))
	}
	return all
}

// privPrefix begins a path that contains a token, for clients that cannot send credentials:
// /priv/TOKEN/owner/name/...
const privPrefix = "/priv/"

// cutToken splits a percent-encoded path of the form /priv/TOKEN/rest into /rest and the token. It returns
// other paths unchanged, with an empty token. If TOKEN is malformed it returns a path that names no object.
func cutToken(escaped string) (path string, token Secret) {
	rest, ok := strings.CutPrefix(escaped, privPrefix)
	if !ok {
		return escaped, ""
	}
	before, after, ok := strings.Cut(rest, "/")
	decoded, err := url.PathUnescape(before)
	if !ok || err != nil || decoded == "" {
		return privPrefix, "" // it names no object
	}
	return "/" + after, Secret(decoded)
}
