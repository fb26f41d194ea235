package check

import (
	"compress/gzip"
	"context"
	"crypto/md5"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/klauspost/compress/zstd"
	"golang.org/x/sync/errgroup"

	"repomill/schemas/layout"
)

// A digest is a SHA-256.
type digest [sha256.Size]byte

func (d digest) String() string { return hex.EncodeToString(d[:]) }

// parseDigest reads 64 lower-case hexadecimal digits.
func parseDigest(s string) (d digest, ok bool) {
	if len(s) != hex.EncodedLen(len(d)) || s != strings.ToLower(s) {
		return d, false
	}
	_, err := hex.Decode(d[:], []byte(s))
	return d, err == nil
}

// A fact is the size and digest of a file, as an index has them.
type fact struct {
	size int64 // bytes
	sum  digest
}

// maxSmall bounds what is read into memory whole, in bytes: apt reads no more of a Release file.
const maxSmall = 10_000_000

func readSmall(ctx context.Context, t Tree, name string) ([]byte, error) {
	body, err := t.Open(ctx, name)
	if err != nil {
		return nil, err
	}
	defer body.Close()
	b, err := io.ReadAll(io.LimitReader(body, maxSmall+1))
	if err != nil {
		return nil, withoutURL(plain(err))
	}
	if len(b) > maxSmall {
		return nil, fmt.Errorf("more than %d bytes", maxSmall)
	}
	return b, nil
}

// checkName returns an error if a relative name from an index is not that of a file below its folder.
func checkName(name string) error {
	switch {
	case !utf8.ValidString(name) || strings.ContainsFunc(name, isControl):
		return errors.New("is not printable text")
	case strings.HasPrefix(name, "/"):
		return errors.New("is absolute")
	case !fs.ValidPath(name) || name == ".":
		return errors.New("leads outside, or is not in its simplest form")
	}
	return nil
}

// compare reads object key and returns an error if it differs from want. It reads at most one byte beyond want's
// size.
func (r *run) compare(ctx context.Context, key string, want fact) error {
	body, err := r.tree.Open(ctx, key)
	if err != nil {
		return unreadable(err)
	}
	defer body.Close()
	return compareBytes(body, want, nil)
}

// compareBytes reads in and returns an error if it differs from want. If more is not nil, the bytes are written to it.
func compareBytes(in io.Reader, want fact, more io.Writer) error {
	h := sha256.New()
	var w io.Writer = h
	if more != nil {
		w = io.MultiWriter(h, more)
	}
	n, err := io.Copy(w, io.LimitReader(in, want.size+1))
	if err != nil {
		return unreadable(err)
	}
	return differs(n, h, want)
}

// differs returns an error if n or the digest of h is not that of want.
func differs(n int64, h hash.Hash, want fact) error {
	switch got := digest(h.Sum(nil)); {
	case n > want.size:
		return fmt.Errorf("has more than the listed %d bytes", want.size)
	case n != want.size:
		return fmt.Errorf("has %d bytes, listed with %d", n, want.size)
	case got != want.sum:
		return fmt.Errorf("hash sum mismatch: has SHA-256 %s, listed with %s", got, want.sum)
	}
	return nil
}

// unreadable returns the problem of a file that is missing or cannot be read.
func unreadable(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return errMissing
	}
	return fmt.Errorf("cannot be read: %w", withoutURL(plain(err)))
}

var errMissing = errors.New("is missing")

// packed reports whether a file of this name is compressed.
func packed(name string) bool {
	return slices.Contains([]string{".gz", ".zst", ".xz", ".bz2", ".lzma", ".lz4"}, path.Ext(name))
}

// unpack returns the decompressed bytes of in, a file of the given name.
func unpack(name string, in io.Reader) (io.ReadCloser, error) {
	switch path.Ext(name) {
	case ".gz":
		return gzip.NewReader(in)
	case ".zst":
		z, err := zstd.NewReader(in, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(128<<20))
		if err != nil {
			return nil, err
		}
		return z.IOReadCloser(), nil
	}
	if packed(name) {
		return nil, fmt.Errorf("its compression %q is not among gz and zst, which all clients read", path.Ext(name))
	}
	return io.NopCloser(in), nil
}

// A wanted file is a package file that the indexes list.
type wanted struct {
	fact
	md5   string // hexadecimal; may be empty
	index string // key of the first index that lists it

	there   bool           // a list of the store has it
	version layout.Version // that it has there; empty if it is compared with the index, or not known
}

// want adds a package file that index lists under name, relative to the base. Other facts of a known file are a problem.
func (r *run) want(index, name string, w wanted) {
	key := r.key(name)
	w.index = index
	old, ok := r.files[key]
	if !ok {
		r.files[key] = &w
		r.release.Packages++
		r.release.Bytes += w.size
		return
	}
	if old.fact != w.fact || old.md5 != "" && w.md5 != "" && old.md5 != w.md5 {
		r.add(index, "lists %q with another size or digest than %s does", name, old.index)
	}
	if old.md5 == "" {
		old.md5 = w.md5
	}
}

// checkFiles checks every wanted package file once.
func (r *run) checkFiles(ctx context.Context) {
	if b, ok := r.tree.(bucket); ok && !r.opt.Content && len(r.files) > 0 {
		r.listFiles(ctx, b)
		return
	}
	r.readFiles(ctx, r.files)
}

// readFiles checks package files one by one, opt.Workers at a time.
func (r *run) readFiles(ctx context.Context, files map[string]*wanted) {
	var g errgroup.Group
	g.SetLimit(r.opt.Workers)
	for _, key := range slices.Sorted(maps.Keys(files)) {
		if ctx.Err() != nil {
			break
		}
		g.Go(func() error {
			w := files[key]
			if err := r.checkFile(ctx, key, w); err != nil {
				r.add(key, "%v (listed in %s)", err, w.index)
			}
			return nil
		})
	}
	_ = g.Wait() // nothing returns an error
}

func (r *run) checkFile(ctx context.Context, key string, w *wanted) error {
	_, listed := r.tree.(bucket) // what a list says is in doubt
	if t, ok := r.tree.(sizer); ok && !r.opt.Content {
		n, err := t.size(ctx, key)
		switch {
		case err != nil:
			return unreadable(err)
		case n == w.size:
			return nil
		case n >= 0:
			return fmt.Errorf("has %d bytes, listed with %d", n, w.size)
		}
	}
	body, err := r.tree.Open(ctx, key)
	if err != nil {
		return unreadable(err)
	}
	defer body.Close()
	if !r.opt.Content && !listed {
		n, err := io.Copy(io.Discard, io.LimitReader(body, w.size+1))
		switch {
		case err != nil:
			return unreadable(err)
		case n != w.size:
			return fmt.Errorf("its size is not the listed %d bytes", w.size)
		}
		return nil
	}
	if w.md5 == "" {
		return compareBytes(body, w.fact, nil)
	}
	m := md5.New()
	if err := compareBytes(body, w.fact, m); err != nil {
		return err
	}
	if got := hex.EncodeToString(m.Sum(nil)); got != w.md5 {
		return fmt.Errorf("hash sum mismatch: has MD5 %s, listed with %.64q", got, w.md5)
	}
	return nil
}
