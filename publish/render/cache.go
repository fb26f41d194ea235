package render

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"sync"

	"repomill/schemas/catalog"
	"repomill/schemas/catalogdb"
)

// DefaultCache is how many bytes of renderings a cache keeps, unless configured otherwise.
const DefaultCache = 8 << 30

// DefaultSlack is how many bytes of garbage a scratch file may have beyond its live bytes, unless configured otherwise.
const DefaultSlack = 16 << 20

// A Cache keeps the last rendering of each release for its next revision. Losing one costs time only. A rendering has one
// user: [Cache.Take] removes it from the cache, and [Cache.Put] gives it back. Methods may be called concurrently.
//
// With Dir and Secret, renderings are saved in a folder below Dir, and the next process that has the folder continues with them. What
// is in the folder is verified before it is used; what is not as it was saved, or cannot be read or written, is rendered again, and
// the log has each such reason once.
type Cache struct {
	Dir   string // for scratch files; empty for the system's temporary folder
	Limit int64  // bytes of renderings that are kept; 0 for [DefaultCache]
	Slack int64  // bytes; 0 for [DefaultSlack]

	// Secret returns the secret that authenticates saved renderings. It is kept elsewhere than in Dir. Nil: they are not saved.
	Secret func(context.Context) ([]byte, error)
	Log    *slog.Logger // required with Secret

	// Version is that of the code that renders rows. A rendering that was saved with another one is made again.
	Version int

	mu      sync.Mutex
	entries map[string]*entry
	order   []string // names of entries, least recently used first
	saving  saving
}

// An entry is a rendering in the cache.
type entry struct {
	rd    *Rendering // nil while it is only in the folder, or used
	used  bool       // by who took it
	data  string     // path of the segments that are saved; empty if none are
	saved int64      // bytes in the folder
}

// size returns how many bytes an entry keeps.
func (e *entry) size() int64 {
	if e.rd != nil {
		return e.rd.scratch.size.Load()
	}
	return e.saved
}

// nameOf returns the name of a release in the cache, which can be a part of a file name.
func nameOf(release string) string {
	sum := sha256.Sum256([]byte(release))
	return hex.EncodeToString(sum[:16])
}

// Take removes and returns the rendering of a release that this process has rendered or read; nil if there is none.
func (k *Cache) Take(r catalog.Release) *Rendering {
	k.mu.Lock()
	defer k.mu.Unlock()
	name := nameOf(r.String())
	e := k.entries[name]
	if e == nil || e.rd == nil {
		return nil
	}
	rd := e.rd
	e.rd = nil
	if e.data == "" && rd.scratch.path == "" {
		k.forget(name)
		return rd
	}
	e.used = true
	if e.data != "" && !rd.changed.Equal(rd.scratch.changed()) {
		k.warn(notUsed, errors.New("another process has written to "+rd.scratch.path))
		rd.scratch.broken.Store(true)
	}
	return rd
}

// Put stores a rendering, of which the caller gives up ownership. It closes the least recently used renderings beyond Limit,
// and one that cannot be updated: a fetched one, or one whose scratch file has failed.
func (k *Cache) Put(r catalog.Release, rd *Rendering) {
	if rd.fetched {
		rd.Close()
		return
	}
	name := nameOf(r.String())
	size := int64(0)
	if rd.unsaved >= saveAfter {
		size = k.save(name, rd)
	}
	rd.changed = rd.scratch.changed()
	k.mu.Lock()
	defer k.mu.Unlock()
	e := k.entries[name]
	switch {
	case rd.scratch.spilled.Load():
		k.warn("the folder has no room for a rendering, which is not kept", nil)
		k.evict(k.total() / 2)
		k.drop(name, rd)
		return
	case rd.scratch.broken.Load():
		k.drop(name, rd)
		return
	case e != nil && e.rd != nil: // another user of the cache was faster
		rd.Close()
		return
	case e == nil:
		if e = new(entry); k.entries == nil {
			k.entries = map[string]*entry{}
		}
		k.entries[name] = e
	}
	if size > 0 && e.data != rd.scratch.path {
		k.removeSegments(e)
		e.data = rd.scratch.path
	}
	e.rd, e.used, e.saved = rd, false, max(e.saved, size)
	k.touch(name)
	k.evict(cmp.Or(k.Limit, DefaultCache))
}

// drop closes a rendering that is not to be kept, and removes what was saved of it.
func (k *Cache) drop(name string, rd *Rendering) {
	rd.Close()
	if e := k.entries[name]; e != nil && e.rd == nil {
		k.remove(name, e)
	}
}

// remove removes an entry with its files.
func (k *Cache) remove(name string, e *entry) {
	if e.rd != nil {
		e.rd.Close()
	}
	if e.data != "" && k.saving.folder != nil {
		k.saving.folder.remove(name, e.data)
	}
	k.forget(name)
}

// removeSegments removes the segments that were saved of an entry.
func (k *Cache) removeSegments(e *entry) {
	if e.data != "" && k.saving.folder != nil {
		k.saving.folder.removeSegments(e.data)
	}
}

// total returns how many bytes the cache keeps.
func (k *Cache) total() (n int64) {
	for _, e := range k.entries {
		n += e.size()
	}
	return n
}

