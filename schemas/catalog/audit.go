package catalog

import (
	"context"
	"time"
)

// An Actor is who makes a change, for the audit log. A process that acts by itself has none.
type Actor struct {
	User string // such as "release-bot", or "token ci-tools"
	Job  string // URL of the CI job
	Why  string
}

type actorKey struct{}

// WithActor returns a context whose changes of the catalog are recorded as those of an actor.
func WithActor(ctx context.Context, a Actor) context.Context {
	return context.WithValue(ctx, actorKey{}, a)
}

// ActorOf returns the actor of a context, or none.
func ActorOf(ctx context.Context) Actor {
	a, _ := ctx.Value(actorKey{}).(Actor)
	return a
}

// An Action is the kind of a change in the audit log.
type Action string

// The actions. ActionUpload is that of lines which the log makes of uploads.
const (
	ActionRepoCreate     Action = "repo.create"
	ActionRepoDeclare    Action = "repo.declare" // a distribution, component or architecture was added
	ActionRepoSet        Action = "repo.set"
	ActionRepoDelete     Action = "repo.delete"
	ActionRepoUndelete   Action = "repo.undelete"
	ActionRepoRemove     Action = "repo.remove"     // the objects of a deleted repository are being removed
	ActionRepoImport     Action = "repo.import"     // settings were taken over from the bucket
	ActionRecover        Action = "release.recover" // packages were taken over from published indexes
	ActionTokenCreate    Action = "token.create"
	ActionTokenRevoke    Action = "token.revoke"
	ActionTrustAdd       Action = "trust.add"
	ActionTrustRemove    Action = "trust.remove"
	ActionTokenExchange  Action = "token.exchange" // a CI job got a token for its ID token
	ActionYank           Action = "package.yank"
	ActionRemove         Action = "package.remove" // the file of a yanked package is to go at once
	ActionUnyank         Action = "package.unyank"
	ActionReplace        Action = "package.replace"  // a version got other bytes, in a mutable repository
	ActionPromote        Action = "package.promote"  // a copy was asked for
	ActionRollback       Action = "package.rollback" // a target was brought back to an earlier state
	ActionRetain         Action = "package.retain"   // packages left that no rule keeps
	ActionPhase          Action = "package.phase"    // a part of the hosts gets a package, or another part
	ActionSnapshot       Action = "snapshot.create"
	ActionSnapshotDelete Action = "snapshot.delete"
	ActionKeys           Action = "keys.change"
	ActionReindex        Action = "reindex.ask"
	ActionReindexCancel  Action = "reindex.cancel"
	ActionUpload         Action = "upload"
)

// An AuditEntry is one change of the catalog. It has no secrets.
type AuditEntry struct {
	At      time.Time `json:"at"`
	By      string    `json:"by,omitempty"` // empty if the product did it by itself
	Action  Action    `json:"action"`
	Target  string    `json:"target"` // "owner/name/os/version[/arch]" or any beginning of it, or [AllRepositories]
	Detail  string    `json:"detail,omitempty"`
	Package string    `json:"package,omitempty"` // name version architecture, of an upload that has been read
	Why     string    `json:"why,omitempty"`
	Job     string    `json:"job,omitempty"`

	Elsewhere *Repository `json:"-"` // another repository that Detail names: not all who may see the entry may see that
}
