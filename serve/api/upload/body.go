package upload

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"
	"net/http"
	"os"
	"time"
)

// received is the body of an upload as it arrives: it counts and hashes it, ends one that comes too slowly or is too
// large, and ends with io.EOF only if it has the digest that was declared.
type received struct {
	body   io.Reader
	conn   *http.ResponseController // nil if another body, of which this is a part, is timed
	limits Limits
	now    func() time.Time
	want   []byte // SHA-256; nil if none was declared

	began time.Time     // the call
	end   func() error  // called when all of it has arrived, unless nil; its error is that of the body
	n     int64         // bytes
	hash  hash.Hash     // nil if its digest is not needed
	spent time.Duration // in which the client was waited for
	err   error         // what is wrong with the body
}

// What is wrong with a body.
var (
	errTooLarge  = errors.New("the file is too large")
	errTooSlow   = errors.New("the file arrived too slowly")
	errBrokenOff = errors.New("the file broke off")
	errDigest    = errors.New("the file does not have the digest that was declared")
)

// begin prepares the body of a request.
func (b *received) begin(w http.ResponseWriter, r *http.Request, h *Handler, want []byte) {
	*b = received{began: b.began, body: r.Body, conn: http.NewResponseController(w), limits: h.Limits, now: h.Now, want: want, hash: sha256.New()}
}

// Read implements [io.Reader].
func (b *received) Read(p []byte) (int, error) {
	if b.err != nil {
		return 0, b.err
	}
	before := b.now()
	if b.conn != nil {
		b.conn.SetReadDeadline(before.Add(b.left())) //nolint:errcheck // a server without deadlines has no slow clients
	}
	n, err := b.body.Read(p)
	b.spent += b.now().Sub(before)
	b.n += int64(n)
	if b.hash != nil {
		b.hash.Write(p[:n])
	}
	switch {
	case b.n > b.limits.MaxSize:
		b.err = errTooLarge
	case errors.Is(err, io.EOF):
		b.err = b.atEnd()
	case errors.Is(err, os.ErrDeadlineExceeded):
		b.err = errTooSlow
	case err != nil:
		b.err = fmt.Errorf("%w: %w", errBrokenOff, err)
	}
	if b.err != nil {
		return 0, b.err
	}
	return n, err
}

// atEnd returns what is wrong with a body that has arrived.
func (b *received) atEnd() error {
	if b.want != nil && !bytes.Equal(b.want, b.hash.Sum(nil)) {
		return errDigest
	}
	if end := b.end; end != nil {
		b.end = nil
		return end()
	}
	return nil
}

// left returns how long the next bytes may take: a pause of Patience, and no longer than the least rate allows.
func (b *received) left() time.Duration {
	due := b.limits.Patience + time.Duration(float64(b.n)/float64(b.limits.MinRate)*float64(time.Second))
	return min(b.limits.Patience, due-b.spent)
}

// drain reads what is left of the body.
func (b *received) drain() error {
	_, err := io.Copy(io.Discard, struct{ io.Reader }{b})
	return err
}

// refusal returns the answer for what is wrong with the body; nil if nothing is.
func (b *received) refusal() *refusal {
	switch {
	case b.err == nil:
		return nil
	case errors.Is(b.err, errTooLarge):
		return tooLarge(b.limits.MaxSize)
	case errors.Is(b.err, errTooSlow):
		return &refusal{status: http.StatusRequestTimeout, message: fmt.Sprintf("the file arrived too slowly: %d bytes in %s, and at least %d a second are needed; nothing of it was kept", b.n, b.spent.Round(time.Second), b.limits.MinRate)}
	case errors.Is(b.err, errDigest):
		return refuse("digest", "the file that arrived has the SHA-256 %x, but %x was declared; nothing of it was kept: send it again", b.hash.Sum(nil), b.want)
	default:
		return &refusal{status: http.StatusBadRequest, message: fmt.Sprintf("the file broke off after %d bytes; nothing of it was kept: send it again", b.n)}
	}
}
