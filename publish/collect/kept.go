package collect

import (
	"context"
	"errors"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"

	"repomill/publish/tree"
	"repomill/schemas/catalog"
	"repomill/schemas/catalogdb"
	"repomill/schemas/layout"
)

// A repositorySweep is the state of a sweep of one repository. Its methods may be called concurrently once begin has returned it.
type repositorySweep struct {
	collector  *Collector
	repository catalog.Repository
	releases   map[catalog.Release]bool
	before     time.Time // younger objects stay

	mu        sync.Mutex
	named     map[string]bool // keys that must stay, package files and objects of snapshots left out
	snapshots map[string]bool // identifiers of those whose objects must stay
	lost      bool            // the catalog lacks published rows, so a missing row proves nothing

	lists singleflight.Group // of keys: lists of withdrawn packages that are being read
}

// prefixes returns the prefixes of all keys of a repository that may be garbage: those of its snapshots and of its releases. The pages of a
// repository, which may be many more, have others.
func (s *repositorySweep) prefixes() (all []string) {
	all = append(all, layout.SnapshotDir(s.repository, ""))
	for r := range s.releases {
		all = append(all, layout.PackagesPrefix(r), layout.HistoryPrefix(r), layout.PreparedPrefix(r))
		if r.Arch == "" {
			all = append(all, layout.DebDir(r)+"/")
		}
	}
	return all
}

// begin reads the settings, pointers and manifests of a repository and collects the keys that must stay.
func (c *Collector) begin(ctx context.Context, r catalog.Repository, now time.Time) (*repositorySweep, error) {
	d, err := tree.ReadSettings(ctx, c.bucket, r)
	if err != nil {
		return nil, err
	}
	s := &repositorySweep{
		collector: c, repository: r, releases: map[catalog.Release]bool{}, named: map[string]bool{}, snapshots: map[string]bool{}, before: now.Add(-2 * c.retention),
	}
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
			err = s.markHistory(ctx, h, now.Add(-c.retention-slack))
		}
		if err == nil {
			err = s.checkKnown(ctx, release, h.revision)
		}
		if err != nil {
			return nil, err
		}
	}
	return s, s.markSnapshots(ctx)
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
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lost = true
	return nil
}

// mark keeps keys from being garbage.
func (s *repositorySweep) mark(keys ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, key := range keys {
		s.named[key] = true
	}
}

func (s *repositorySweep) marked(key string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.named[key]
}

// proofless reports whether a missing row proves nothing.
func (s *repositorySweep) proofless() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.lost
}

// garbage reports whether no pointer and no row names an object. An object of unknown kind is not garbage.
func (s *repositorySweep) garbage(ctx context.Context, key string) (bool, error) {
	if id, ok := layout.SnapshotObject(s.repository, key); ok {
		return !s.recorded(id), nil
	}
	if r, ok := s.indexOf(key); ok {
		return !s.marked(key) && !(tree.IsWithdrawnKey(r, key) && s.marked(tree.WithdrawnChunkKey(r, unread))), nil
	}
	k, ok := s.packageOf(key)
	if !ok || s.proofless() {
		return false, nil
	}
	_, err := s.collector.catalog.Find(ctx, k)
	if errors.Is(err, catalogdb.ErrNotFound) {
		return true, nil
	}
	return false, err
}

// needed reports whether an object must stay, after it has read the pointer again.
func (s *repositorySweep) needed(ctx context.Context, key string) (bool, error) {
	if id, ok := layout.SnapshotObject(s.repository, key); ok {
		return s.neededBySnapshot(ctx, id)
	}
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
	s.mark(packed(ptr.Indexes)...)
	if key := tree.ManifestKey(r, ptr.Revision, sum); !s.marked(key) {
		_, err = s.markManifest(ctx, r, key)
	}
	return errors.Join(err, s.checkKnown(ctx, r, ptr.Revision))
}
