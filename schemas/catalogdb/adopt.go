package catalogdb

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"repomill/schemas/catalog"
)

// leap is how far beyond a pair that somebody else drew the next own one lies. What was drawn between
// them and never seen here has room.
const leap = 1000

// beyond returns the revision that follows both an own and a foreign one.
func beyond(own, foreign int64) int64 { return max(own, foreign) + leap }

// checkPair says what is wrong with a pair that this catalog did not draw.
func checkPair(pair catalog.Revision) error {
	if pair.Number < 0 || pair.Number > math.MaxInt64/2 || pair.Nonce == "" || len(pair.Nonce) > 64 {
		return fmt.Errorf("revision %d with nonce %.80q is none", pair.Number, pair.Nonce)
	}
	return nil
}

// AdoptSettings takes over the settings that the bucket has, under a pair that this catalog never drew:
// it was restored from an old copy. The bucket's visibility, origin, label, keys and tokens win; of
// distributions, components and architectures the union is kept, with the releases that follow from
// it. Only a repository that was made private here, and not published so yet, stays private. Then a
// pair beyond both is drawn. A pair that is known already changes nothing. format tells what a
// distribution holds that the catalog does not have.
func (d *DB) AdoptSettings(ctx context.Context, from catalog.Settings, format func(catalog.Distribution) (catalog.Format, bool), now time.Time) error {
	err := checkSettings(&from)
	if err == nil {
		err = checkPair(from.Revision)
	}
	if err == nil {
		err = d.tx(ctx, func(tx *transaction) error { return adoptSettings(ctx, tx, from, format, now) })
	}
	if err != nil {
		return fmt.Errorf("adopt settings of %s: %w", from.Repository, err)
	}
	return nil
}

func adoptSettings(ctx context.Context, tx *transaction, from catalog.Settings, format func(catalog.Distribution) (catalog.Format, bool), now time.Time) error {
	row, _, err := ensureRepository(ctx, tx, from.Repository, now)
	if err != nil {
		return err
	}
	known, err := scanID(tx.QueryRowContext(ctx, `SELECT COUNT(*) FROM settings_pairs WHERE repository_id = ? AND revision = ? AND nonce = ?`,
		row.id, from.Revision.Number, from.Revision.Nonce).Scan)
	if err != nil || known > 0 {
		return err
	}
	has := row.settings
	if has.Visibility == catalog.Private && has.Revision.Number > row.published {
		from.Visibility = catalog.Private
	}
	from.Keyring = newerKeyring(from.Keyring, has.Keyring)
	if from.Tokens, err = row.withoutRevoked(ctx, tx, from.Tokens); err != nil {
		return err
	}
	if err := row.update(ctx, tx, from); err != nil {
		return err
	}
	for _, ds := range from.Distributions {
		f, err := formatOf(ctx, tx, row.id, ds.Distribution, format)
		if err != nil {
			return err
		}
		if _, err := ensureDistribution(ctx, tx, row.id, f, ds, now); err != nil {
			return err
		}
	}
	if err := row.keep(ctx, tx, from.Revision, now); err != nil {
		return err
	}
	return row.draw(ctx, tx, beyond(has.Revision.Number, from.Revision.Number), random(), now)
}

// formatOf returns the format of a distribution: as it is here, else as the table of distributions has it.
func formatOf(ctx context.Context, tx *transaction, repository int64, dist catalog.Distribution, table func(catalog.Distribution) (catalog.Format, bool)) (f catalog.Format, err error) {
	err = tx.QueryRowContext(ctx, `SELECT format FROM distributions WHERE repository_id = ? AND os = ? AND version = ?`, repository, dist.OS, dist.Version).Scan(&f)
	if !errors.Is(err, sql.ErrNoRows) {
		return f, err
	}
	f, ok := table(dist)
	if !ok {
		return f, fmt.Errorf("distribution %s is in the bucket's settings and not in the table: add it with --distributions FILE", dist)
	}
	return f, nil
}

// withoutRevoked leaves out the tokens that were revoked here, and not published so yet: those that this
// catalog does not have although they are older than the newest settings that it published.
func (row *repositoryRow) withoutRevoked(ctx context.Context, tx *transaction, tokens []catalog.Token) ([]catalog.Token, error) {
	if row.settings.Revision.Number <= row.published {
		return tokens, nil
	}
	var known sql.NullInt64
	err := tx.QueryRowContext(ctx, `SELECT MAX(drawn_at) FROM settings_pairs WHERE repository_id = ? AND revision <= ?`, row.id, row.published).Scan(&known)
	return slices.DeleteFunc(slices.Clone(tokens), func(t catalog.Token) bool {
		has := slices.ContainsFunc(row.settings.Tokens, func(o catalog.Token) bool { return o.SHA256 == t.SHA256 })
		return !has && known.Valid && millis(t.Created) <= known.Int64
	}), err
}
