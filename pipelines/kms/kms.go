// Package kms signs with keys that Google Cloud KMS or AWS KMS keeps: see [Open].
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
// RSA with PKCS #1 v1.5 is what every client reads; ECDSA on the curves of NIST and Ed25519 are for clients newer than EL7
// and SLES 12. A key version of Google's signs one digest, SHA-256 or SHA-512, by its algorithm; AWS is asked for
// SHA-512 with RSA. Refused are keys that decrypt or make MACs, RSA with PSS or raw padding, secp256k1, SM2 and post-quantum
// keys: no client of apt, dnf or zypper verifies what they sign.
//
// # Cost
//
// A start makes two requests for each key: one for its public key, and one signature that proves that it can sign. A
// publish asks for one signature of each key and pointer: two for a DEB release, InRelease and Release.gpg, and one for an
// RPM release of one architecture, repomd.xml.asc. What is up to date is not signed; a publish that met another one
// begins again, and signs again. "repomill key add" makes one request for the public key and one for its self-signature.
//
// Both services count signatures against quotas, and what they refuse for that is tried again here. By default AWS allows
// 1,000 signatures a second for all RSA keys of an account in a region together, and 1,000 for elliptic ones; before they
// were raised, 500 and 300. Google counts each signature and each request for a public key by project and region; its
// console shows the limits by the minute, but they hold for each second, and those of 2026 follow what a project uses. So
// 10,000 releases that are all signed again within an hour, at two signatures each, make fewer than 6 a second.
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
	url    string // as it may be shown
	public crypto.PublicKey
	hash   crypto.Hash
	limits limits
	sign   func(ctx context.Context, digest []byte) ([]byte, error)
	close  func() error
}

// limits bound how long the service may take.
type limits struct {
	attempt time.Duration // one request
	total   time.Duration // an answer, with all repetitions
	pause   time.Duration // before the first repetition; the next ones are longer
}

// usual is what a signature, which takes a KMS some milliseconds, may take on a bad day.
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

// Open opens the key of a URL and asks for its public key:
//
//	gcpkms://projects/P/locations/L/keyRings/R/cryptoKeys/K/cryptoKeyVersions/N[?endpoint=host:port][&insecure=true]
//	awskms://KEY?region=R[&endpoint=URL][&profile=NAME]
//
// KEY is a key id, a key ARN, alias/NAME or the ARN of an alias; an ARN has its region. An alias is followed once: a key
// that it is moved to later is not used. Credentials come from the usual places of each cloud.
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

// CheckURL says what is wrong with the URL of a key, or nothing. No service is asked.
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

// String returns the key's URL as it may be shown.
func (k *Key) String() string { return k.url }

// Public implements [crypto.Signer].
func (k *Key) Public() crypto.PublicKey { return k.public }

// Hash returns the one digest that the key signs. An Ed25519 key signs any message: for OpenPGP a digest, as other
// keys do.
func (k *Key) Hash() crypto.Hash { return k.hash }

// Sign implements [crypto.Signer]: PKCS #1 v1.5 for RSA, and the ASN.1 form of the pair for ECDSA. For Ed25519 the digest
// is the message, and opts is crypto.Hash(0). It gives the service half a minute. Nothing here verifies the signature.
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

// Unavailable reports whether an error passes by itself: the service was overloaded, too slow or out of reach.
func Unavailable(err error) bool {
	var u unavailable
	return errors.As(err, &u)
}

// unavailable marks an error that passes by itself.
type unavailable struct{ error }

// Unwrap returns the error that is marked.
func (u unavailable) Unwrap() error { return u.error }

// unverifiable says why a key is refused.
const unverifiable = ", whose signatures no client of apt, dnf or zypper verifies"

// advice says what to make in place of a key that is refused.
func advice(made, instead string) error {
	return fmt.Errorf("%s; make another key, %s", made, instead)
}
