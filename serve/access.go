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

// A Secret is what a client says to prove itself. However it is printed, it is three stars.
type Secret string

const stars = "***"

// String returns "***".
func (Secret) String() string { return stars }

// Format writes "***" for every verb.
func (Secret) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, stars) }

// MarshalText returns "***", for logs in JSON and text.
func (Secret) MarshalText() ([]byte, error) { return []byte(stars), nil }

// An Access says who may read a repository. The zero Access is for nobody.
type Access struct {
	Visibility catalog.Visibility
	tokens     map[[sha256.Size]byte]time.Time // when each ends; the zero time is never
}

// NewAccess returns what the settings of a repository say. A token whose digest cannot be read opens
// nothing.
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

// Opens reports whether one of some secrets is a token that is good now. The work does not depend on
// which one is, and what can be told from the time of a look-up by digest is of no use without the secret.
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

// secrets returns what a request says to prove itself: a token is the user name or the password of
// Basic (RFC 7617), or Bearer (RFC 6750), or stood in the path.
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

// privPrefix is what paths with a token in them begin with, for clients that cannot send one otherwise:
// /priv/TOKEN/owner/name/...
const privPrefix = "/priv/"

// cutToken takes the token off a path that has one.
func cutToken(escaped string) (path string, token Secret) {
	rest, ok := strings.CutPrefix(escaped, privPrefix)
	if !ok {
		return escaped, ""
	}
	before, after, ok := strings.Cut(rest, "/")
	decoded, err := url.PathUnescape(before)
	if !ok || err != nil || decoded == "" {
		return privPrefix, "" // which is no file
	}
	return "/" + after, Secret(decoded)
}
