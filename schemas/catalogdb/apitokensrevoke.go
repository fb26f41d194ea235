package catalogdb

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"repomill/schemas/catalog"
)

// A Revocation is what became invalid with a token of the API: the token itself, those of the API that it made, and the
// repositories whose read tokens it made, with their settings after that.
type Revocation struct {
	Tokens   []catalog.APIToken
	Settings []catalog.Settings
	Digests  []string // of the read tokens
}

// RevokeAPIToken revokes the live token of a target that has a name, in one transaction with all tokens that it made, and
// theirs. The error wraps [ErrNotFound] if there is none.
func (d *DB) RevokeAPIToken(ctx context.Context, target catalog.Target, name string, now time.Time) (gone Revocation, err error) {
	nonce := random()
	err = d.tx(ctx, func(tx *transaction) error {
		found, err := collect(ctx, tx, scanAPIToken, `SELECT `+apiTokenColumns+` FROM api_tokens WHERE owner = ? AND name = ? AND label = ? AND slot = ''`+tx.forUpdate,
			target.Owner, target.Name, name)
		if err != nil {
			return err
		}
		switch {
		case len(found) > 0:
			gone = Revocation{}
		case len(gone.Tokens) > 0:
			return nil // an earlier try went through
		default:
			return ErrNotFound
		}
		return gone.revoke(ctx, tx, found, nonce, now)
	})
	if err != nil {
		return Revocation{}, fmt.Errorf("revoke token %q of %s: %w", name, target, err)
	}
	return gone, nil
}

// revoke revokes tokens and what they made. Each of them is marked before what it made is looked for: what makes a token
// locks its parent until it is committed.
func (gone *Revocation) revoke(ctx context.Context, tx *transaction, tokens []catalog.APIToken, nonce string, now time.Time) error {
	for len(tokens) > 0 {
		t := tokens[0]
		if _, err := tx.ExecContext(ctx, `UPDATE api_tokens SET slot = id, revoked_at = ? WHERE id = ?`, millis(now), t.ID); err != nil {
			return err
		}
		at := instant(millis(now))
		t.Revoked = &at
		gone.Tokens = append(gone.Tokens, t)
		if err := record(ctx, tx, now, apiTokenEntry(catalog.ActionTokenRevoke, t)); err != nil {
			return err
		}
		children, err := collect(ctx, tx, scanAPIToken, `SELECT `+apiTokenColumns+` FROM api_tokens WHERE parent = ? AND slot = '' ORDER BY number`+tx.forUpdate, t.ID)
		if err != nil {
			return err
		}
		tokens = append(tokens[1:], children...)
	}
	return gone.revokeRead(ctx, tx, nonce, now)
}

// revokeRead takes the read tokens that revoked tokens made out of the settings of repositories.
func (gone *Revocation) revokeRead(ctx context.Context, tx *transaction, nonce string, now time.Time) error {
	made := map[string]bool{}
	repositories := map[catalog.Repository]bool{}
	for _, t := range gone.Tokens {
		made[t.ID] = true
		rows, err := collect(ctx, tx, scanRepository, `SELECT `+repositoryColumns+` FROM repositories WHERE tokens LIKE ?`, `%"parent":"`+t.ID+`"%`)
		if err != nil {
			return err
		}
		for _, row := range rows {
			repositories[row.settings.Repository] = true
		}
	}
	for _, r := range slices.SortedFunc(maps.Keys(repositories), func(a, b catalog.Repository) int { return strings.Compare(a.String(), b.String()) }) {
		row, err := lockRepository(ctx, tx, r)
		if err == nil {
			err = row.addDistributions(ctx, tx)
		}
		if err != nil {
			return err
		}
		after := cloned(row.settings)
		after.Tokens = slices.DeleteFunc(after.Tokens, func(t catalog.Token) bool {
			if made[t.Parent] {
				gone.Digests = append(gone.Digests, t.SHA256)
			}
			return made[t.Parent]
		})
		if err := row.update(ctx, tx, after); err != nil {
			return err
		}
		if err := record(ctx, tx, now, settingsChanged(row.settings, after)...); err != nil {
			return err
		}
		after.Revision = catalog.Revision{Number: after.Revision.Number + 1, Nonce: nonce}
		if err := row.issueRevision(ctx, tx, after.Revision.Number, nonce, now); err != nil {
			return err
		}
		gone.Settings = append(gone.Settings, after)
	}
	return nil
}
