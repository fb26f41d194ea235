package cloudfront

import (
	"crypto"
	"crypto/ecdsa"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"net/url"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/feature/cloudfront/sign"
	"golang.org/x/sync/singleflight"
)

// Time is cut into buckets, so that a signature can be reused: one made within a bucket is valid until the
// bucket ends and for its lifetime after that.
const (
	bucketSeconds   = 5 * 60
	lifetimeBelow   = 60 * 60 // seconds, of a wildcard policy
	lifetimeObject  = 10 * 60 // seconds, of a canned policy
	maxAttempts     = 300     // of one signature: four or five are usual; 300 fail with a chance of one in 10^31
	maxKeyPairIDLen = 128
)

// A Signer signs URLs of objects. Its methods may be called concurrently; callers that need the same
// signature at once share one.
//
// Replicas need no shared state: two signers with the same key give an object the same URL within a bucket,
// because ECDSA is used in its deterministic form (RFC 6979).
type Signer struct {
	base     string // without a slash at the end
	sdk      *sign.URLSigner
	noTilde  bool  // sign again until the signature has no '~'
	objects  cache // locations, by object key
	below    cache // queries, by prefix
	inFlight singleflight.Group
	made     atomic.Int64
}

// NewSigner returns a signer of URLs below edge: scheme, host and optionally a path prefix. Key
// must be ECDSA P-256 or, for old key groups, RSA-2048, and CloudFront must know its public half
// as keyPairID.
//
// APT before 2.1.15 re-quotes each '~' in a query, so ECDSA signatures have none: the expiry moves
// on by a second until the signature is without. An RSA signature would need some 200 draws of a
// millisecond, so RSA URLs do have '~'; prefer P-256.
func NewSigner(edge *url.URL, keyPairID string, key crypto.Signer) (*Signer, error) {
	if err := checkEdge(edge); err != nil {
		return nil, err
	}
	if keyPairID == "" || len(keyPairID) > maxKeyPairIDLen || strings.ContainsFunc(keyPairID, func(r rune) bool { return r >= 0x80 || !unreserved(byte(r)) }) {
		return nil, fmt.Errorf("key pair id %.80q: want the id that CloudFront gave the public key, such as K2JCJMDEHXQW5F", keyPairID)
	}
	if key == nil {
		return nil, errors.New("the signing key is missing")
	}
	if err := checkKey(key.Public()); err != nil {
		return nil, err
	}
	origin, prefix := splitEdge(edge)
	_, noTilde := key.Public().(*ecdsa.PublicKey)
	if k, ok := key.(*ecdsa.PrivateKey); ok {
		key = deterministic{k}
	}
	return &Signer{base: origin + prefix, sdk: sign.NewURLSigner(keyPairID, key), noTilde: noTilde}, nil
}

// Sign returns a URL with a canned policy: it opens this object alone, for at least ten minutes from
// now and for five minutes more at most (and some seconds for redrawn signatures).
func (s *Signer) Sign(objectKey string, now time.Time) (location string, err error) {
	end := bucketEnd(objectKey, now.Unix())
	if location, ok := s.objects.get(objectKey, end); ok {
		return location, nil
	}
	return s.once(&s.objects, objectKey, end, func() (string, error) {
		resource := s.base + "/" + Escape(objectKey)
		query, err := s.sign(resource, end+lifetimeObject, s.sdk.Sign)
		return resource + query, err
	})
}

// SignBelow returns a URL of an object with a wildcard policy. It opens every object below prefix, for at
// least an hour from now and for five minutes more at most. prefix has no slash at its end. There is one
// signature per prefix and bucket. Use it for public repositories only.
func (s *Signer) SignBelow(prefix, objectKey string, now time.Time) (location string, err error) {
	if rest, ok := strings.CutPrefix(objectKey, prefix); !ok || prefix == "" || !strings.HasPrefix(rest, "/") {
		return "", fmt.Errorf("sign %q: it is not below %q", objectKey, prefix)
	}
	end := bucketEnd(prefix, now.Unix())
	query, ok := s.below.get(prefix, end)
	if !ok {
		folder := s.base + "/" + Escape(prefix) + "/"
		query, err = s.once(&s.below, prefix, end, func() (string, error) { return s.sign(folder, end+lifetimeBelow, s.wildcard) })
	}
	if err != nil {
		return "", err
	}
	return s.base + "/" + Escape(objectKey) + query, nil
}

// wildcard signs a policy for every object below a folder. folder ends in a slash: without it, "acme/a*"
// would open "acme/ab" too.
func (s *Signer) wildcard(folder string, expires time.Time) (signed string, err error) {
	return s.sdk.SignWithPolicy(folder, &sign.Policy{Statements: []sign.Statement{{
		Resource:  folder + "*",
		Condition: sign.Condition{DateLessThan: sign.NewAWSEpochTime(expires)},
	}}})
}

// Signatures returns the number of signatures made so far, including those discarded for a '~'.
func (s *Signer) Signatures() int64 { return s.made.Load() }

// once signs a text that the cache lacks, and stores it. Concurrent calls for the same name and end share one
// signature.
func (s *Signer) once(c *cache, name string, end int64, signed func() (string, error)) (string, error) {
	v, err, _ := s.inFlight.Do(strconv.FormatInt(end, 10)+" "+name, func() (any, error) {
		if text, ok := c.get(name, end); ok { // an earlier call has ended since the caller looked
			return text, nil
		}
		text, err := signed()
		if err != nil {
			return "", fmt.Errorf("sign %q: %w", name, err)
		}
		c.put(name, end, text)
		return text, nil
	})
	if err != nil {
		return "", err
	}
	return v.(string), nil
}

// draw signs a URL until its query is fit for every client, at expires or some seconds later, and
// returns the query from its '?' on.
func (s *Signer) sign(url string, expires int64, signURL func(url string, expires time.Time) (signed string, err error)) (query string, err error) {
	for i := range int64(maxAttempts) {
		s.made.Add(1)
		signed, err := signURL(url, time.Unix(expires+i, 0))
		if err != nil {
			return "", err
		}
		if query = signed[len(url):]; !s.noTilde || !strings.Contains(query, "~") {
			return query, nil
		}
	}
	return "", fmt.Errorf("%d signatures in a row have a '~'", maxAttempts)
}

// bucketEnd returns when the expiry bucket of a name at now ends, both in seconds since 1970. Buckets of
// different names are offset, so that URLs do not all change at once.
func bucketEnd(name string, now int64) int64 {
	offset := int64(crc32.ChecksumIEEE([]byte(name))) % bucketSeconds
	return now - (now-offset)%bucketSeconds + bucketSeconds
}

// deterministic is an ECDSA key whose signatures are a function of the digest. crypto/ecdsa follows RFC 6979
// if its random source is nil, but the SDK always passes one.
type deterministic struct{ *ecdsa.PrivateKey }

func (d deterministic) Sign(_ io.Reader, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	return d.PrivateKey.Sign(nil, digest, opts)
}
