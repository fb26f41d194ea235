package publish_test

import (
	"context"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"repomill/publish"
	"repomill/publish/restore"
	"repomill/schemas/catalog"
	"repomill/schemas/catalogdb"
	"repomill/schemas/layout"
)

// A rebuild from a damaged object says which one it is and what to do. It takes none for a lost connection, after which a reindex reads again for
// 15 seconds; and what it advises helps.
func TestDamagedObjectsAreNamed(t *testing.T) {
	for _, r := range []catalog.Release{jammy, el9} {
		simulate(t, func(t *testing.T, w *world) {
			gone := w.some(r, "gone")
			w.push(w.some(r, "hello"), gone)
			w.yank(gone)
			w.publish(r)
			p := w.publisher()
			keys := map[string]bool{layout.PointerKey(r): false} // true: a reindex repairs it
			for _, key := range listed(w, r) {
				if !strings.Contains(key, "/source/") {
					keys[key] = true
				}
			}
			for _, o := range listObjects(w, r, newestManifest(w, r)) {
				keys[o.Key] = true
			}
			for key, repaired := range keys {
				whole := w.bucket.Bytes(key)
				for how, body := range map[string][]byte{"absent": nil, "empty": {}, "cut in two": whole[:len(whole)/2], "without its end": whole[:len(whole)-9], "zeros": make([]byte, len(whole)), "a text": []byte("not found\n")} {
					if w.bucket.Put(key, body); !repaired && body == nil {
						continue
					}
					_, err := p.Rebuild(t.Context(), r)
					if err == nil || catalogdb.IsLost(err) || !strings.Contains(err.Error(), key) || repaired && !strings.Contains(err.Error(), "reindex "+r.String()+" --repair") {
						t.Errorf("%s, %s: got %v", key, how, err)
					}
					if repaired {
						w.reindex(r, publish.Reindexing{Repair: true})
					} else {
						w.bucket.Put(key, whole)
					}
					if got, err := p.Rebuild(t.Context(), r); err != nil || got != (catalogdb.Recovered{}) {
						t.Errorf("%s, %s, then repaired: %+v, %v", key, how, got, err)
					}
				}
			}
		})
	}
}

// A cutOff bucket loses the connection over which an index is read.
type cutOff struct {
	publish.Bucket
	key string
}

func (b cutOff) Get(ctx context.Context, key string) (io.ReadCloser, layout.Meta, error) {
	body, meta, err := b.Bucket.Get(ctx, key)
	if err == nil && key == b.key {
		return io.NopCloser(io.MultiReader(io.LimitReader(body, meta.Size/2), iotest.ErrReader(io.ErrUnexpectedEOF))), meta, nil
	}
	return body, meta, err
}

// An index is read again if the connection was lost while it was read: it is not taken for damaged.
func TestLostConnectionIsNoDamage(t *testing.T) {
	for _, r := range []catalog.Release{jammy, el9} {
		w := newWorld(t)
		w.push(w.some(r, "hello"))
		w.publish(r)
		key := listed(w, r)[1]
		var last error
		for _, err := range restore.Rows(t.Context(), cutOff{w.bucket, key}, r, keyring(t), rowReader{}) {
			last = err
		}
		if !catalogdb.IsLost(last) {
			t.Errorf("%s: got %v", key, last)
		}
	}
}
