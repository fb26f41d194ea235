// Package cloudfront signs CloudFront URLs, and verifies them as CloudFront does, for the embedded edge and
// for tests. The format is that of "Use signed URLs" in the CloudFront developer guide.
//
// A signed URL carries a policy (a URL and an expiry) and its signature. A canned policy is not sent: both
// sides build it, byte for byte, from the URL and its Expires parameter. It opens one object of a private
// repository. A custom policy is sent and may have wildcards. One opens all of a public repository.
package cloudfront

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rsa"
	"fmt"
	"net/url"
	"path"
	"strings"
)

// Escape percent-encodes an object key as the path of a URL: unreserved characters (RFC 3986,
// section 2.3) and '/' stay, every other byte becomes %XX in upper case. '+' is encoded, because S3
// reads a literal one as a blank; '~' is unreserved and stays.
func Escape(objectKey string) string {
	const hex = "0123456789ABCDEF"
	if !strings.ContainsFunc(objectKey, func(r rune) bool { return r >= 0x80 || !unreserved(byte(r)) && r != '/' }) {
		return objectKey // most keys need no encoding
	}
	var b strings.Builder
	b.Grow(len(objectKey) + 12)
	for i := range len(objectKey) {
		if c := objectKey[i]; unreserved(c) || c == '/' {
			b.WriteByte(c)
		} else {
			b.WriteByte('%')
			b.WriteByte(hex[c>>4])
			b.WriteByte(hex[c&15])
		}
	}
	return b.String()
}

func unreserved(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' ||
		c == '-' || c == '.' || c == '_' || c == '~'
}

// splitEdge returns the canonical URL of an edge in two parts, without a slash at the end: the origin, such
// as "https://d111.cloudfront.net", and the path prefix, such as "" or "/packages".
func splitEdge(edge *url.URL) (origin, prefix string) {
	return strings.ToLower(edge.Scheme + "://" + edge.Host), strings.TrimRight(edge.EscapedPath(), "/")
}

// checkEdge returns an error if URLs below edge cannot be signed.
func checkEdge(edge *url.URL) error {
	origin, prefix := splitEdge(edge)
	plain := func(r rune) bool { return r < 0x80 && unreserved(byte(r)) || strings.ContainsRune("/:[]", r) }
	switch {
	case edge.Scheme != "http" && edge.Scheme != "https" || edge.Host == "" || edge.Opaque != "":
		return fmt.Errorf("edge URL %q: want http or https and a host", edge)
	case edge.User != nil || edge.RawQuery != "" || edge.ForceQuery || edge.Fragment != "":
		return fmt.Errorf("edge URL %q: want no user, query or fragment", edge.Redacted())
	case strings.ContainsFunc(origin+prefix, func(r rune) bool { return !plain(r) }):
		return fmt.Errorf("edge URL %q: use letters, digits and '-', '.', '_', '~' only", edge)
	case prefix != "" && path.Clean(prefix) != prefix:
		return fmt.Errorf("edge URL %q: the path is not canonical", edge)
	}
	return nil
}

// checkKey returns an error if CloudFront does not accept a public key. A key group holds RSA-2048 and
// ECDSA P-256 keys only.
func checkKey(public crypto.PublicKey) error {
	switch k := public.(type) {
	case *ecdsa.PublicKey:
		if k.Curve == elliptic.P256() {
			return nil
		}
		return fmt.Errorf("ECDSA key on curve %s: CloudFront takes P-256 only", k.Params().Name)
	case *rsa.PublicKey:
		if k.N.BitLen() == 2048 {
			return nil
		}
		return fmt.Errorf("RSA key of %d bits: CloudFront takes 2048 only; better make an ECDSA P-256 key", k.N.BitLen())
	default:
		return fmt.Errorf("key is a %T: CloudFront takes ECDSA P-256 and RSA-2048 only", public)
	}
}
