package serve

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"repomill/schemas/catalog"
	"repomill/schemas/layout"
)

const (
	maxSnapshotListBytes = 8 << 20 // of one list
	maxCachedLists       = 1 << 10 // repositories
)

// snapshotLists caches the lists of snapshots, by repository. Requests for pointers below a snapshot alone read it. Its methods may be
// called concurrently.
type snapshotLists struct {
	mu      sync.Mutex
	entries map[catalog.Repository]*snapshotEntry
}

// A snapshotEntry is the cached list of a repository. Requests take turns on it, so that one reads and the others find what it read.
type snapshotEntry struct {
	turn    chan struct{} // a token for the request that has its turn
	list    catalog.SnapshotList
	version layout.Version
	read    time.Time // start of the last successful read; zero if there was none
}

func (l *snapshotLists) entry(r catalog.Repository) *snapshotEntry {
	l.mu.Lock()
	defer l.mu.Unlock()
	e, ok := l.entries[r]
	if !ok {
		if len(l.entries) >= maxCachedLists || l.entries == nil {
			l.entries = map[catalog.Repository]*snapshotEntry{}
		}
		e = &snapshotEntry{turn: make(chan struct{}, 1)}
		l.entries[r] = e
	}
	return e
}

// get returns the list of a repository, read at most MaxAge ago, or up to MaxStale ago while the bucket cannot be read. If what is asked for
// is not in it, it was read at most a second ago: the snapshot may have been taken since. A repository without a list has no snapshots.
func (l *snapshotLists) get(ctx context.Context, c SettingsConfig, r catalog.Repository, asked string) (catalog.SnapshotList, error) {
	e := l.entry(r)
	select {
	case e.turn <- struct{}{}:
		defer func() { <-e.turn }()
	case <-ctx.Done():
		return catalog.SnapshotList{}, ctx.Err()
	}
	now := c.Now()
	listed := slices.ContainsFunc(e.list.Snapshots, func(n catalog.SnapshotName) bool { return n.ID == asked || n.Name == asked })
	if !e.read.IsZero() && (within(now, e.read, retryAfter) || listed && within(now, e.read, c.MaxAge)) {
		return e.list, nil
	}
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	err := e.refresh(ctx, c.Bucket, r)
	switch {
	case err == nil:
		e.read = now
	case within(now, e.read, c.MaxStale) && !e.read.IsZero():
		err = nil
	}
	return e.list, err
}

// refresh reads the list if its version has changed.
func (e *snapshotEntry) refresh(ctx context.Context, b Bucket, r catalog.Repository) error {
	key := layout.SnapshotListKey(r)
	meta, err := b.Stat(ctx, key)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		e.list, e.version = catalog.SnapshotList{Repository: r}, ""
		return nil
	case err != nil:
		return err
	case meta.Version == e.version && e.version != "":
		return nil
	}
	body, meta, err := b.Get(ctx, key)
	if errors.Is(err, fs.ErrNotExist) {
		e.list, e.version = catalog.SnapshotList{Repository: r}, ""
		return nil
	}
	if err != nil {
		return err
	}
	defer body.Close()
	text, err := io.ReadAll(io.LimitReader(body, maxSnapshotListBytes+1))
	var list catalog.SnapshotList
	switch {
	case err != nil:
		return err
	case len(text) > maxSnapshotListBytes:
		return fmt.Errorf("%s has more than %d bytes", key, maxSnapshotListBytes)
	}
	if err := json.Unmarshal(text, &list); err != nil {
		return fmt.Errorf("read %s: %w", key, err)
	}
	if list.Repository != r {
		return fmt.Errorf("read %s: it is the list of %.200q", key, list.Repository)
	}
	e.list, e.version = list, meta.Version
	return nil
}

// snapshot answers for an object of a snapshot. If the client has named the snapshot otherwise than by its identifier, the answer says where
// it is. An identifier is answered without the list if that cannot be read: the object is there, or the CDN says that it is not.
func (s *resolver) snapshot(w http.ResponseWriter, r *http.Request, ref layout.Ref, a Answer, now time.Time) Answer {
	list, err := s.snapshots.get(r.Context(), s.Settings.SettingsConfig, ref.Repository, ref.Snapshot)
	_, isID := layout.ParseSnapshotID(ref.Snapshot)
	if err != nil {
		if r.Context().Err() == nil {
			s.faults.log(s.Log, slog.LevelWarn, now, "cannot read list of snapshots", "repository", ref.Repository.String(), "error", err)
		}
		if isID {
			return s.there(w, r, ref, a, now)
		}
		w.Header().Set("Retry-After", "5")
		a.Status = text(w, http.StatusServiceUnavailable, "no-store", "the snapshots of the repository cannot be read at the moment\n")
		return a
	}
	switch id, err := layout.FindSnapshot(list, ref.Snapshot, now); {
	case err != nil:
		a.Status = notFoundOf(w, a.Visibility)
	case id == ref.Snapshot:
		return s.there(w, r, ref, a, now)
	default:
		a.Status = inSnapshot(w, r, ref, id)
	}
	return a
}

// notFoundOf is notFound for what only those who may read a repository are answered.
func notFoundOf(w http.ResponseWriter, v catalog.Visibility) int {
	cacheControl := "max-age=10"
	if cmp.Or(v, catalog.Public) != catalog.Public {
		cacheControl = "private, max-age=10"
	}
	return text(w, http.StatusNotFound, cacheControl, "not found\n")
}

// inSnapshot sends a client to the same object below the identifier of a snapshot. The path is whole, with the token in front if the client
// had it there: apt 2.6.2 follows a Location that begins with a slash, and refuses others ("Redirection from http to 'b:/' is forbidden").
func inSnapshot(w http.ResponseWriter, r *http.Request, ref layout.Ref, id string) int {
	from := rawPath(r.URL)
	path, _ := cutToken(from)
	rest := strings.TrimPrefix(ref.Key, layout.SnapshotDir(ref.Repository, ref.Snapshot))
	if ref.IsPage() {
		rest = ""
	}
	h := w.Header()
	h.Set("Location", strings.TrimSuffix(from, path)+"/"+layout.SnapshotDir(ref.Repository, id)+rest)
	h.Set("Cache-Control", "private, no-store")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Content-Length", "0")
	w.WriteHeader(http.StatusFound)
	return http.StatusFound
}
