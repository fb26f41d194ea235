package catalog

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"time"
)

// A Trust lets jobs of a CI system call the API with the ID tokens (OpenID Connect) that the CI system issues to
// them, instead of a token issued here.
type Trust struct {
	ID       string            `json:"id"`             // see [Trust.Digest]
	Owner    string            `json:"owner"`          // of the repositories that it opens
	Name     string            `json:"name,omitempty"` // of the only one; empty for all of the owner
	Scope    string            `json:"scope"`          // read, push or manage
	Issuer   string            `json:"issuer"`         // URL, as in the claim iss
	Audience string            `json:"audience"`       // the claim aud
	Claims   map[string]string `json:"claims"`         // what other claims have to be: a name, and a value or pattern
	Created  time.Time         `json:"created"`
}

// Target returns what the trust opens: owner/name, or owner alone.
func (t Trust) Target() string {
	if t.Name == "" {
		return t.Owner
	}
	return Repository{Owner: t.Owner, Name: t.Name}.String()
}

// Digest returns 16 hexadecimal digits that name what the trust says: two trusts that say the same have one ID.
func (t Trust) Digest() string {
	t.ID, t.Created = "", time.Time{}
	b, err := json.Marshal(t) // names of claims are sorted
	if err != nil {
		panic(err) // there are only strings in it
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:8])
}

// A JobToken is what a CI job got for its ID token. It opens what the trusts open that the ID token fitted, while they
// are there.
type JobToken struct {
	SHA256  string    // of the secret, lower-case hexadecimal
	Trusts  []string  // IDs, at least one
	Name    string    // of the job, for the audit log
	Job     string    // its URL; empty if it is not known
	Expires time.Time // milliseconds count
}
