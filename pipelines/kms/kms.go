// Package kms signs with keys in Google Cloud KMS or AWS KMS: see [Open].
//
// # Permissions
//
// On the key, and nothing wider:
//
//   - Google: cloudkms.cryptoKeyVersions.viewPublicKey and cloudkms.cryptoKeyVersions.useToSign, which
//     roles/cloudkms.signerVerifier has.
//   - AWS: kms:GetPublicKey and kms:Sign.
//
// # Keys
//
// Every client verifies RSA with PKCS #1 v1.5. ECDSA on NIST curves and Ed25519 are for clients newer than EL7 and SLES 12.
// A Google key version signs one digest, SHA-256 or SHA-512, depending on its algorithm; AWS signs SHA-512 with RSA. Open
// refuses keys for decryption or MACs, RSA with PSS or raw padding, secp256k1, SM2 and post-quantum keys: apt, dnf and zypper
// do not verify their signatures.
//
// # Cost
//
// At start there are two requests for each key: one for its public key, and one signature that proves that it can sign. A
// publish makes two signatures with each key for a DEB release (InRelease and Release.gpg), and one for an RPM release of one
// architecture (repomd.xml.asc). A release that is up to date is not signed. A publish that conflicts with another one starts
// again, and signs again. "repomill key add" requests the public key and one self-signature.
//
// Both services have quotas for signatures; a request over quota is retried. By default AWS allows 1,000 signatures a second
// for all RSA keys of an account in a region, and 1,000 for elliptic ones (earlier 500 and 300). Google counts signatures and
// requests for public keys by project and region. Its console shows limits for a minute, but they apply to each second, and
// since 2026 they depend on the usage of the project. For comparison: 10,000 releases that are all signed within an hour, at
// two signatures each, are fewer than 6 signatures a second.
package kms

import (
	"context"
	"crypto"
	"crypto/ed25519"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"repomill/schemas/layout"
)

// A Key is a private key in a KMS. Its methods may be called concurrently.
type Key struct {
	url    string // without secrets
	public crypto.PublicKey
	hash   crypto.Hash
	limits limits
	sign   func(ctx context.Context, digest []byte) ([]byte, error)
	close  func() error
}

// limits are the timeouts of requests to a service.
type limits struct {
	attempt time.Duration // of one attempt
	total   time.Duration // of all attempts of a request
	pause   time.Duration // before the first retry; later pauses are longer
}

// usual are the limits in production. A KMS signs within some milliseconds.
var usual = limits{attempt: 10 * time.Second, total: 30 * time.Second, pause: 200 * time.Millisecond}

const (
	googleScheme = "gcpkms"
	awsScheme    = "awskms"
)

// IsURL reports whether a URL is that of a key in a KMS.
func IsURL(rawURL string) bool {
	scheme, _, ok := strings.Cut(rawURL, "://")
	return ok && (scheme == googleScheme || scheme == awsScheme)
}

// Open opens the key of a URL and requests its public key:
//
//	gcpkms://projects/P/locations/L/keyRings/R/cryptoKeys/K/cryptoKeyVersions/N[?endpoint=host:port][&insecure=true]
//	awskms://KEY?region=R[&endpoint=URL][&profile=NAME]
//
// KEY is a key id, a key ARN, alias/NAME or the ARN of an alias; an ARN contains its region. An alias is resolved once, by
// Open. Credentials are the default credentials of each cloud. Transient errors are retried; if they persist, [Unavailable]
// reports true for the error.
func Open(ctx context.Context, rawURL string) (*Key, error) { return open(ctx, rawURL, usual) }

func open(ctx context.Context, rawURL string, l limits) (*Key, error) {
	ctx, cancel := context.WithTimeout(ctx, l.total)
	defer cancel()
	k := &Key{url: layout.Shown(rawURL), limits: l, close: func() error { return nil }}
	var err error
	switch scheme, _, _ := strings.Cut(rawURL, "://"); scheme {
	case googleScheme:
		err = k.openGoogle(ctx, rawURL)
	case awsScheme:
		err = k.openAWS(ctx, rawURL)
	default:
		err = fmt.Errorf("use %s or %s", googleForm, awsForm)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("signing key %s: %w", k.url, err), k.close())
	}
	return k, nil
}

// CheckURL returns an error if the URL of a key is malformed. It makes no request.
func CheckURL(rawURL string) error {
	check := func(string) error { return fmt.Errorf("use %s or %s", googleForm, awsForm) }
	switch scheme, _, _ := strings.Cut(rawURL, "://"); scheme {
	case googleScheme:
		check = func(u string) error { _, _, err := parseGoogle(u); return err }
	case awsScheme:
		check = func(u string) error { _, err := parseAWS(u); return err }
	}
	if err := check(rawURL); err != nil {
		return fmt.Errorf("signing key %s: %w", layout.Shown(rawURL), err)
	}
	return nil
}

// String returns the key's URL, without secrets.
func (k *Key) String() string { return k.url }

// Public implements [crypto.Signer].
func (k *Key) Public() crypto.PublicKey { return k.public }

// Hash returns the one digest that the key signs. An Ed25519 key signs any message, which in OpenPGP is a digest, too.
func (k *Key) Hash() crypto.Hash { return k.hash }

// Sign implements [crypto.Signer]: PKCS #1 v1.5 for RSA, and the ASN.1 form of the pair for ECDSA. For Ed25519 the digest
// is the message, and opts is crypto.Hash(0). It retries transient errors for up to half a minute, and does not verify the
// signature.
func (k *Key) Sign(_ io.Reader, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	want := k.hash
	if _, ok := k.public.(ed25519.PublicKey); ok {
		want = 0
	}
	if opts.HashFunc() != want || len(digest) != k.hash.Size() {
		return nil, fmt.Errorf("signing key %s signs digests of %v alone", k.url, k.hash)
	}
	ctx, cancel := context.WithTimeout(context.Background(), k.limits.total)
	defer cancel()
	signature, err := k.sign(ctx, digest)
	if err != nil {
		return nil, fmt.Errorf("signing key %s: %w", k.url, err)
	}
	return signature, nil
}

// Close ends the connection.
func (k *Key) Close() error { return k.close() }

// Unavailable reports whether an error is transient: the service was overloaded, too slow or unreachable.
func Unavailable(err error) bool {
	var u unavailable
	return errors.As(err, &u)
}

// unavailable marks a transient error.
type unavailable struct{ error }

// Unwrap returns the error that is marked.
func (u unavailable) Unwrap() error { return u.error }

// unverifiable is the reason for which a key is refused.
const unverifiable = ", whose signatures no client of apt, dnf or zypper verifies"

// advice returns the error for a key that is refused: its kind, and the kind to create instead.
func advice(made, instead string) error {
	return fmt.Errorf("%s; make another key, %s", made, instead)
}
