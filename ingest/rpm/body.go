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
// The last Read returns a [*catalog.Rejection] instead of io.EOF if the payload is shorter than the
// headers say or does not match their digest of it; a payload that is longer is rejected where it
// exceeds its size. Any other error is a fault, wrapped.
func (p *Package) Body() io.Reader {
	if p.head == nil {
		return &body{err: errors.New("the body of this package was handed out before")}
	}
	b := &body{head: p.head, payload: p.rest, claim: p.claim, signed: p.pending}
	switch { // of a package without files rpm reads no payload
	case p.contents.n == 0:
	case p.verify:
		p.running = verify(p.compressor, p.claim.size, p.contents)
		b.whole = p.running
	default:
		b.look, b.compressor = true, p.compressor
	}
	p.contents = nil
	p.head, p.rest = nil, nil
	return b
}

// A body replays the headers and then checks the payload while it passes.
type body struct {
	head       [][]byte // not yet replayed
	payload    io.Reader
	claim      payloadClaim
	signed     []pendingSignature
	whole      *input.Verification // nil unless the payload is unpacked
	look       bool                // its first bytes are looked at
	lead       []byte              // they
	compressor string              // that the header names
	passed     int64               // bytes of payload so far
	err        error               // final
}

func (b *body) Read(p []byte) (int, error) {
	if len(b.head) > 0 {
		n := copy(p, b.head[0])
		if b.head[0] = b.head[0][n:]; len(b.head[0]) == 0 {
			b.head = slices.Delete(b.head, 0, 1) // and lets go of it
		}
		return n, nil
	}
	if b.err != nil {
		return 0, b.err
	}
	n, err := b.payload.Read(p)
	b.passed += int64(n)
	if b.claim.hash != nil {
		b.claim.hash.Write(p[:n])
	}
	for _, s := range b.signed {
		s.Write(p[:n])
	}
	if b.whole != nil {
		b.whole.Write(p[:n]) //nolint:errcheck // never fails
	}
	if b.look {
		b.lead = append(b.lead, p[:min(n, maxLook-len(b.lead))]...)
	}
	switch {
	case b.claim.size >= 0 && b.passed > b.claim.size:
		b.err = input.Reject(catalog.Malformed, "the file goes on after its payload, which has %d bytes by the headers; upload it again", b.claim.size)
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

// verdict returns io.EOF, or what is wrong with the payload that has passed.
func (b *body) verdict() error {
	switch {
	case b.passed < b.claim.size:
		return input.Reject(catalog.Truncated, "the payload ends after %d of %d bytes; upload the file again", b.passed, b.claim.size)
	case b.passed == 0:
		return input.Reject(catalog.Truncated, "the file ends where its payload should start; upload it again")
	}
	if b.claim.hash != nil {
		if got := hex.EncodeToString(b.claim.hash.Sum(nil)); got != b.claim.digest {
			return input.Reject(catalog.BadDigest, "the payload has the %s %s, not %s as the package says; the file is damaged, upload it again", b.claim.alg, got, input.Quote(b.claim.digest))
		}
	}
	for _, s := range b.signed {
		if err := s.sig.Verify(s.Hash); err != nil {
			return err
		}
	}
	if b.whole != nil {
		if err := b.whole.Result(); err != nil {
			return err
		}
	}
	if b.look {
		if err := checkLook(b.compressor, b.lead); err != nil {
			return err
		}
	}
	return io.EOF
}
