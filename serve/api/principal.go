// Package api has what the doors of the API share: who makes a call, what that caller may do, and how errors are
// answered. The resolver does not import it: reads need no API.
package api

import (
	"context"
	"errors"

	"repomill/schemas/catalog"
)

// A Right is what a caller may do in a repository.
type Right string

// The rights. [Manage] is to change what is published and who may read it: promote, yank, make read tokens.
// [MakeTokens] is that of a master token, which vendors put on the hosts of customers: it makes read tokens, and does
// nothing else. A right implies no other one, but [Principal.MayMakeTokens] takes either of the two.
const (
	Read       Right = "read"
	Push       Right = "push"
	Manage     Right = "manage"
	MakeTokens Right = "tokens"
)

// A Grant gives a right in one repository, in all repositories of an owner if Name is empty, or in all
// repositories if Owner is empty, too.
type Grant struct {
	Right Right
	Owner string
	Name  string
}

// covers reports whether the grant gives its right in a repository.
func (g Grant) covers(r catalog.Repository) bool {
	switch {
	case g.Owner == "":
		return g.Name == ""
	case g.Name == "":
		return g.Owner == r.Owner
	default:
		return g.Owner == r.Owner && g.Name == r.Name
	}
}

// A Principal is who makes a call: the holder of a token, or a CI job with an ID token.
type Principal struct {
	ID     string // stable, of the token or of the trust that was used; not secret
	Name   string // for the audit log, such as "token ci-tools" or "oidc project_path:acme/tools:ref:main"
	Job    string // URL of the CI job; empty if it is not known
	Grants []Grant
}

// May reports whether the principal has a right in a repository.
func (p Principal) May(right Right, r catalog.Repository) bool {
	for _, g := range p.Grants {
		if g.Right == right && g.covers(r) {
			return true
		}
	}
	return false
}

// MayMakeTokens reports whether the principal may make read tokens of a repository. The tokens that it makes have its
// ID as parent.
func (p Principal) MayMakeTokens(r catalog.Repository) bool {
	return p.May(MakeTokens, r) || p.May(Manage, r)
}

// Looks reports whether the principal may see which packages a repository has. All may who have a right in it, except those
// whose only one is [MakeTokens]: customers have such tokens.
func (p Principal) Looks(r catalog.Repository) bool {
	return p.May(Read, r) || p.May(Push, r) || p.May(Manage, r)
}

// Actor returns the principal as the audit log has it.
func (p Principal) Actor() catalog.Actor { return catalog.Actor{User: p.Name, Job: p.Job} }

// Known reports whether the principal has any right in a repository. A caller without one is answered as if the
// repository did not exist.
func (p Principal) Known(r catalog.Repository) bool {
	for _, g := range p.Grants {
		if g.covers(r) {
			return true
		}
	}
	return false
}

// ErrUnknownCredential says that a credential opens nothing: it was never issued, was revoked or has expired. A caller
// learns which of these only where the credential proves that it was the holder's.
var ErrUnknownCredential = errors.New("this token is not known here: it was revoked, has expired, is one of another server, " +
	"or only opens a repository to clients, and the API needs one with a scope such as push")

// An Authenticator finds out who presents a credential. It is called concurrently.
type Authenticator interface {
	// Authenticate returns the principal of a credential, which is what the caller sent as a Bearer token or as user
	// name of Basic authentication. For a credential that opens nothing the error is, or wraps, [ErrUnknownCredential];
	// any other error means that the answer is not known now, and the call is answered with 503.
	Authenticate(ctx context.Context, credential string) (Principal, error)
}
