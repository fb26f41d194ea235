package catalogdb

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"maps"
	"path"
	"time"

	"repomill/schemas/catalog"
	"repomill/schemas/layout"
)

// A PromotionSearch says which packages are to be copied, and where each goes.
type PromotionSearch struct {
	From  Selection
	To    catalog.Repository
	Place func(k catalog.Package, target catalog.Settings) (catalog.Place, error) // of the copy of k; it asks the catalog for nothing
}

// A Candidate is a package that a search has found.
type Candidate struct {
	Source SelectedPackage
	To     catalog.Place
	Holder *catalog.Package // what has the identity of the copy, or keeps it out from another component; nil if nothing does
	Err    error            // of Place
}

// Candidates are what a search finds at one moment.
type Candidates struct {
	Selected
	Target catalog.Settings
	Copies []Candidate // those of Packages whose copy has another place, in the same order
}

// Candidates returns what a search finds, read in one transaction. The error wraps [ErrNotFound] if a repository does not exist,
// and [ErrTooMany].
func (d *DB) Candidates(ctx context.Context, s PromotionSearch) (c Candidates, err error) {
	err = d.askOnce(ctx, func(q querier) error {
		targets, err := targetDistributions(ctx, q, s.From.Target)
		if err == nil {
			c, err = s.read(ctx, q, targets)
		}
		return err
	})
	if err != nil {
		return c, fmt.Errorf("find what is to be copied: %w", err)
	}
	return c, nil
}

func (s PromotionSearch) read(ctx context.Context, q querier, targets []targetDistribution) (c Candidates, err error) {
	if c.Selected, err = s.From.read(ctx, q, targets); err != nil {
		return c, err
	}
	if c.Target, err = settings(ctx, q, s.To); err != nil {
		return c, err
	}
	for _, p := range c.Packages {
		copied := Candidate{Source: p}
		if copied.To, copied.Err = s.Place(p.Package, c.Target); copied.Err != nil {
			c.Copies = append(c.Copies, copied)
			continue
		}
		if copied.To == p.Package.Place() {
			continue // of all components, this one
		}
		if copied.Holder, err = holderOf(ctx, q, withVariant(p.Package, c.Target.Mutable), copied.To); err != nil {
			return c, err
		}
		c.Copies = append(c.Copies, copied)
	}
	return c, nil
}

// holderOf returns the row that a copy of a package would meet in a place, or nil.
func holderOf(ctx context.Context, q querier, k catalog.Package, to catalog.Place) (*catalog.Package, error) {
	k.Repository, k.Distribution, k.Component = to.Repository, to.Distribution, to.Component
	holder, _, err := find(ctx, q, k)
	if err == nil && holder.Replaced() { // the same bytes may come back
		return nil, nil
	}
	if errors.Is(err, ErrNotFound) {
		var blocked bool
		if holder, blocked, err = blocking(ctx, q, k); err == nil && !blocked {
			return nil, nil
		}
	}
	return &holder, err
}

// CopyMeets returns what a copy of a package meets in a place that has holder, or nothing, and why it cannot be there.
func CopyMeets(k catalog.Package, holder *catalog.Package) (catalog.CopyState, string) {
	if holder == nil {
		return catalog.ToCopy, ""
	}
	same := holder.File.SHA256 == k.File.SHA256
	switch {
	case holder.State == catalog.Yanked && same:
		return catalog.CopyWithdrawn, "it was withdrawn there; repomill unyank brings it back"
	case holder.State == catalog.Yanked:
		return catalog.CopyWithdrawn, "a file with other bytes was withdrawn there; no other file takes its name"
	case holder.State == catalog.Reserved:
		return catalog.CopyConflict, ReservedBy(*holder).Detail
	case !same:
		return catalog.CopyConflict, fmt.Sprintf("it has other bytes there: sha256 %s, not %s", holder.File.SHA256, k.File.SHA256)
	case holder.State == catalog.Active:
		return catalog.CopyThere, ""
	default:
		return catalog.ToCopy, "" // an upload or an earlier copy is under way
	}
}

// PromoteSelected records the wishes that decide returns for what a search finds, in one transaction, and returns the upload that
// makes each; see [DB.Promote]. decide is called in the transaction, once for each try of it, and asks the catalog for nothing;
// its error ends the transaction, and nothing is recorded.
func (d *DB) PromoteSelected(ctx context.Context, s PromotionSearch, now time.Time, decide func(Candidates) ([]Wish, error)) (asked []catalog.Upload, err error) {
	fresh := map[wishKey]catalog.Upload{}
	err = d.tx(ctx, func(tx *transaction) error {
		if done, err := committed(ctx, tx, maps.Values(fresh)); done || err != nil {
			return err // an earlier try went through unreported
		}
		targets, err := tx.lockedTargets(ctx, s.From.Target, catalog.PackageTarget{Repository: s.To})
		if err != nil {
			return err
		}
		c, err := s.read(ctx, tx, targets[0])
		if err != nil {
			return err
		}
		wishes, err := decide(c)
		if err != nil {
			return err
		}
		asked = make([]catalog.Upload, len(wishes))
		for i, w := range wishes {
			key := wishKey{w.Source.Place(), w.Source.Name, w.Source.Canonical, w.Source.Arch, w.Source.Variant, w.To}
			if _, has := fresh[key]; !has {
				fresh[key] = uploadFor(w)
			}
			if asked[i], err = promote(ctx, tx, w, fresh[key], now); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("ask for copies: %w", err)
	}
	return asked, nil
}

// A wishKey identifies a wish.
type wishKey struct {
	from                           catalog.Place
	name, canonical, arch, variant string
	to                             catalog.Place
}

// committed reports whether the uploads of an earlier try are in the catalog: all of them are, or none.
func committed(ctx context.Context, tx *transaction, fresh iter.Seq[catalog.Upload]) (done bool, err error) {
	for u := range fresh {
		n, err := scanID(tx.QueryRowContext(ctx, `SELECT COUNT(*) FROM uploads WHERE bucket = ? AND object = ? AND generation = ?`, u.Bucket, u.Object, u.Generation).Scan)
		if n > 0 || err != nil {
			return n > 0, err
		}
	}
	return false, nil
}

// uploadFor returns a new upload that makes the copy of a wish.
func uploadFor(w Wish) catalog.Upload {
	name := layout.StagedName(layout.NewID(), path.Base(w.Source.Key))
	return catalog.Upload{Bucket: catalog.PromotionBucket, Object: w.To.String() + "/" + name, Generation: w.Source.File.SHA256, Size: w.Source.File.Size}
}
