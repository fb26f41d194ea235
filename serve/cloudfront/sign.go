package cloudfront

import (
	"crypto"
	"crypto/ecdsa"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"net/url"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/feature/cloudfront/sign"
)

// Expiry goes by buckets, so that one object has one URL for a while: a URL made at any moment of a
// bucket lives until the bucket's end and then as long again as lifetime.
const (
	bucketSeconds   = 5 * 60
	lifetimeSeconds = 60 * 60
	maxDraws        = 300 // four or five are usual; 300 in vain is one chance in 10^31
)

// A Signer makes canned-policy URLs of objects. Its methods may be called concurrently.
//
// It needs no state to agree with other replicas: with the same key, two signers give one object
// the same URL for the length of a bucket, since ECDSA is used in its deterministic form (RFC 6979).
type Signer struct {
	base   string // without a slash at the end
	sdk    *sign.URLSigner
	redraw bool // draw signatures until one has no '~'
	cache  cache
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
	if keyPairID == "" || strings.ContainsFunc(keyPairID, func(r rune) bool { return r >= 0x80 || !unreserved(byte(r)) }) {
		return nil, fmt.Errorf("key pair id %q: want the id that CloudFront gave the public key, such as K2JCJMDEHXQW5F", keyPairID)
	}
	if key == nil {
		return nil, errors.New("the signing key is missing")
	}
	if err := checkKey(key.Public()); err != nil {
		return nil, err
	}
	origin, prefix := splitEdge(edge)
	_, redraw := key.Public().(*ecdsa.PublicKey)
	if k, ok := key.(*ecdsa.PrivateKey); ok {
		key = deterministic{k}
	}
	return &Signer{base: origin + prefix, sdk: sign.NewURLSigner(keyPairID, key), redraw: redraw}, nil
}

// Sign returns the URL of an object, good for at least an hour from now and for five minutes more
// at most (and some seconds for redrawn signatures).
func (s *Signer) Sign(objectKey string, now time.Time) (location string, err error) {
	end := bucketEnd(objectKey, now.Unix())
	if location, ok := s.cache.get(objectKey, end); ok {
		return location, nil
	}
	if location, err = s.draw(objectKey, end+lifetimeSeconds); err != nil {
		return "", fmt.Errorf("sign %q: %w", objectKey, err)
	}
	s.cache.put(objectKey, end, location)
	return location, nil
}

func (s *Signer) draw(objectKey string, expires int64) (string, error) {
	resource := s.base + "/" + Escape(objectKey)
	for i := range int64(maxDraws) {
		signed, err := s.sdk.Sign(resource, time.Unix(expires+i, 0))
		if err != nil {
			return "", err
		}
		if !s.redraw || !strings.Contains(signed[len(resource):], "~") {
			return signed, nil
		}
	}
	return "", fmt.Errorf("%d signatures in a row have a '~'", maxDraws)
}

// bucketEnd returns when the bucket of an object ends, in seconds since 1970. The buckets of
// different objects are offset, so that not all URLs change at once.
func bucketEnd(objectKey string, now int64) int64 {
	offset := int64(crc32.ChecksumIEEE([]byte(objectKey))) % bucketSeconds
	return now - (now-offset)%bucketSeconds + bucketSeconds
}

// deterministic is an ECDSA key whose signatures are a function of the digest: crypto/ecdsa follows
// RFC 6979 if it is given no randomness, but the SDK always gives some.
type deterministic struct{ *ecdsa.PrivateKey }

func (d deterministic) Sign(_ io.Reader, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	return d.PrivateKey.Sign(nil, digest, opts)
}
