package catalogdb

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"repomill/schemas/catalog"
)

// ErrRevoked is returned for a token whose parent was revoked, or never was.
var ErrRevoked = errors.New("the token that makes it was revoked")

const apiTokenColumns = `number, id, sha256, owner, name, label, scopes, parent, made_by, job, created_at, expires_at, last_used_at, revoked_at`

func scanAPIToken(scan func(...any) error) (t catalog.APIToken, err error) {
	var expires, used, revoked sql.NullInt64
	err = scan(&t.Number, &t.ID, &t.SHA256, &t.Target.Owner, &t.Target.Name, &t.Name, jsonList[catalog.Scope]{&t.Scopes}, &t.Parent, &t.By, &t.Job,
		(*scanTime)(&t.Created), &expires, &used, &revoked)
	t.Expires, t.LastUsed, t.Revoked = optional(expires), optional(used), optional(revoked)
	return t, err
}

// CreateAPIToken stores a token of the API, and returns it with its ID and number. The error wraps [ErrExists] if the
// target has a live token of that name, be it a read token in the settings, [ErrRevoked] if the parent is not live, and [ErrDeleted].
// The target may be a repository that does not exist: its first push declares it.
func (d *DB) CreateAPIToken(ctx context.Context, t catalog.APIToken, now time.Time) (made catalog.APIToken, err error) {
	t.ID = random()
	t.By, t.Job = cut(cmp.Or(t.By, catalog.ActorOf(ctx).User), maxUser), cut(t.Job, maxJob)
	slices.Sort(t.Scopes)
	t.Scopes = slices.Compact(t.Scopes)
	if err := checkAPIToken(t); err != nil {
		return t, err
	}
	err = d.tx(ctx, func(tx *transaction) error {
		if err := checkReadTokens(ctx, tx, t); err != nil {
			return err
		}
		has, err := collect(ctx, tx, scanAPIToken, `SELECT `+apiTokenColumns+` FROM api_tokens WHERE owner = ? AND name = ? AND label = ? AND slot = ''`,
			t.Target.Owner, t.Target.Name, t.Name)
		if err != nil {
			return err
		}
		if len(has) > 0 {
			made = has[0]
			if made.ID == t.ID {
				return nil // an earlier try went through
			}
			return ErrExists
		}
		if t.Parent != "" {
			if err := checkLive(ctx, tx, t.Parent); err != nil {
				return err
			}
		}
		if made, err = insertAPIToken(ctx, tx, t, now); err != nil {
			return err
		}
		return forgetShort(ctx, tx, made, now)
	})
	if err != nil {
		return t, fmt.Errorf("create token %q of %s: %w", t.Name, t.Target, err)
	}
	return made, nil
}

// maxLabel is the length of the longest name of a token.
const maxLabel = 255

func checkAPIToken(t catalog.APIToken) error {
	switch {
	case t.Name == "" || len(t.Name) > maxLabel:
		return fmt.Errorf("token name %.40q: use 1 to %d bytes", t.Name, maxLabel)
	case len(t.SHA256) != 64:
		return errors.New("a token is stored as its SHA-256 digest, in hexadecimal")
	case len(t.Scopes) == 0:
		return fmt.Errorf("token %q has no scope", t.Name)
	case t.Target.Owner == "" && t.Target.Name != "":
		return fmt.Errorf("token %q: a target with a name has an owner", t.Name)
	}
	for _, s := range t.Scopes {
		if !slices.Contains(catalog.Scopes, s) {
			return fmt.Errorf("scope %.40q of token %q: use %q", s, t.Name, catalog.Scopes)
		}
	}
	return nil
}

// checkReadTokens makes sure that no read token of the target has the name of a token. It locks nothing, which the
// database user of the API may not: of two tokens that are made at one time, both are revoked by their name.
func checkReadTokens(ctx context.Context, tx *transaction, t catalog.APIToken) error {
	if t.Target.Name == "" {
		return nil
	}
	row, err := scanRepository(tx.QueryRowContext(ctx, `SELECT `+repositoryColumns+` FROM repositories WHERE owner = ? AND name = ?`, t.Target.Owner, t.Target.Name).Scan)
	if errors.Is(err, sql.ErrNoRows) {
		return nil
	}
	if err == nil && row.settings.Deleted != nil && !row.settings.Deleted.Final {
		return deletedRepository(row.settings)
	}
	if err == nil && slices.ContainsFunc(row.settings.Tokens, func(o catalog.Token) bool { return o.Name == t.Name }) {
		err = ErrExists
	}
	return err
}

