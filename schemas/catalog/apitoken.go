package catalog

import (
	"strings"
	"time"
)

// A Scope is what an API token lets its holder do. A scope implies no other one.
type Scope string

// The scopes. ScopeTokens is that of a master token: it makes read tokens of private repositories, and revokes those
// that it made.
const (
	ScopeRead   Scope = "read"
	ScopePush   Scope = "push"
	ScopeManage Scope = "manage"
	ScopeTokens Scope = "tokens"
)

// Scopes are all scopes.
var Scopes = []Scope{ScopeRead, ScopePush, ScopeManage, ScopeTokens}

// AllRepositories is the text of the zero [Target].
const AllRepositories = "all"

// A Target is what an API token is for: a repository, all repositories of an owner if Name is empty, or all
// repositories if Owner is empty, too.
type Target struct {
	Owner string
	Name  string
}

// Target returns the target that is one repository.
func (r Repository) Target() Target { return Target(r) }

// String returns "owner/name", "owner" or [AllRepositories].
func (t Target) String() string {
	switch {
	case t.Owner == "":
		return AllRepositories
	case t.Name == "":
		return t.Owner
	default:
		return t.Owner + "/" + t.Name
	}
}

// ParseTarget is the inverse of [Target.String]. It checks the number of segments alone.
func ParseTarget(s string) (t Target, ok bool) {
	if s == AllRepositories {
		return Target{}, true
	}
	owner, name, two := strings.Cut(s, "/")
	if owner == "" || two && name == "" || strings.Contains(name, "/") {
		return Target{}, false
	}
	return Target{owner, name}, true
}

// Covers reports whether a target has everything that another one has.
func (t Target) Covers(o Target) bool {
	return t.Owner == "" || t.Owner == o.Owner && (t.Name == "" || t.Name == o.Name)
}

// MarshalText implements [encoding.TextMarshaler].
func (t Target) MarshalText() ([]byte, error) { return []byte(t.String()), nil }

// An APIToken lets its holder call the API. The catalog has it, and the bucket does not: what opens a private
// repository for reading is a [Token] of its settings.
type APIToken struct {
	ID       string     `json:"id"`     // random; not secret
	Number   int64      `json:"number"` // for clients that know tokens by a number; issued by the catalog
	Name     string     `json:"name"`   // no other live token of the target has it
	Target   Target     `json:"target"`
	Scopes   []Scope    `json:"scopes"`
	SHA256   string     `json:"-"`                // of the secret, lower-case hexadecimal
	Parent   string     `json:"parent,omitempty"` // ID of the API token that made it; it ends when that is revoked
	By       string     `json:"by,omitempty"`     // who made it
	Job      string     `json:"job,omitempty"`    // URL of the CI job that it was made for
	Created  time.Time  `json:"created"`
	Expires  *time.Time `json:"expires,omitempty"`
	LastUsed *time.Time `json:"last_used,omitempty"` // within an hour
	Revoked  *time.Time `json:"revoked,omitempty"`
}
