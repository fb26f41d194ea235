package cloudfront

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/rsa"
	_ "crypto/sha1" // CloudFront's default
	_ "crypto/sha256"
	"fmt"
	"net/url"
	"strings"
	"time"

	"repomill/schemas/layout"
)

// maxRequestURI is the longest request URI that is accepted, in bytes: CloudFront's limit.
const maxRequestURI = 8192

// A Refusal is the reason why a URL is not served, for the edge's log; the client gets a bare 403. It does not
// contain the path, which may have been meant for another server.
type Refusal string

func (r Refusal) Error() string { return "refused: " + string(r) }

func refuse(format string, args ...any) error { return Refusal(fmt.Sprintf(format, args...)) }

// cut shortens an untrusted value for a log.
func cut(s string) string { return s[:min(len(s), 80)] }

// A Verifier decides, as CloudFront does, whether a signed URL is valid. Its methods may be called
// concurrently.
type Verifier struct {
	origin string // scheme and host
	prefix string // of paths, ending in a slash
	keys   map[string]crypto.PublicKey
}

// NewVerifier returns a verifier of URLs below edge that were signed with one of keys, by key pair id. It
// refuses every URL if [NewSigner] refuses edge, and URLs signed with a key that CloudFront does not accept.
func NewVerifier(edge *url.URL, keys map[string]crypto.PublicKey) *Verifier {
	origin, prefix := splitEdge(edge)
	return &Verifier{origin: origin, prefix: prefix + "/", keys: keys}
}

// Verify returns the object key of a signed URL, given as in the request line: raw path, '?' and raw
// query. The error is always a [Refusal]. The Host header is not considered; the signature must be for a URL
// of this edge.
func (v *Verifier) Verify(requestURI string, now time.Time) (objectKey string, err error) {
	if len(requestURI) > maxRequestURI {
		return "", refuse("the URL has %d bytes, more than %d", len(requestURI), maxRequestURI)
	}
	rawPath, query, _ := strings.Cut(requestURI, "?")
	if objectKey, err = v.objectKey(rawPath); err != nil {
		return "", err
	}
	p, err := parseParameters(query)
	if err != nil {
		return "", err
	}
	resource := v.origin + rawPath
	policy, err := p.policy(resource)
	if err != nil {
		return "", err
	}
	if err := v.checkSignature(p, policy); err != nil {
		return "", err
	}
	if err := permits(policy, resource, now); err != nil {
		return "", err
	}
	return objectKey, nil
}

// objectKey decodes a raw path once, and refuses all but canonical object keys.
func (v *Verifier) objectKey(rawPath string) (string, error) {
	rest, ok := strings.CutPrefix(rawPath, v.prefix)
	if !ok {
		return "", refuse("the path is not below %s", v.prefix)
	}
	for i := range len(rest) {
		if c := rest[i]; !unreserved(c) && !strings.ContainsRune("/%!$&'()*+,;=:@", rune(c)) {
			return "", refuse("the path has a byte that must be percent-encoded")
		}
	}
	if strings.Contains(strings.ToLower(rest), "%2f") {
		return "", refuse("the path has an encoded slash")
	}
	key, err := url.PathUnescape(rest)
	if err != nil {
		return "", refuse("the path has a bad percent-encoding")
	}
	if ref, ok := layout.Parse(key); !ok || ref.Key != key || layout.Hidden(key) {
		return "", refuse("the path is not that of a published object")
	}
	return key, nil
}

// checkSignature returns an error unless the key that the parameters name has signed policy.
func (v *Verifier) checkSignature(p parameters, policy []byte) error {
	public, ok := v.keys[p["Key-Pair-Id"]]
	if !ok {
		return refuse("key pair id %q is unknown", cut(p["Key-Pair-Id"]))
	}
	if err := checkKey(public); err != nil {
		return refuse("key pair id %q: %v", cut(p["Key-Pair-Id"]), err)
	}
	signature, err := decode(p["Signature"])
	if err != nil {
		return refuse("the signature is not CloudFront's form of base64")
	}
	hash := crypto.SHA1
	switch name, ok := p["Hash-Algorithm"]; {
	case ok && name == "SHA256":
		hash = crypto.SHA256
	case ok && name != "SHA1":
		return refuse("hash algorithm %q is unknown", cut(name))
	}
	h := hash.New()
	h.Write(policy)
	digest := h.Sum(nil)
	switch k := public.(type) {
	case *ecdsa.PublicKey:
		ok = ecdsa.VerifyASN1(k, digest, signature)
	case *rsa.PublicKey:
		ok = rsa.VerifyPKCS1v15(k, hash, digest, signature) == nil
	default:
		ok = false
	}
	if !ok {
		return refuse("the signature is not for this URL and policy")
	}
	return nil
}
