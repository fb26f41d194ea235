package deb

import (
	"bytes"
	"crypto"
	_ "crypto/sha256" // digests of signatures
	_ "crypto/sha512"
	"hash"
	"io"
)

// A Signature is a signature whose signer is trusted. Verify returns a rejection if it is not of the bytes that were
// written to h, a hash of its kind.
type Signature = interface {
	Hash() crypto.Hash
	Verify(h hash.Hash) error
}

// Keys are the keys whose signatures are accepted. Errors of their methods are rejections.
type Keys interface {
	// Signature reads one OpenPGP signature, armoured or not.
	Signature(packet []byte) (Signature, error)

	// Unsigned returns the rejection of a package that is not signed. what is its predicate, such as "has no
	// signature".
	Unsigned(what string) error
}

// signatureMember is the name of the member with the signature of debsigs, which debsig-verify checks: a detached
// signature of the contents of debian-binary, control.tar and data.tar, concatenated. It may be anywhere in the
// archive; debsigs appends it.
const signatureMember = "_gpgorigin"

// maxSignature is the longest signature that is kept, in bytes.
const maxSignature = 64 << 10

// signedHashes hash the contents that a signature covers, while the package is read.
type signedHashes struct {
	keys   Keys
	hashes map[crypto.Hash]hash.Hash // of all kinds, since the signature follows the contents; nil if no signature is required
}

// RequireSigned makes the body reject a package without a signature by one of the keys. It must be called before
// Body.
func (p *Package) RequireSigned(keys Keys) {
	s := signedHashes{keys: keys, hashes: map[crypto.Hash]hash.Hash{}}
	for _, h := range []crypto.Hash{crypto.SHA224, crypto.SHA256, crypto.SHA384, crypto.SHA512} {
		s.hashes[h] = h.New()
	}
	for _, b := range p.signedContents {
		s.Write(b)
	}
	p.body.signedHashes = s
}

// SignaturePackets returns the signature, which was not verified, once the body was read.
func (p *Package) SignaturePackets() [][]byte {
	if p.body.signature == nil {
		return nil
	}
	return [][]byte{p.body.signature}
}

// Write hashes contents that a signature covers.
func (s signedHashes) Write(b []byte) (int, error) {
	for _, h := range s.hashes {
		h.Write(b)
	}
	return len(b), nil
}

// check verifies the signature of a package that was read to its end, if one is required. signature is nil if there
// is none.
func (s signedHashes) check(signature []byte) error {
	if s.keys == nil {
		return nil
	}
	if signature == nil {
		return s.keys.Unsigned("has no signature (a member _gpgorigin, which debsigs --sign=origin makes)")
	}
	sig, err := s.keys.Signature(signature)
	if err != nil {
		return err
	}
	return sig.Verify(s.hashes[sig.Hash()])
}

// sinkOf returns the writer that the content of a member is written to.
func (b *body) sinkOf(m arMember) io.Writer {
	switch {
	case m.name == signatureMember && b.signature == nil:
		b.signature = []byte{}
		return signatureWriter{b}
	case !m.extra() && isRequiredMember(m.name) && b.signedHashes.keys != nil:
		return b.signedHashes
	}
	return io.Discard
}

// A signatureWriter keeps the signature, and of a longer one as much as shows that it is too long.
type signatureWriter struct{ b *body }

func (w signatureWriter) Write(p []byte) (int, error) {
	room := max(0, maxSignature+1-len(w.b.signature))
	w.b.signature = append(w.b.signature, p[:min(room, len(p))]...)
	return len(p), nil
}

// writeContent writes the next bytes of the current member, without its padding, to its sink.
func (b *body) writeContent(p []byte) {
	p = p[:min(b.contentLeft, int64(len(p)))]
	b.contentLeft -= int64(len(p))
	if b.sink != nil {
		b.sink.Write(p) //nolint:errcheck // never fails
	}
}

// finish replaces io.EOF by the rejection of the signature, if there is one.
func (b *body) finish(err error) error {
	if err != io.EOF {
		return err
	}
	if rej := b.signedHashes.check(b.signature); rej != nil {
		return rej
	}
	return io.EOF
}

// keepSignature keeps the signature if it is a member before control.tar.
func (h *archiveStart) keepSignature(m arMember, content []byte) {
	if m.name == signatureMember && h.signature == nil {
		h.signature = bytes.Clone(content[:min(m.size, maxSignature+1)])
	}
}
