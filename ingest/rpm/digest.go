package rpm

import (
	"crypto"
	_ "crypto/md5"  // packages before rpm 4.14 have no other digest of their payload
	_ "crypto/sha1" // nor of their header
	_ "crypto/sha256"
	_ "crypto/sha512"
	"encoding/hex"
	"hash"

	"repomill/ingest/input"
	"repomill/schemas/catalog"
)

// checkDigests compares the main header with its digests in the signature header. rpm refuses to install a package
// with another.
func checkDigests(signature, main *headerIndex) error {
	for _, d := range []struct {
		tag uint32
		alg crypto.Hash
	}{{sigSHA256, crypto.SHA256}, {sigSHA1, crypto.SHA1}} {
		want := signature.text(d.tag)
		if want == "" {
			continue
		}
		h := d.alg.New()
		h.Write(main.raw)
		if got := hex.EncodeToString(h.Sum(nil)); got != want {
			return input.Reject(catalog.BadDigest, "the main header has the %s %s, not %s as the package says; the file is damaged, upload it again", d.alg, got, input.Quote(want))
		}
	}
	return nil
}

// checkDigestsPresent checks that there are digests of the main header and of the payload: rpm requires them since
// 4.14 ("no digest"), and so does dnf. A digest of the unpacked payload does not count: rpm compares it with the
// packed one.
func checkDigestsPresent(signature, main *headerIndex) error {
	_, all := signature.entries[sigMD5] // it covers header and payload
	header := all || signature.text(sigSHA256) != "" || signature.text(sigSHA1) != "" || signature.text(sigSHA3) != ""
	payload := main.text(tagPayloadDigest) != ""
	const build = "build it again with rpm 4.14 or later"
	switch {
	case !payload && main.text(tagUnpackedHash) != "":
		return input.Reject(catalog.BadDigest, "the package has a digest of its unpacked payload (tag %d) and none of the packed one (tag %d), so that rpm refuses it; %s", tagUnpackedHash, tagPayloadDigest, build)
	case !header:
		return input.Reject(catalog.BadDigest, "the package has no digest of its main header, so that rpm and dnf refuse to install it (no digest); %s", build)
	case !payload && !all:
		return input.Reject(catalog.BadDigest, "the package has no digest of its payload, so that rpm and dnf refuse to install it (no digest); %s", build)
	}
	return nil
}

// hasStrongDigests reports whether digests other than MD5 and SHA-1 cover both the main header and the payload.
func hasStrongDigests(signature, main *headerIndex) bool {
	number, ok := main.number(tagPayloadAlgo)
	if !ok {
		number = algorithmSHA256
	}
	alg := digestAlgorithms[number]
	header := signature.text(sigSHA256) != "" || signature.text(sigSHA3) != ""
	return header && main.text(tagPayloadDigest) != "" && alg != crypto.MD5 && alg != crypto.SHA1
}

// An expectedPayload is what the headers say about the bytes of the payload.
type expectedPayload struct {
	size   int64     // bytes; -1 if they do not say it
	hash   hash.Hash // nil if there is no digest; has the main header written to it, if the digest covers that
	digest string    // lower-case hexadecimal
	alg    crypto.Hash
}

// digestAlgorithms are the digests that rpm knows, by the number of OpenPGP (RFC 9580, section 9.5).
var digestAlgorithms = map[uint64]crypto.Hash{
	1: crypto.MD5, 2: crypto.SHA1, 8: crypto.SHA256, 9: crypto.SHA384, 10: crypto.SHA512, 11: crypto.SHA224,
}

const (
	algorithmMD5    = 1
	algorithmSHA256 = 8
)

// expectedPayloadOf reads the size of the payload from the signature header, whose sizes include the main header, or
// from a v6 main header. It reads the digest from the main header or, of rpm before 4.14, the MD5 of the signature
// header.
func expectedPayloadOf(signature, main *headerIndex) (expectedPayload, error) {
	c := expectedPayload{size: -1}
	size, ok := signature.number(sigLongSize)
	if !ok {
		size, ok = signature.number(sigSize)
	}
	switch plain, v6 := main.number(tagPayloadSize); {
	case ok && size < uint64(len(main.raw)):
		return c, input.Reject(catalog.Malformed, "the signature header says that main header and payload have %d bytes, but the main header alone has %d", size, len(main.raw))
	case ok:
		size -= uint64(len(main.raw))
	case v6:
		size, ok = plain, true
	}
	const mostBytes = 1 << 50 // larger than any package, and than an object in any store
	if ok && size > mostBytes {
		return c, input.Reject(catalog.TooLarge, "the package says that its payload has %d bytes", size)
	}
	if ok {
		c.size = int64(size)
	}
	c.readDigest(signature, main)
	return c, nil
}

func (c *expectedPayload) readDigest(signature, main *headerIndex) {
	number, ok := main.number(tagPayloadAlgo)
	if !ok {
		number = algorithmSHA256
	}
	alg, known := digestAlgorithms[number]
	if want := main.text(tagPayloadDigest); want != "" && known {
		c.alg, c.hash, c.digest = alg, alg.New(), want
		return
	}
	if e, ok := signature.entries[sigMD5]; ok {
		c.alg, c.hash, c.digest = crypto.MD5, crypto.MD5.New(), hex.EncodeToString(signature.data[e.offset:e.end])
		c.hash.Write(main.raw)
	}
}