func insertAPIToken(ctx context.Context, tx *transaction, t catalog.APIToken, now time.Time) (catalog.APIToken, error) {
	t.Created = instant(millis(now))
	expires := sql.NullInt64{}
	if t.Expires != nil {
		expires = sql.NullInt64{Int64: millis(*t.Expires), Valid: true}
		end := instant(expires.Int64)
		t.Expires = &end
	}
	res, err := tx.ExecContext(ctx, `INSERT INTO api_tokens (id, sha256, owner, name, label, slot, scopes, parent, made_by, job, created_at, expires_at)
		VALUES (?, ?, ?, ?, ?, '', ?, ?, ?, ?, ?, ?)`, t.ID, t.SHA256, t.Target.Owner, t.Target.Name, t.Name,
		jsonList[catalog.Scope]{&t.Scopes}, t.Parent, t.By, t.Job, millis(now), expires)
	if err != nil {
		return t, err
	}
	if t.Number, err = res.LastInsertId(); err != nil {
		return t, err
	}
	return t, record(ctx, tx, now, apiTokenEntry(catalog.ActionTokenCreate, t))
}

// Tokens of CI jobs are short-lived. They are forgotten some time after their end, and are in the audit log then.
const (
	shortLife  = 24 * time.Hour
	forgetTime = 7 * 24 * time.Hour
)

// forgetShort deletes short-lived tokens that have expired long ago, if another one is made.
func forgetShort(ctx context.Context, tx *transaction, made catalog.APIToken, now time.Time) error {
	if made.Expires == nil || made.Expires.Sub(made.Created) > shortLife {
		return nil
	}
	_, err := tx.ExecContext(ctx, `DELETE FROM api_tokens WHERE expires_at < ? AND expires_at - created_at <= ?`, millis(now.Add(-forgetTime)), shortLife.Milliseconds())
	return err
}

func apiTokenEntry(action catalog.Action, t catalog.APIToken) catalog.AuditEntry {
	scopes := make([]string, len(t.Scopes))
	for i, s := range t.Scopes {
		scopes[i] = string(s)
	}
	return tokenEntry(action, t.Target, t.Name, "API, "+strings.Join(scopes, " "), t.Expires)
}

// checkLive returns [ErrRevoked] unless a token is live. It locks its row, so that a token cannot be made while its
// parent is revoked.
func checkLive(ctx context.Context, tx *transaction, id string) error {
	var slot string
	err := tx.QueryRowContext(ctx, `SELECT slot FROM api_tokens WHERE id = ?`+tx.forUpdate, id).Scan(&slot)
	if errors.Is(err, sql.ErrNoRows) || err == nil && slot != "" {
		return ErrRevoked
	}
	return err
}

// checkParents returns [ErrRevoked] if a read token that settings did not have has a parent that is not live.
func checkParents(ctx context.Context, tx *transaction, before, after catalog.Settings) error {
	for _, t := range after.Tokens {
		if t.Parent == "" || hasToken(before, t) {
			continue
		}
		if err := checkLive(ctx, tx, t.Parent); err != nil {
			return err
		}
	}
	return nil
}

// APITokenByDigest returns the token of the API whose secret has a digest, also one that has expired or was revoked, and
// whether there is one. It is one look into an index.
func (d *DB) APITokenByDigest(ctx context.Context, digest string) (t catalog.APIToken, found bool, err error) {
	err = d.ask(ctx, func(q querier) error {
		t, err = scanAPIToken(q.QueryRowContext(ctx, `SELECT `+apiTokenColumns+` FROM api_tokens WHERE sha256 = ?`, digest).Scan)
		return err
	})
	if errors.Is(err, sql.ErrNoRows) {
		return catalog.APIToken{}, false, nil
	}
	if err != nil {
		return t, false, fmt.Errorf("look up a token: %w", err)
	}
	return t, true, nil
}

// UsedPeriod is how exact the last use of a token is, and the time between two writes of it.
const UsedPeriod = time.Hour

// UseAPIToken records that a token was used, unless that was recorded less than [UsedPeriod] ago.
func (d *DB) UseAPIToken(ctx context.Context, id string, now time.Time) error {
	err := d.exec(ctx, `UPDATE api_tokens SET last_used_at = ? WHERE id = ? AND (last_used_at IS NULL OR last_used_at <= ?)`,
		millis(now), id, millis(now.Add(-UsedPeriod)))
	if err != nil {
		return fmt.Errorf("record the use of a token: %w", err)
	}
	return nil
}

// APITokens returns the live tokens of the API, also those that have expired, in the order of targets and names. With
// revoked, it returns those that were revoked, too.
func (d *DB) APITokens(ctx context.Context, revoked bool) ([]catalog.APIToken, error) {
	all, err := list(ctx, d, scanAPIToken, `SELECT `+apiTokenColumns+` FROM api_tokens WHERE slot = '' OR ? ORDER BY owner, name, label, number`, revoked)
	if err != nil {
		return nil, fmt.Errorf("list tokens: %w", err)
	}
	return all, nil
}
