package upload

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"net/http"
	"strings"
)

// The header fields that may have the SHA-256 of a body.
const (
	checksumHeader      = "X-Checksum-Sha256" // hexadecimal
	digestHeader        = "Digest"            // RFC 3230: SHA-256=BASE64
	contentDigestHeader = "Content-Digest"    // RFC 9530: sha-256=:BASE64:
	reprDigestHeader    = "Repr-Digest"       // the same: bodies are not encoded
)

var (
	errDigestForm  = errors.New("the digest of the file cannot be read: send its SHA-256 as Content-Digest: sha-256=:BASE64:, as Digest: SHA-256=BASE64, or as X-Checksum-Sha256: 64 HEXADECIMAL DIGITS")
	errDigestsVary = errors.New("the header fields have different digests for one file: send one of X-Checksum-Sha256, Digest and Content-Digest")
)

// digestOf returns the SHA-256 that a request declares for its body; nil if it declares none. Other algorithms are left
// out.
func digestOf(h http.Header) (sum []byte, err error) {
	add := func(found []byte, ok bool) {
		switch {
		case err != nil:
		case !ok || len(found) != sha256.Size:
			err = errDigestForm
		case sum != nil && !bytes.Equal(sum, found):
			err = errDigestsVary
		default:
			sum = found
		}
	}
	for _, v := range h.Values(checksumHeader) {
		found, failed := hex.DecodeString(strings.TrimSpace(v))
		add(found, failed == nil)
	}
	for _, name := range []string{digestHeader, contentDigestHeader, reprDigestHeader} {
		for _, v := range h.Values(name) {
			for one := range strings.SplitSeq(v, ",") {
				algorithm, value, _ := strings.Cut(strings.TrimSpace(one), "=")
				if !strings.EqualFold(algorithm, "sha-256") {
					continue
				}
				if name != digestHeader { // a byte sequence of RFC 8941
					inner, begun := strings.CutPrefix(value, ":")
					inner, ended := strings.CutSuffix(inner, ":")
					if value = inner; !begun || !ended {
						value = "!"
					}
				}
				found, failed := base64.StdEncoding.Strict().DecodeString(value)
				add(found, failed == nil)
			}
		}
	}
	if err != nil {
		return nil, err
	}
	return sum, nil
}
