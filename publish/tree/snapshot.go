package tree

import (
	"context"
	"encoding/json"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"repomill/schemas/catalog"
	"repomill/schemas/layout"
)

// A Snapshot is the record of a snapshot: a state of the releases of a repository that is kept. What it names stays until the record is
// removed (publish/PROTOCOL.md, "Snapshots").
type Snapshot struct {
	Repository string            `json:"repository"`
	ID         string            `json:"id"`             // a time: [layout.SnapshotID]
	Name       string            `json:"name,omitempty"` // an alias
	Created    time.Time         `json:"created"`        // when the record was written, by the store's clock
	By         string            `json:"by,omitempty"`
	Why        string            `json:"why,omitempty"`
	Until      *time.Time        `json:"until,omitempty"`     // when it may be deleted; none: when its owner says so
	Automatic  bool              `json:"automatic,omitempty"` // a rule took it, not a person
	Deleting   bool              `json:"deleting,omitempty"`  // its deletion has begun: it is not whole any more
	Releases   []SnapshotRelease `json:"releases"`            // in order of their names
}

// A SnapshotRelease is a release as a snapshot has it.
type SnapshotRelease struct {
	Release  string    `json:"release"`
	Revision int64     `json:"revision"`
	Nonce    string    `json:"nonce"`
	Date     time.Time `json:"date"`
	Packages int       `json:"packages"`           // as the manifest says; 0 without one
	Pointer  Object    `json:"pointer"`            // the copy below the snapshot
	Text     string    `json:"text"`               // SHA-256 of what its signatures cover, which never changes
	SignedBy []string  `json:"signed_by"`          // fingerprints of the certificates that signed the copy
	Indexes  []Object  `json:"indexes"`            // that the pointer names
	Manifest string    `json:"manifest,omitempty"` // key of the manifest of the publish; none if it was lost before
}

// Find returns a release of the snapshot.
func (s Snapshot) Find(r catalog.Release) (SnapshotRelease, bool) {
	i := slices.IndexFunc(s.Releases, func(one SnapshotRelease) bool { return one.Release == r.String() })
	if i < 0 {
		return SnapshotRelease{}, false
	}
	return s.Releases[i], true
}

// Kept returns the snapshot as the catalog has it, without a number. Who signed it is empty unless all its releases have the same signers.
func (s Snapshot) Kept() (kept catalog.Snapshot, err error) {
	kept = catalog.Snapshot{
		ID: s.ID, Name: s.Name, State: catalog.SnapshotKept, Asked: s.Created, Until: s.Until, Automatic: s.Automatic,
		By: catalog.Actor{User: s.By, Why: s.Why},
	}
	if kept.Target, err = catalog.ParsePackageTarget(s.Repository); err != nil {
		return kept, fmt.Errorf("read snapshot %s: %w", s.ID, err)
	}
	for i, one := range s.Releases {
		r, err := catalog.ParseRelease(one.Release)
		if err != nil {
			return kept, fmt.Errorf("read snapshot %s: %w", s.ID, err)
		}
		packages := one.Packages
		if one.Manifest == "" {
			packages = -1
		}
		kept.Releases = append(kept.Releases, catalog.SnapshotRelease{Release: r, Revision: one.Revision, Packages: packages})
		by := strings.Join(one.SignedBy, "+")
		if i == 0 {
			kept.SignedBy = by
		} else if by != kept.SignedBy {
			kept.SignedBy = ""
		}
	}
	return kept, nil
}

// ReadSnapshot reads the record of a snapshot. If there is none, the error is [fs.ErrNotExist].
func ReadSnapshot(ctx context.Context, b Reader, r catalog.Repository, id string) (s Snapshot, v layout.Version, err error) {
	key := layout.SnapshotKey(r, id)
	body, meta, err := ReadSmall(ctx, b, key)
	switch {
	case err != nil:
		return s, "", err
	case meta.Version == "":
		return s, "", fmt.Errorf("read %s: %w", key, fs.ErrNotExist)
	}
	s, err = parseSnapshot(body, r, id)
	return s, meta.Version, err
}

// maxSnapshotReads is how many records are read at a time.
const maxSnapshotReads = 16

// Snapshots reads the records of all snapshots of a repository, and returns them in order of their times. A record that is removed at the
// same time may be left out.
func Snapshots(ctx context.Context, b interface {
	Reader
	Lister
}, r catalog.Repository,
) ([]Snapshot, error) {
	var mu sync.Mutex
	var all []Snapshot
	g, reading := errgroup.WithContext(ctx)
	g.SetLimit(maxSnapshotReads)
	listed := b.List(ctx, layout.SnapshotsPrefix(r), func(key string, _ layout.Meta) error {
		id, ok := layout.SnapshotOf(r, key)
		if !ok {
			return nil
		}
		g.Go(func() error {
			body, meta, err := ReadSmall(reading, b, key)
			if err != nil || meta.Version == "" {
				return err
			}
			s, err := parseSnapshot(body, r, id)
			mu.Lock()
			defer mu.Unlock()
			all = append(all, s)
			return err
		})
		return nil
	})
	if err := g.Wait(); err != nil {
		return nil, err
	}
	slices.SortFunc(all, func(a, b Snapshot) int { return strings.Compare(a.ID, b.ID) })
	return all, listed
}

func parseSnapshot(body []byte, r catalog.Repository, id string) (s Snapshot, err error) {
	key := layout.SnapshotKey(r, id)
	if err := json.Unmarshal(body, &s); err != nil {
		return s, fmt.Errorf("read %s: %w: restore an earlier version of that object, or remove it to delete the snapshot", key, err)
	}
	if s.Repository != r.String() || s.ID != id {
		return s, fmt.Errorf("read %s: it is the record of snapshot %.100q of %.200q", key, s.ID, s.Repository)
	}
	return s, nil
}
