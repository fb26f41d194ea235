package rpm

import (
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"slices"

	"repomill/ingest/input"
	"repomill/schemas/catalog"
)

// Body returns the whole file from its first byte. It may be called once.
//
// The last Read returns a [*catalog.Rejection] instead of io.EOF if the payload is shorter than the headers say, or
// does not match their digest, or if a check that was asked for fails. A payload that is too long is rejected where
// it exceeds its size. Any other error is a fault of the reader below, wrapped.
func (p *Package) Body() io.Reader {
	if p.prefixes == nil {
		return &body{err: errors.New("the body of this package was handed out before")}
	}
	b := &body{prefixes: p.prefixes, payload: p.rest, want: p.want, signatures: p.pending}
	switch { // rpm does not read the payload of a package without files
	case p.contents.n == 0:
	case p.verify:
		p.verification = verify(p.compressor, p.want.size, p.contents)
		b.verification = p.verification
	default:
		b.checkStart, b.compressor = true, p.compressor
	}
	p.contents = nil
	p.prefixes, p.rest = nil, nil
	return b
}

// VerifyWhole makes Body unpack the payload, and reject one that rpm cannot unpack or that differs from the header.
// It must be called before Body.
func (p *Package) VerifyWhole() { p.verify = true }

// Close ends the verification of a body that is not read to its end. It must be called for every Package, and may be
// called while another goroutine reads Body.
func (p *Package) Close() error {
	if p.verification != nil {
		p.verification.Close()
	}
	return nil
}

// A body returns the bytes of the headers, and then those of the payload, which it checks.
type body struct {
	prefixes     [][]byte // bytes that Read has not returned yet
	payload      io.Reader
	want         expectedPayload
	signatures   []pendingSignature
	verification *input.Verification // nil unless the payload is unpacked
	checkStart   bool                // keep start, and check it
	start        []byte              // the first bytes of the payload
	compressor   string              // the value of PAYLOADCOMPRESSOR
	passed       int64               // bytes of the payload that were read
	err          error               // returned by all later reads
}

func (b *body) Read(p []byte) (int, error) {
	if len(b.prefixes) > 0 {
		n := copy(p, b.prefixes[0])
		if b.prefixes[0] = b.prefixes[0][n:]; len(b.prefixes[0]) == 0 {
			b.prefixes = slices.Delete(b.prefixes, 0, 1) // so that its memory is freed
		}
		return n, nil
	}
	if b.err != nil {
		return 0, b.err
	}
	n, err := b.payload.Read(p)
	b.passed += int64(n)
	if b.want.hash != nil {
		b.want.hash.Write(p[:n])
	}
	for _, s := range b.signatures {
		s.Write(p[:n])
	}
	if b.verification != nil {
		b.verification.Write(p[:n]) //nolint:errcheck // never fails
	}
	if b.checkStart {
		b.start = append(b.start, p[:min(n, maxStart-len(b.start))]...)
	}
	switch {
	case b.want.size >= 0 && b.passed > b.want.size:
		b.err = input.Reject(catalog.Malformed, "the file goes on after its payload, which has %d bytes by the headers; upload it again", b.want.size)
		return 0, b.err
	case err == io.EOF:
		b.err = b.verdict()
	case err != nil:
		b.err = fmt.Errorf("read package: %w", err)
	}
	if n > 0 {
		return n, nil
	}
	return 0, b.err
}

// verdict returns io.EOF, or what is wrong with the payload, after all of it was read.
func (b *body) verdict() error {
	switch {
	case b.passed < b.want.size:
		return input.Reject(catalog.Truncated, "the payload ends after %d of %d bytes; upload the file again", b.passed, b.want.size)
	case b.passed == 0:
		return input.Reject(catalog.Truncated, "the file ends where its payload should start; upload it again")
	}
	if b.want.hash != nil {
		if got := hex.EncodeToString(b.want.hash.Sum(nil)); got != b.want.digest {
			return input.Reject(catalog.BadDigest, "the payload has the %s %s, not %s as the package says; the file is damaged, upload it again", b.want.alg, got, input.Quote(b.want.digest))
		}
	}
	for _, s := range b.signatures {
		if err := s.sig.Verify(s.Hash); err != nil {
			return err
		}
	}
	if b.verification != nil {
		if err := b.verification.Result(); err != nil {
			return err
		}
	}
	if b.checkStart {
		if err := checkPayloadStart(b.compressor, b.start); err != nil {
			return err
		}
	}
	return io.EOF
}
