package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"repomill/pipelines/client"
	"repomill/pipelines/command"
	"repomill/schemas/catalog"
	"repomill/schemas/catalogdb"
	"repomill/serve/api"
)

type tokenRevokeCmd struct {
	catalogFlags
	awaitFlags
	actorFlags
	Target string `arg:"" help:"What it is for: owner/name, owner, or all."`
	Name   string `arg:"" help:"The token's name."`
}

// Run revokes a token, and waits until resolvers know.
func (c *tokenRevokeCmd) Run(ctx context.Context, io stdio) error {
	target, err := parseTarget(c.Target)
	if err != nil {
		return err
	}
	db, err := c.openToChange(ctx)
	if err != nil {
		return err
	}
	defer db.Close()
	changed, err := c.revoke(ctx, io, db, target)
	if err != nil || len(changed) == 0 {
		return err
	}
	if c.NoWait {
		return recorded(io)
	}
	for _, r := range changed {
		gone := func(s catalog.Settings) bool {
			return !slices.ContainsFunc(r.digests, func(digest string) bool { return hasToken(s, digest) })
		}
		if err := c.settings(ctx, db, settingsChange{after: r.after, age: c.accessAge(), holds: gone}); err != nil {
			return err
		}
		fmt.Fprintln(io.out, r.done)
	}
	return nil
}

// A revokedIn is a repository whose read tokens were revoked.
type revokedIn struct {
	after   catalog.Settings
	digests []string
	done    string // what is so once resolvers know
}

// revoke revokes what has the name: a read token, a token of the API, or both if they were made at one time. It returns
// the repositories whose settings that changed.
func (c *tokenRevokeCmd) revoke(ctx context.Context, io stdio, db *catalogdb.DB, target catalog.Target) (changed []revokedIn, err error) {
	if target.Name != "" {
		r, err := c.revokeRead(ctx, db, catalog.Repository(target))
		switch {
		case err == nil:
			changed = append(changed, r)
		case !errors.Is(err, errAbsent):
			return nil, client.NotDeclared(ctx, db, catalog.Repository(target), err)
		}
	}
	now, err := db.Clock(ctx)
	if err != nil {
		return changed, command.Fault(err)
	}
	gone, err := db.RevokeAPIToken(ctx, target, c.Name, now)
	switch {
	case errors.Is(err, catalogdb.ErrNotFound) && len(changed) > 0:
		return changed, nil
	case errors.Is(err, catalogdb.ErrNotFound):
		return nil, fmt.Errorf("%s has no token %q; repomill token list %s shows what it has", named(target), c.Name, target)
	case err != nil:
		return changed, command.Fault(err)
	}
	for _, t := range gone.Tokens {
		made := ""
		if t.Parent != "" {
			made = ", which it made"
		}
		fmt.Fprintf(io.out, "revoked: the API refuses token %q of %s%s, within %s\n", t.Name, t.Target, made, api.TokenAge)
	}
	for _, s := range gone.Settings {
		changed = append(changed, revokedIn{s, gone.Digests, fmt.Sprintf("revoked: resolvers refuse the tokens of %s that it made", s.Repository)})
	}
	return changed, nil
}

// revokeRead takes a read token out of the settings of a repository.
func (c *tokenRevokeCmd) revokeRead(ctx context.Context, db *catalogdb.DB, r catalog.Repository) (revokedIn, error) {
	var digest string
	s, err := db.ChangeSettings(ctx, r, time.Now(), func(s *catalog.Settings) error {
		n := slices.IndexFunc(s.Tokens, func(t catalog.Token) bool { return t.Name == c.Name })
		if n < 0 {
			return errAbsent
		}
		digest = s.Tokens[n].SHA256
		s.Tokens = slices.Delete(s.Tokens, n, n+1)
		return nil
	})
	return revokedIn{s, []string{digest}, fmt.Sprintf("revoked: resolvers refuse token %q of %s", c.Name, r)}, err
}

// named names a target in a sentence.
func named(t catalog.Target) string {
	switch {
	case t.Owner == "":
		return "what is for all repositories"
	case t.Name == "":
		return "owner " + t.Owner
	}
	return "repository " + t.String()
}
