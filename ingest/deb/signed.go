package deb

import (
	"bytes"
	"crypto"
	_ "crypto/sha256" // what signatures are of
	_ "crypto/sha512"
	"hash"
	"io"
)

// A Signature is one whose signer counts. Verify says that it is not of what was written to a hash of its kind.
type Signature = interface {
	Hash() crypto.Hash
	Verify(h hash.Hash) error
}

// Keys are those whose signatures count. Errors are rejections.
type Keys interface {
	// Signature reads one OpenPGP signature, armoured or not.
	Signature(packet []byte) (Signature, error)

	// Unsigned rejects a package without a signature of what it says, such as "has no signature".
	Unsigned(what string) error
}

// signatureMember is the member with the signature of debsigs, which debsig-verify asks for: a detached one of the contents of
// debian-binary, control.tar and data.tar, one after the other. It may be anywhere; debsigs puts it at the end.
const signatureMember = "_gpgorigin"

// maxSignature bounds what is kept of a signature, in bytes.
const maxSignature = 64 << 10

// A signedHashes is what a signature is of, and the signature, as the package goes by.
type signedHashes struct {
	keys   Keys
	hashes map[crypto.Hash]hash.Hash // nil if no signature is asked for: it comes behind what it is of
}

// RequireSigned has the body reject a package that has no signature by one of the keys. It is called before Body.
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

// SignaturePackets returns the signature, in a form that is not judged, once the body was read.
func (p *Package) SignaturePackets() [][]byte {
	if p.body.signature == nil {
		return nil
	}
	return [][]byte{p.body.signature}
}

// Write takes what a signature is of.
func (s signedHashes) Write(b []byte) (int, error) {
	for _, h := range s.hashes {
		h.Write(b)
	}
	return len(b), nil
}

// check says what is wrong with the signature of a package that has gone by, if one was asked for.
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

// sinkOf returns what takes the content of a member: the signature, or what it is of.
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

// An signatureWriter keeps the signature, or as much of it as shows that it is none.
type signatureWriter struct{ b *body }

func (w signatureWriter) Write(p []byte) (int, error) {
	room := max(0, maxSignature+1-len(w.b.signature))
	w.b.signature = append(w.b.signature, p[:min(room, len(p))]...)
	return len(p), nil
}

// writeContent hands the next bytes of the current member, without its padding, to what takes them.
func (b *body) writeContent(p []byte) {
	p = p[:min(b.contentLeft, int64(len(p)))]
	b.contentLeft -= int64(len(p))
	if b.sink != nil {
		b.sink.Write(p) //nolint:errcheck // never fails
	}
}

// finish makes the proper end of the file a verdict on its signature.
func (b *body) finish(err error) error {
	if err != io.EOF {
		return err
	}
	if rej := b.signedHashes.check(b.signature); rej != nil {
		return rej
	}
	return io.EOF
}

// keepSignature keeps the signature of a member before control.tar.
func (h *archiveStart) keepSignature(m arMember, content []byte) {
	if m.name == signatureMember && h.signature == nil {
		h.signature = bytes.Clone(content[:min(m.size, maxSignature+1)])
	}
}
