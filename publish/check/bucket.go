package check

import (
	"cmp"
	"context"
	"encoding/hex"
	"io"
	"maps"
	"path"
	"slices"
	"strings"

	"repomill/schemas/layout"
)

// A Store is an object store, as that of a published bucket. Its methods may be called concurrently.
type Store interface {
	// Get returns the bytes of key with their metadata. For an absent key the error is [fs.ErrNotExist]. The caller closes the body.
	Get(ctx context.Context, key string) (io.ReadCloser, layout.Meta, error)

	// List calls f for each object whose key begins with prefix, in any order, until f returns an error, which it returns.
	List(ctx context.Context, prefix string, f func(key string, meta layout.Meta) error) error
}

// Bucket returns the tree in a store. Without [Options.Content], package files are not asked for one by one, but listed: a
// thousand with one request to S3. Where the store's version of an object is the MD5 of its bytes, it is compared with that of
// the index.
func Bucket(s Store) Tree { return bucket{store: s} }

// Copy is [Bucket] for a copy of another store: where the version is not the MD5, it is compared with that of the original, if both
// stores list versions. What differs is read. An original that cannot be listed is left out.
func Copy(s, original Store) Tree { return bucket{store: s, original: original} }

type bucket struct {
	store    Store
	original Store // may be nil
}

func (b bucket) Open(ctx context.Context, name string) (io.ReadCloser, error) {
	body, _, err := b.store.Get(ctx, name)
	return body, err
}

// listFiles checks existence and size of every wanted package file with the list of their common folder. It reads the files whose
// version differs from the MD5 in the index, or from that of the original: it may be the digest of something else.
func (r *run) listFiles(ctx context.Context, b bucket) {
	l := &listed{run: r, doubtful: map[string]*wanted{}}
	prefix := commonFolder(slices.Collect(maps.Keys(r.files)))
	if err := b.store.List(ctx, prefix, l.file); err != nil {
		r.add(cmp.Or(prefix, "/"), "cannot be listed: %v", withoutURL(plain(err)))
		return
	}
	for key, w := range r.files {
		if !w.there {
			r.add(key, "%v (listed in %s)", errMissing, w.index)
		}
	}
	if b.original != nil && ctx.Err() == nil {
		_ = b.original.List(ctx, prefix, l.original) // what it has not said is not compared
	}
	if len(l.doubtful) == l.compared { // the versions are no digests of the bytes, as with keys of a KMS; or all is damaged
		keys := slices.Sorted(maps.Keys(l.doubtful))
		for _, key := range keys[min(maxDoubtful, len(keys)):] {
			delete(l.doubtful, key)
		}
	}
	r.readFiles(ctx, l.doubtful)
}

// listed is what lists say of wanted package files.
type listed struct {
	*run
	doubtful map[string]*wanted // that have to be read
	compared int                // files whose version was compared with anything
}

// file takes a file of the store.
func (l *listed) file(key string, meta layout.Meta) error {
	w, ok := l.files[key]
	if !ok {
		return nil
	}
	w.there, w.version = true, ""
	if meta.Size != w.size {
		l.add(key, "has %d bytes, listed with %d (listed in %s)", meta.Size, w.size, w.index)
		return nil
	}
	if sum, ok := md5Of(meta.Version); ok && w.md5 != "" {
		l.compare(key, w, sum == w.md5)
		return nil
	}
	w.version = meta.Version // of which the index does not know anything
	return nil
}

// original takes a file of the original.
func (l *listed) original(key string, meta layout.Meta) error {
	if w, ok := l.files[key]; ok && w.version != "" && meta.Version != "" {
		l.compare(key, w, meta.Version == w.version)
	}
	return nil
}

func (l *listed) compare(key string, w *wanted, same bool) {
	l.compared++
	if !same {
		l.doubtful[key] = w
	}
}

// maxDoubtful is how many package files of a release are read if the versions of none are their MD5.
const maxDoubtful = 8

// md5Of returns the MD5 that a version of S3 is, unless the object was uploaded in parts.
func md5Of(v layout.Version) (sum string, ok bool) {
	sum = strings.Trim(string(v), `"`)
	raw, err := hex.DecodeString(sum)
	return sum, err == nil && len(raw) == 16
}

// commonFolder returns the longest folder that all keys are in, with its slash; "" if they have none in common.
func commonFolder(keys []string) string {
	if len(keys) == 0 {
		return ""
	}
	folder := path.Dir(keys[0]) + "/"
	for _, key := range keys {
		for !strings.HasPrefix(key, folder) {
			above := path.Dir(strings.TrimSuffix(folder, "/"))
			if above == "." {
				return ""
			}
			folder = above + "/"
		}
	}
	return folder
}
