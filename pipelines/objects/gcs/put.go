package gcs

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"net/http"

	"cloud.google.com/go/storage"

	"repomill/schemas/catalog"
	"repomill/schemas/layout"
)

// Put stores a file under a name, replaces an existing one, and makes it visible when it is complete. It sends the
// CRC32C of the file, and Google refuses a file with another one. If body can be read twice, the checksum is computed
// before the first byte is sent, so that a file that changes in between is refused, too. Lost requests are retried. If
// a file was stored and the answer was lost, the retry may store a second generation of the same bytes; Put returns
// that one.
func (s *Staging) Put(ctx context.Context, object string, body io.Reader, by catalog.Pusher) (catalog.Upload, error) {
	return s.put(ctx, object, body, by, s.bucket.Object(object))
}

// Create is [Staging.Put] under a name that must be free. If it is not, the error is fs.ErrExist, with or without having
// read body.
func (s *Staging) Create(ctx context.Context, object string, body io.Reader, by catalog.Pusher) (catalog.Upload, error) {
	u, err := s.put(ctx, object, body, by, s.bucket.Object(object).If(storage.Conditions{DoesNotExist: true}))
	if hasCode(err, http.StatusPreconditionFailed) {
		return catalog.Upload{}, fmt.Errorf("stage %s: %w", object, fs.ErrExist)
	}
	return u, err
}

// put stores a file. Preconditions on its name are those of o.
func (s *Staging) put(ctx context.Context, object string, body io.Reader, by catalog.Pusher, o *storage.ObjectHandle) (catalog.Upload, error) {
	if !validName(object) {
		return catalog.Upload{}, fmt.Errorf("stage %.200q: no object can have this name: %w", object, fs.ErrInvalid)
	}
	sum, known, err := checksum(body)
	if err != nil {
		return catalog.Upload{}, fmt.Errorf("stage %s: %w", object, err)
	}
	w := watch(ctx, s.stall)
	defer w.stop()
	to := o.Retryer(storage.WithPolicy(storage.RetryAlways)).NewWriter(w)
	to.ChunkSize = s.chunk
	to.ContentType = layout.ObjectOf(object).ContentType
	to.Metadata = metadataOf(by)
	to.Metadata[writeKey] = rand.Text()
	to.CRC32C, to.SendCRC32C = sum, known
	to.ProgressFunc = func(int64) { w.feed() }

	sent := crc32.New(castagnoli)
	from := &fed{r: body, w: w}
	size, err := io.Copy(to, io.TeeReader(from, sent))
	if err != nil {
		w.cancel(err) // nothing becomes visible, because the upload was not completed
		to.Close()    //nolint:errcheck // it says that it was cancelled
		if from.err != nil {
			return catalog.Upload{}, fmt.Errorf("stage %s: %w", object, from.err)
		}
		return catalog.Upload{}, s.explain("stage", object, createOrReplace, w.blame(err))
	}
	stored, err := finish(w, s.bucket.Object(object), to)
	if err != nil {
		return catalog.Upload{}, s.explain("stage", object, createOrReplace, w.blame(err))
	}
	return s.compare(ctx, stored, size, sent.Sum32())
}

// compare compares the stored object with the bytes that were sent, and removes it if they differ.
func (s *Staging) compare(ctx context.Context, stored *storage.ObjectAttrs, size int64, sum uint32) (catalog.Upload, error) {
	u := s.upload(stored)
	if stored.CRC32C == sum && stored.Size == size {
		return u, nil
	}
	err := fmt.Errorf("stage %s: the store has %d bytes with crc32c %08x, but %d with %08x were sent; push it again", u, u.Size, stored.CRC32C, size, sum)
	if failed := s.Delete(ctx, u); failed != nil {
		err = fmt.Errorf("%w; it could not be removed either: %w", err, failed)
	}
	return catalog.Upload{}, err
}

const createOrReplace = "storage.objects.create (and, if the name is taken, storage.objects.delete)"

// writeKey is the metadata key by which a write recognizes its own object after a lost answer.
const writeKey = "repomill-write"

// finish completes a write and returns the stored object. If the answer is an error, but the object in the bucket has
// the name of this write, the write has succeeded: the answer was to a retry of the same request.
func finish(ctx context.Context, o *storage.ObjectHandle, to *storage.Writer) (*storage.ObjectAttrs, error) {
	err := to.Close()
	if err == nil {
		return to.Attrs(), nil
	}
	if found, failed := o.Attrs(ctx); failed == nil && found.Metadata[writeKey] == to.Metadata[writeKey] {
		return found, nil
	}
	return nil, err
}

// checksum returns the CRC32C of the rest of body, if body can be read twice.
func checksum(body io.Reader) (sum uint32, known bool, err error) {
	seeker, ok := body.(io.Seeker)
	if !ok {
		return 0, false, nil
	}
	start, err := seeker.Seek(0, io.SeekCurrent)
	if err != nil {
		return 0, false, nil //nolint:nilerr // a pipe, perhaps
	}
	h := crc32.New(castagnoli)
	if _, err := io.Copy(h, body); err != nil {
		return 0, false, err
	}
	_, err = seeker.Seek(start, io.SeekStart)
	return h.Sum32(), true, err
}

// A fed reader feeds a watchdog with each Read, and suspends it while the underlying reader is read.
type fed struct {
	r   io.Reader
	w   *watchdog
	err error // of r, other than io.EOF
}

func (f *fed) Read(p []byte) (int, error) {
	f.w.sleep()
	defer f.w.feed()
	if err := f.w.Err(); err != nil {
		return 0, err
	}
	n, err := f.r.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		f.err = err
	}
	return n, err
}

// Delete removes exactly this generation. If it is already gone, that is success.
func (s *Staging) Delete(ctx context.Context, u catalog.Upload) error {
	object, err := s.generation(u)
	if errors.Is(err, catalog.ErrGone) {
		return nil
	}
	if err != nil {
		return err
	}
	w := watch(ctx, s.stall)
	defer w.stop()
	if err := w.blame(object.Delete(w)); err != nil && !gone(err) {
		return s.explain("delete", u.Object, "storage.objects.delete", err)
	}
	return nil
}
