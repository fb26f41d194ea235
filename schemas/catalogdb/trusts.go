package catalogdb

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"repomill/schemas/catalog"
)

// maxClaims bounds the claims of a trust, in bytes of JSON.
const maxClaims = 8000

// AddTrust stores a trust under its ID. The error wraps [ErrExists] if there is one with that ID, and [ErrNotFound] if
// the trust is for a repository that is not declared, and [ErrDeleted] if that is deleted.
func (d *DB) AddTrust(ctx context.Context, t catalog.Trust) error {
	claims, err := json.Marshal(t.Claims)
	if err == nil && len(claims) > maxClaims {
		err = fmt.Errorf("its claims take %d bytes; use fewer or shorter ones, %d bytes in all", len(claims), maxClaims)
	}
	if err != nil {
		return fmt.Errorf("add trust %s: %w", t.ID, err)
	}
	tried := false // an earlier try may have gone through
	err = d.tx(ctx, func(tx *transaction) error {
		again := tried
		tried = true
		if t.Name != "" {
			row, err := lockRepository(ctx, tx, catalog.Repository{Owner: t.Owner, Name: t.Name})
			if err != nil {
				return err
			}
			if row.settings.Deleted != nil {
				return deletedRepository(row.settings)
			}
		}
		var created int64
		err := tx.QueryRowContext(ctx, `SELECT created_at FROM trusts WHERE id = ?`, t.ID).Scan(&created)
		if err == nil && again && created == millis(t.Created) {
			return nil
		}
		if err == nil {
			return ErrExists
		}
		if !errors.Is(err, sql.ErrNoRows) {
			return err
		}
		_, err = tx.ExecContext(ctx, `INSERT INTO trusts (id, owner, name, scope, issuer, audience, claims, created_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?)`,
			t.ID, t.Owner, t.Name, t.Scope, t.Issuer, t.Audience, string(claims), millis(t.Created))
		if err != nil {
			return err
		}
		return record(ctx, tx, t.Created, trustEntry(catalog.ActionTrustAdd, t))
	})
	if err != nil {
		return fmt.Errorf("add trust %s: %w", t.ID, err)
	}
	return nil
}

// trustEntry is what the audit log says of a trust. Its claims are those of the list of trusts.
func trustEntry(action catalog.Action, t catalog.Trust) catalog.AuditEntry {
	return catalog.AuditEntry{Action: action, Target: t.Target(), Detail: t.ID + ": " + t.Issuer + ", " + string(t.Scope)}
}

// RemoveTrust deletes a trust, and returns it. The error wraps [ErrNotFound] if there is none with that ID.
func (d *DB) RemoveTrust(ctx context.Context, id string) (removed catalog.Trust, err error) {
	found := false // by an earlier try, which may have gone through
	err = d.tx(ctx, func(tx *transaction) error {
		all, err := collect(ctx, tx, scanTrust, selectTrusts+` WHERE id = ?`+tx.forUpdate, id)
		if err != nil {
			return err
		}
		if len(all) == 0 && found {
			return nil
		}
		if len(all) == 0 {
			return ErrNotFound
		}
		removed, found = all[0], true
		if _, err = tx.ExecContext(ctx, `DELETE FROM trusts WHERE id = ?`, id); err != nil {
			return err
		}
		return d.recordNow(ctx, tx, trustEntry(catalog.ActionTrustRemove, removed))
	})
	if err != nil {
		return removed, fmt.Errorf("remove trust %s: %w", id, err)
	}
	return removed, nil
}

// Trusts returns all trusts, in order of what they open.
func (d *DB) Trusts(ctx context.Context) ([]catalog.Trust, error) {
	all, err := list(ctx, d, scanTrust, selectTrusts+` ORDER BY owner, name, id`)
	if err != nil {
		return nil, fmt.Errorf("list trusts: %w", err)
	}
	return all, nil
}

// TrustsOf returns the trusts in an issuer, in the order in which they were added.
func (d *DB) TrustsOf(ctx context.Context, issuer string) ([]catalog.Trust, error) {
	all, err := list(ctx, d, scanTrust, selectTrusts+` WHERE issuer = ? ORDER BY created_at, id`, issuer)
	if err != nil {
		return nil, fmt.Errorf("list trusts of an issuer: %w", err)
	}
	return all, nil
}

const selectTrusts = `SELECT id, owner, name, scope, issuer, audience, claims, created_at FROM trusts`

func scanTrust(scan func(...any) error) (t catalog.Trust, err error) {
	var claims []byte
	err = scan(&t.ID, &t.Owner, &t.Name, &t.Scope, &t.Issuer, &t.Audience, &claims, (*scanTime)(&t.Created))
	if err != nil {
		return t, err
	}
	return t, json.Unmarshal(claims, &t.Claims)
}

// useMemory is how long a used ID token is remembered after it has expired: clocks differ.
const useMemory = time.Hour

// UseIDToken records that the ID token with a jti of an issuer was used, and forgets those that expired more than an
// hour before now. The error wraps [ErrExists] if it was used before. Of concurrent calls with one jti, one succeeds.
func (d *DB) UseIDToken(ctx context.Context, issuer, jti string, expires, now time.Time) error {
	sum := sha256.Sum256([]byte(issuer + "\n" + jti)) // a URL has no line feed
	digest, nonce := hex.EncodeToString(sum[:]), random()
	err := d.tx(ctx, func(tx *transaction) error {
		var user string
		switch err := tx.QueryRowContext(ctx, `SELECT nonce FROM trust_uses WHERE digest = ?`, digest).Scan(&user); {
		case err == nil && user == nonce:
			return nil // an earlier try went through
		case err == nil:
			return ErrExists
		case !errors.Is(err, sql.ErrNoRows):
			return err
		}
		_, err := tx.ExecContext(ctx, `INSERT INTO trust_uses (digest, nonce, expires_at) VALUES (?, ?, ?)`, digest, nonce, millis(expires))
		if err == nil {
			_, err = tx.ExecContext(ctx, `DELETE FROM trust_uses WHERE expires_at < ?`, millis(now.Add(-useMemory)))
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("record the use of an ID token: %w", err)
	}
	return nil
}
