package collect

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"repomill/publish/tree"
	"repomill/schemas/catalog"
	"repomill/schemas/layout"
)

// MinWait is the least time between the sweep that marks an object and the one that removes it.
const MinWait = time.Hour

// tombstonesKey returns the key of the list of objects of a repository that a sweep found to be garbage.
func tombstonesKey(r catalog.Repository) string {
	return ".collect/tombstones/" + r.String() + ".json"
}

// A tombstone is an object that a sweep found to be garbage, and that a later one removes if it still is.
type tombstone struct {
	Key     string         `json:"key"`
	Version layout.Version `json:"version"`
	Since   time.Time      `json:"since"` // when a sweep found it first
}

// tombstones is the list of tombstones of a repository. A list of its own keeps a repository with much garbage from taking the room
// of others.
type tombstones struct {
	key     string
	objects map[string]tombstone // by key
	version layout.Version       // of the list
	now     time.Time            // the store's clock
}

// find returns the tombstone of an object, and whether it is at least MinWait old. For an object without one it
// returns a new tombstone.
func (t tombstones) find(key string, v layout.Version) (_ tombstone, aged bool) {
	if old, ok := t.objects[key]; ok && old.Version == v {
		return old, t.now.Sub(old.Since) >= MinWait
	}
	return tombstone{key, v, t.now.UTC()}, false
}

// A room is what a list may still take. The longest keys would make a list of many objects larger than what can be read again.
type room struct{ objects, bytes int }

const (
	listBytes      = 9 << 20 // of a list, below the bound of tree.ReadSmall
	tombstoneBytes = 128     // of one, besides its key and its version
)

// take reports whether the list has room for one more, and takes it.
func (r *room) take(t tombstone) bool {
	n := len(t.Key) + len(t.Version) + tombstoneBytes
	if r.objects < 1 || r.bytes < n {
		return false
	}
	r.objects, r.bytes = r.objects-1, r.bytes-n
	return true
}

func (c *Collector) readTombstones(ctx context.Context, r catalog.Repository) (tombstones, error) {
	t := tombstones{key: tombstonesKey(r), objects: map[string]tombstone{}}
	body, meta, err := tree.ReadSmall(ctx, c.bucket, t.key)
	t.version, t.now = meta.Version, meta.Now
	if err != nil || t.version == "" {
		return t, err
	}
	var list []tombstone
	if err := json.Unmarshal(body, &list); err != nil {
		return t, fmt.Errorf("read %s: %w; remove it, and sweep again", t.key, err)
	}
	for _, one := range list {
		t.objects[one.Key] = one
	}
	return t, nil
}

// writeTombstones replaces the list. If another sweep has replaced it since old was read, the error is
// [layout.ErrConflict].
func (c *Collector) writeTombstones(ctx context.Context, old, next tombstones) error {
	if len(old.objects) == 0 && len(next.objects) == 0 {
		return nil
	}
	list := make([]tombstone, 0, len(next.objects))
	for _, one := range next.objects {
		list = append(list, one)
	}
	slices.SortFunc(list, func(a, b tombstone) int { return strings.Compare(a.Key, b.Key) })
	body, err := json.Marshal(list)
	if err != nil {
		return err
	}
	_, err = c.bucket.Swap(ctx, old.version, layout.ObjectOf(old.key), bytes.NewReader(body))
	return err
}
