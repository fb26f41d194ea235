package collect

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"time"

	"repomill/publish/tree"
	"repomill/schemas/catalog"
	"repomill/schemas/catalogdb"
	"repomill/schemas/layout"
)

// Swept is the result of a sweep.
type Swept struct {
	Marked  int // objects that the next sweep may remove
	Removed int
}

// Sweep removes superseded indexes, old manifests, and package files that no row names. An object must be older
// than two retention periods, and an earlier sweep, at least an hour ago, must have marked it. Sweep marks the objects
// that the next one may remove. An error in one repository does not stop the sweep of others; the errors are joined. In a bucket
// of a later format it removes nothing and returns a [*tree.NewerFormat].
func (c *Collector) Sweep(ctx context.Context) (Swept, error) {
	if _, err := tree.CheckFormat(ctx, c.bucket); err != nil {
		return Swept{}, err
	}
	old, err := c.readTombstones(ctx)
	if err != nil {
		return Swept{}, err
	}
	repositories, err := tree.Repositories(ctx, c.bucket)
	if err != nil {
		return Swept{}, err
	}
	next := tombstones{version: old.version, now: old.now, objects: map[string]tombstone{}}
	var res Swept
	var errs []error
	for _, r := range repositories {
		removed, err := c.sweepRepository(ctx, r, old, &next)
		if res.Removed += removed; err != nil {
			errs = append(errs, fmt.Errorf("sweep %s: %w", r, err))
		}
		if ctx.Err() != nil {
			break
		}
	}
	if err := c.writeTombstones(ctx, old, next); err != nil {
		errs = append(errs, fmt.Errorf("sweep: %w", err))
	}
	res.Marked = len(next.objects)
	return res, errors.Join(errs...)
}

// A repositorySweep is the state of a sweep of one repository.
type repositorySweep struct {
	collector *Collector
	releases  map[catalog.Release]bool
	named     map[string]bool // keys that must stay, package files left out
	lost      bool            // the catalog lacks published rows, so a missing row proves nothing
	before    time.Time       // younger objects stay
}

func (c *Collector) sweepRepository(ctx context.Context, r catalog.Repository, old tombstones, next *tombstones) (removed int, err error) {
	s, err := c.mark(ctx, r, old.now)
	if err != nil {
		return 0, err
	}
	if err := s.resolveInterrupted(ctx, r); err != nil {
		return 0, err
	}
	var due []tombstone
	visit := func(key string, meta layout.Meta) error {
		if !meta.Modified.Before(s.before) {
			return nil
		}
		garbage, err := s.garbage(ctx, key)
		if err != nil || !garbage {
			return err
		}
		version := meta.Version
		if version == "" { // this store does not list it
			if version, err = tree.VersionOf(ctx, c.bucket, key); err != nil || version == "" {
				return err
			}
		}
		if t, aged := old.find(key, version); aged {
			due = append(due, t)
		} else {
			next.add(t)
		}
		return nil
	}
	for _, prefix := range s.prefixes(r) {
		if err := c.bucket.List(ctx, prefix, visit); err != nil {
			return 0, err
		}
	}
	for _, t := range due {
		gone, err := s.remove(ctx, t)
		if err != nil {
			return removed, fmt.Errorf("remove %s: %w", t.Key, err)
		}
		if gone {
			removed++
		}
	}
	return removed, nil
}

// prefixes returns the prefixes of all keys of a repository.
func (s *repositorySweep) prefixes(r catalog.Repository) []string {
	all := []string{r.String() + "/"}
	for release := range s.releases {
		all = append(all, layout.HistoryPrefix(release), layout.PreparedPrefix(release))
	}
	return all
}

// mark reads the settings, pointers and manifests of a repository and collects the keys that must stay.
func (c *Collector) mark(ctx context.Context, r catalog.Repository, now time.Time) (*repositorySweep, error) {
	d, err := tree.ReadSettings(ctx, c.bucket, r)
	if err != nil {
		return nil, err
	}
	s := &repositorySweep{collector: c, releases: map[catalog.Release]bool{}, named: map[string]bool{}, before: now.Add(-2 * c.retention)}
	for _, ds := range d.Distributions {
		release := catalog.Release{Repository: r, Distribution: ds.Distribution}
		if ds.Format == catalog.DEB {
			s.releases[release] = true
			continue
		}
		for _, release.Arch = range ds.Architectures {
			s.releases[release] = true
		}
	}
	known, err := c.catalog.KnowsSettingsRevision(ctx, r, d.Revision)
	if err != nil {
		return nil, err
	}
	s.lost = !known
	for release := range s.releases {
		h, err := c.history(ctx, release)
		if err == nil {
			err = c.markHistory(ctx, h, now.Add(-c.retention-slack), s.named)
		}
		if err == nil {
			err = s.checkKnown(ctx, release, h.revision)
		}
		if err != nil {
			return nil, err
		}
	}
	return s, nil
}

// checkKnown sets lost if the catalog did not issue the published revision: then it has lost history, and lacks rows
// whose packages clients see. The next publish restores them.
func (s *repositorySweep) checkKnown(ctx context.Context, r catalog.Release, published catalog.Revision) error {
	if published == (catalog.Revision{}) {
		return nil
	}
	known, err := s.collector.catalog.KnowsRevision(ctx, r, published)
	if err != nil || known {
		return err
	}
	s.lost = true
	return nil
}

// garbage reports whether no pointer and no row names an object. An object of unknown kind is not garbage.
func (s *repositorySweep) garbage(ctx context.Context, key string) (bool, error) {
	if _, ok := s.indexOf(key); ok {
		return !s.named[key], nil
	}
	k, ok := s.packageOf(key)
	if !ok || s.lost {
		return false, nil
	}
	_, err := s.collector.catalog.Find(ctx, k)
	if errors.Is(err, catalogdb.ErrNotFound) {
		return true, nil
	}
	return false, err
}

// remove removes an object if it is still garbage and has the version that was marked.
func (s *repositorySweep) remove(ctx context.Context, t tombstone) (gone bool, err error) {
	if needed, err := s.needed(ctx, t.Key); err != nil || needed {
		return false, err
	}
	meta, err := s.collector.bucket.Stat(ctx, t.Key)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return true, nil
	case err != nil:
		return false, err
	case meta.Version != t.Version || !meta.Modified.Before(s.before):
		return false, nil
	}
	return s.quarantine(ctx, t)
}

// needed reports whether an object must stay, after it has read the pointer again.
func (s *repositorySweep) needed(ctx context.Context, key string) (bool, error) {
	r, ok := s.indexOf(key)
	if !ok {
		r, _ = s.releaseOf(strings.Split(key, "/"))
	}
	if err := s.markLive(ctx, r); err != nil {
		return true, err
	}
	garbage, err := s.garbage(ctx, key)
	return !garbage, err
}

// markLive reads the pointer of a release again and adds the keys that it names.
func (s *repositorySweep) markLive(ctx context.Context, r catalog.Release) error {
	ptr, sum, err := s.collector.live(ctx, r)
	if err != nil || sum == "" {
		return err
	}
	for _, x := range ptr.Indexes {
		s.named[x.Packed.Key] = true
	}
	if key := tree.ManifestKey(r, ptr.Revision, sum); !s.named[key] {
		_, err = s.collector.markManifest(ctx, r, key, s.named)
	}
	return errors.Join(err, s.checkKnown(ctx, r, ptr.Revision))
}