// evict removes the least recently used renderings until the others have limit bytes at most. One that is used stays.
func (k *Cache) evict(limit int64) {
	size := int64(0)
	for _, name := range slices.Backward(slices.Clone(k.order)) {
		e := k.entries[name]
		if size += e.size(); size > limit && !e.used {
			size -= e.size()
			k.remove(name, e)
		}
	}
}

// touch makes an entry the most recently used one.
func (k *Cache) touch(name string) {
	k.order = append(slices.DeleteFunc(k.order, func(s string) bool { return s == name }), name)
}

func (k *Cache) forget(name string) {
	delete(k.entries, name)
	k.order = slices.DeleteFunc(k.order, func(s string) bool { return s == name })
}

// Render returns the rendering of a snapshot: the one of this process or else the saved one, updated, or a new one ([Cache.Whole]).
// The caller returns it with Put or Leave. see is called for the entries of a new one alone.
func (k *Cache) Render(ctx context.Context, p Plan, snap *catalogdb.Snapshot, see func(*catalogdb.Entry) error) (*Rendering, error) {
	rd := k.Take(snap.Release)
	if rd == nil {
		rd = k.load(ctx, snap.Release.String())
	}
	if rd != nil && !rd.scratch.broken.Load() {
		updated, err := rd.update(ctx, p, snap)
		if updated && err == nil {
			err = k.compact(rd)
		}
		if updated && err == nil {
			return rd, nil
		}
		if err != nil && !rd.scratch.broken.Load() {
			k.Leave(rd)
			return nil, err
		}
		if err != nil {
			k.mu.Lock()
			k.warn(notUsed, fmt.Errorf("%s: %w", rd.release, err))
			k.mu.Unlock()
		}
	}
	if rd != nil {
		k.Leave(rd)
	}
	return k.Whole(ctx, p, snap, see)
}

// Whole renders the indexes of a snapshot from its rows alone. If see is set, it is called with each entry first; its error ends the
// rendering. The caller closes the rendering, or puts it into the cache.
func (k *Cache) Whole(ctx context.Context, p Plan, snap *catalogdb.Snapshot, see func(*catalogdb.Entry) error) (*Rendering, error) {
	to, err := k.newScratch(ctx, snap.Release.String())
	if err != nil {
		return nil, err
	}
	rd, err := whole(ctx, to, p, snap, see)
	if err != nil && to.broken.Load() { // the next attempt has more room
		k.mu.Lock()
		defer k.mu.Unlock()
		k.evict(k.total() / 2)
	}
	return rd, err
}

// Leave closes a rendering that was taken. What is saved of it stays: a later call may follow the changes since.
func (k *Cache) Leave(rd *Rendering) {
	k.mu.Lock()
	defer k.mu.Unlock()
	name := nameOf(rd.release)
	if e := k.entries[name]; e != nil && e.rd == nil {
		e.used = false
		if rd.scratch.broken.Load() || e.data == "" {
			k.remove(name, e)
		}
	}
	rd.Close()
}

// compact moves a rendering to a new scratch file when most of the old one, and more than Slack bytes, is garbage.
func (k *Cache) compact(rd *Rendering) error {
	if live := rd.live(); rd.scratch.size.Load() <= 2*live+cmp.Or(k.Slack, DefaultSlack) {
		return nil
	}
	to, err := k.scratchLike(rd)
	if err != nil {
		return err
	}
	return rd.moveTo(to)
}

// scratchLike returns a new scratch file beside that of a rendering.
func (k *Cache) scratchLike(rd *Rendering) (*scratch, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if f := k.saving.folder; f != nil && rd.scratch.path != "" {
		if to, err := f.newScratch(nameOf(rd.release)); err == nil {
			return to, nil
		}
	}
	return newScratch(k.Dir)
}

// Close saves the renderings that have changed since they were last saved, and leaves the folder to other processes. The cache is not
// used afterwards.
func (k *Cache) Close() {
	k.mu.Lock() // it is not used concurrently any more
	defer k.mu.Unlock()
	for name, e := range k.entries {
		if e.rd == nil {
			continue
		}
		if f := k.saving.folder; f != nil && e.rd.unsaved > 0 {
			size, err := k.saveIn(f, name, e.rd)
			if err != nil {
				k.warn("a rendering cannot be saved", err)
			}
			if size > 0 && e.data != e.rd.scratch.path {
				k.removeSegments(e)
			}
		}
		e.rd.Close()
	}
	k.entries, k.order = nil, nil
	if k.saving.folder != nil {
		k.saving.folder.close()
		k.saving.folder = nil
	}
}

// warn logs a reason once. The caller has the mutex.
func (k *Cache) warn(msg string, err error) {
	if k.Log == nil || slices.Contains(k.saving.said, msg) {
		return
	}
	k.saving.said = append(k.saving.said, msg)
	if err != nil {
		k.Log.Warn(msg, "folder", k.Dir, "error", err)
		return
	}
	k.Log.Warn(msg, "folder", k.Dir)
}

// exists reports whether an error is about something else than a missing file.
func exists(err error) bool { return err != nil && !os.IsNotExist(err) }
