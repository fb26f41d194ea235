package catalogdb

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"repomill/schemas/catalog"
)

// Claim gives the identity of k to it, unless that is taken: then it returns the row in the way and false. That is the
// row that has the identity, or one of another component of the distribution that keeps k out: it has other bytes under the
// name, version and architecture of k, or was withdrawn and is active nowhere. A claimed identity keeps others out exactly
// like an active one. The same claim again finds itself: compare the digests. A fragment that is too large is a
// [catalog.Rejection].
//
// by is the upload that makes the claim; it may be the zero one.
func (d *DB) Claim(ctx context.Context, k catalog.Package, by catalog.Upload) (holder catalog.Package, claimed bool, err error) {
	fragments, err := packAll(k)
	if err != nil {
		return k, false, err
	}
	err = d.tx(ctx, func(tx *transaction) error {
		var id int64
		claimed = false
		holder, id, err = find(ctx, tx, k)
		if err == nil && holder.State == catalog.Claimed && holder.File.SHA256 == k.File.SHA256 {
			return claimedBy(ctx, tx, by, id)
		}
		if !errors.Is(err, ErrNotFound) {
			return err
		}
		distribution, err := lockClaims(ctx, tx, k)
		if err != nil {
			return err
		}
		var blocked bool
		if holder, blocked, err = blocking(ctx, tx, k); err != nil || blocked {
			return err
		}
		holder, claimed = k, true
		k.State = catalog.Claimed
		if id, err = insertPackage(ctx, tx, distribution, k, fragments); err != nil {
			return err
		}
		return claimedBy(ctx, tx, by, id)
	})
	if err != nil {
		return k, false, fmt.Errorf("claim %s %s %s: %w", k.Name, k.Version, k.Arch, err)
	}
	return holder, claimed, nil
}

// distributionID returns the row of a distribution, or [ErrNotFound].
func distributionID(ctx context.Context, q querier, r catalog.Repository, dist catalog.Distribution) (id int64, err error) {
	err = q.QueryRowContext(ctx, `SELECT d.id FROM distributions d JOIN repositories p ON p.id = d.repository_id
		WHERE p.owner = ? AND p.name = ? AND d.os = ? AND d.version = ?`, r.Owner, r.Name, dist.OS, dist.Version).Scan(&id)
	if errors.Is(err, sql.ErrNoRows) {
		err = fmt.Errorf("distribution %s %s: %w", r, dist, ErrNotFound)
	}
	return id, err
}

// packAll returns the column values of a row's fragments.
func packAll(k catalog.Package) (fragments []any, err error) {
	fragments = make([]any, 4)
	for i, f := range [][]byte{k.Stanza, k.Primary, k.Filelists, k.Other} {
		if fragments[i], err = pack(f); err != nil {
			return nil, err
		}
	}
	return fragments, nil
}

// What columns hold of text that is only shown, in bytes.
const (
	maxUser = 255
	maxJob  = 2048
)

// factColumns and facts are the columns of a row that say what the package is.
const factColumns = `component, name, version, canonical, arch, variant, dir, sort_key, object_key,
	size, sha256, md5, uploaded_at, state, pushed_by, pushed_job, yanked_at, yank_reason, yanked_by, signer,
	stanza, primary_xml, filelists_xml, other_xml`

func facts(k catalog.Package, fragments []any) []any {
	var yankedAt any
	var yank catalog.Yank
	if k.Yank != nil {
		yank = *k.Yank
		yankedAt = millis(yank.At)
	}
	return append([]any{k.Component, k.Name, k.Version, k.Canonical, k.Arch, k.Variant, dirOf(k), k.SortKey, k.Key,
		k.File.Size, k.File.SHA256, k.File.MD5, millis(k.Uploaded), k.State, cut(k.Pusher.User, maxUser), cut(k.Pusher.Job, maxJob),
		yankedAt, yank.Reason, cut(yank.By, maxUser), k.Signer}, fragments...)
}

func insertPackage(ctx context.Context, tx *transaction, distribution int64, k catalog.Package, fragments []any) (id int64, err error) {
	res, err := tx.ExecContext(ctx, `INSERT INTO packages (distribution_id, `+factColumns+`)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`, append([]any{distribution}, facts(k, fragments)...)...)
	if err != nil {
		return 0, err
	}
	return res.LastInsertId()
}
