package gcs

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"hash/crc32"
	"io"
	"io/fs"
	"strconv"
	"strings"
	"time"

	"cloud.google.com/go/storage"
	"google.golang.org/api/iterator"

	"repomill/schemas/catalog"
	"repomill/schemas/layout"
)

// Open returns the bytes of exactly this generation, and the pusher in its metadata. The last Read compares size and
// checksum. A broken connection is resumed where it stopped; if the object was replaced since Open, Read returns
// [catalog.ErrGone]. An object with Content-Encoding gzip is a *[catalog.Rejection]: HTTP does not deliver the bytes that
// are stored. So is what came in a session and is not what was declared. A rejection has the pusher, too.
func (s *Staging) Open(ctx context.Context, u catalog.Upload) (io.ReadCloser, catalog.Pusher, error) {
	object, err := s.generation(u)
	if err != nil {
		return nil, catalog.Pusher{}, err
	}
	w := watch(ctx, s.stall)
	attrs, err := object.Attrs(w)
	if err == nil && attrs.ContentEncoding == "gzip" {
		w.stop()
		return nil, pusherOf(attrs.Metadata), &catalog.Rejection{
			Reason: catalog.Unsupported,
			Detail: fmt.Sprintf("%q is staged with Content-Encoding gzip, so that not the package is stored but something else; push the file as it is, without compression by the tool (gsutil: no -z, -Z, -j or -J)", layout.ShownStaging(u.Object)),
		}
	}
	var declared catalog.Declared
	if err == nil {
		if declared, err = checkDeclared(attrs); err != nil {
			w.stop()
			return nil, pusherOf(attrs.Metadata), err
		}
	}
	var body *storage.Reader
	if err == nil {
		body, err = object.NewReader(w)
	}
	if err != nil {
		err = s.readFault(u, w.blame(err))
		w.stop()
		return nil, catalog.Pusher{}, err
	}
	w.sleep()
	return &reader{staging: s, upload: u, watchdog: w, body: body, crc: crc32.New(castagnoli), attrs: attrs, sum: sha256.New(), declared: declared}, pusherOf(attrs.Metadata), nil
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// generation returns the handle of an upload's object at its generation.
func (s *Staging) generation(u catalog.Upload) (*storage.ObjectHandle, error) {
	if u.Bucket != s.name {
		return nil, fmt.Errorf("open %s: it lies in bucket %q, but --staging names gs://%s", u, u.Bucket, s.name)
	}
	generation, err := strconv.ParseInt(u.Generation, 10, 64)
	if err != nil || generation <= 0 || !validName(u.Object) {
		return nil, fmt.Errorf("open %s: %w", u, catalog.ErrGone)
	}
	return s.bucket.Object(u.Object).Generation(generation).If(storage.Conditions{GenerationMatch: generation}), nil
}

func (s *Staging) readFault(u catalog.Upload, err error) error {
	if gone(err) {
		return fmt.Errorf("read %s: %w", u, catalog.ErrGone)
	}
	return s.explain("read", u.Object, "storage.objects.get", err)
}

// A reader reads the bytes of one generation, and verifies them at the end.
type reader struct {
	staging  *Staging
	upload   catalog.Upload
	watchdog *watchdog
	body     *storage.Reader
	attrs    *storage.ObjectAttrs
	declared catalog.Declared // of its session; zero if it came without one
	crc      hash.Hash32
	sum      hash.Hash // SHA-256, if that is declared
	size     int64     // bytes read
	err      error     // sticks
}

func (r *reader) Read(p []byte) (int, error) {
	if r.err != nil || len(p) == 0 {
		return 0, r.err
	}
	r.watchdog.feed()
	n, err := r.body.Read(p)
	r.watchdog.sleep()
	r.crc.Write(p[:n])
	if r.declared.SHA256 != "" {
		r.sum.Write(p[:n])
	}
	r.size += int64(n)
	switch {
	case errors.Is(err, io.EOF):
		r.err = r.check()
	case err != nil:
		r.err = r.staging.readFault(r.upload, r.watchdog.blame(err))
	}
	return n, r.err
}

// check returns io.EOF if size and checksum are those of the generation; otherwise an error. What is stored as it should be
// and is not what was declared is a *[catalog.Rejection].
func (r *reader) check() error {
	if r.size != r.attrs.Size || r.crc.Sum32() != r.attrs.CRC32C {
		return fmt.Errorf("read %s: got %d bytes with crc32c %08x, the store has %d with %08x: %w",
			r.upload, r.size, r.crc.Sum32(), r.attrs.Size, r.attrs.CRC32C, io.ErrUnexpectedEOF)
	}
	if got := hex.EncodeToString(r.sum.Sum(nil)); r.declared.SHA256 != "" && got != r.declared.SHA256 {
		return &catalog.Rejection{Reason: catalog.BadDigest, Detail: fmt.Sprintf(
			"the file that arrived has the SHA-256 %s, but %s was declared when its session began; push it again", got, r.declared.SHA256)}
	}
	return io.EOF
}

func (r *reader) Close() error {
	err := r.body.Close()
	r.watchdog.stop()
	return err
}

// Stat returns the current generation of a staged object, or fs.ErrNotExist.
func (s *Staging) Stat(ctx context.Context, object string) (catalog.Upload, error) {
	if !validName(object) {
		return catalog.Upload{}, fmt.Errorf("stat %.200q: no object can have this name: %w", object, fs.ErrNotExist)
	}
	w := watch(ctx, s.stall)
	defer w.stop()
	attrs, err := s.bucket.Object(object).Attrs(w)
	if err != nil {
		return catalog.Upload{}, s.explain("stat", object, "storage.objects.get", w.blame(err))
	}
	return s.upload(attrs), nil
}

func (s *Staging) upload(attrs *storage.ObjectAttrs) catalog.Upload {
	return catalog.Upload{Bucket: s.name, Object: attrs.Name, Generation: strconv.FormatInt(attrs.Generation, 10), Size: attrs.Size}
}

// List calls f for each staged object. It leaves out hidden ones, and the empty objects with a final slash that Google's
// console creates for folders. Google lists complete objects only, and all that were complete when the list began.
func (s *Staging) List(ctx context.Context, _ time.Time, f func(catalog.Upload)) error {
	// Google itself leaves out names that begin with ".": there are more verdicts than uploads.
	for _, q := range []storage.Query{{EndOffset: "."}, {StartOffset: "/"}} {
		if err := s.list(ctx, q, f); err != nil {
			return s.explain("list", "", "storage.objects.list", err)
		}
	}
	return nil
}

func (s *Staging) list(ctx context.Context, q storage.Query, f func(catalog.Upload)) error {
	q.Projection = storage.ProjectionNoACL
	if err := q.SetAttrSelection([]string{"Name", "Generation", "Size"}); err != nil {
		return err
	}
	w := watch(ctx, s.stall)
	defer w.stop()
	it := s.bucket.Objects(w, &q)
	for {
		attrs, err := it.Next()
		if errors.Is(err, iterator.Done) {
			return nil
		}
		if err != nil {
			return w.blame(err)
		}
		if !layout.Hidden(attrs.Name) && !(strings.HasSuffix(attrs.Name, "/") && attrs.Size == 0) {
			w.sleep()
			f(s.upload(attrs))
		}
		w.feed()
	}
}
