package sign

import (
	"crypto"
	"errors"
	"fmt"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp/packet"
	openpgp "github.com/ProtonMail/go-crypto/openpgp/v2"
)

// A certKey is one key of a certificate, with the properties in its self-signatures.
type certKey struct {
	*packet.PublicKey
	certificate string    // fingerprint of its primary key
	signs       bool      // its flags, or the lack of them, allow signing
	expires     time.Time // zero: never
	refused     error     // why clients refuse it; nil if they do not
}

// keysOf returns the primary key of e and then its subkeys, in order. It verifies every self-signature, so that
// later uses need not, and the result can be shared between goroutines.
func keysOf(e *openpgp.Entity) []certKey {
	keys := []certKey{primaryKey(e)}
	keys[0].certificate = fingerprint(e.PrimaryKey)
	for i := range e.Subkeys {
		k := subkey(&e.Subkeys[i])
		k.certificate = keys[0].certificate
		k.expires = earlier(k.expires, keys[0].expires)
		if k.refused == nil {
			k.refused = keys[0].refused
		}
		keys = append(keys, k)
	}
	return keys
}

func primaryKey(e *openpgp.Entity) certKey {
	k := certKey{PublicKey: e.PrimaryKey}
	always := time.Time{} // ask without regard to time
	self, err := e.PrimarySelfSignature(always, config)
	if err != nil {
		k.refused = errors.New("it has no valid self-signature")
		return k
	}
	k.signs = !self.FlagsValid || self.FlagSign
	k.expires = expiry(e.PrimaryKey, self)
	if direct, err := e.LatestValidDirectSignature(always, config); err == nil {
		k.expires = earlier(k.expires, expiry(e.PrimaryKey, direct))
	}
	if e.Revoked(endOfTime) {
		k.refused = errors.New("it is revoked, and clients refuse it: use another key")
	} else {
		k.refused = errors.Join(weakKey(e.PrimaryKey), weakHash(self))
	}
	return k
}

func subkey(s *openpgp.Subkey) certKey {
	k := certKey{PublicKey: s.PublicKey}
	binding, err := s.LatestValidBindingSignature(time.Time{}, config)
	if err != nil {
		k.refused = fmt.Errorf("its subkey %s has no valid binding signature", fingerprint(s.PublicKey))
		return k
	}
	k.signs = s.PublicKey.CanSign() && binding.FlagsValid && binding.FlagSign
	k.expires = expiry(s.PublicKey, binding)
	switch {
	case !k.signs: // not used
	case s.Revoked(binding, endOfTime):
		k.refused = fmt.Errorf("its subkey %s is revoked", fingerprint(s.PublicKey))
	default:
		k.refused = errors.Join(weakKey(s.PublicKey), weakHash(binding), weakHash(binding.EmbeddedSignature))
	}
	return k
}

// endOfTime is after every revocation: a key that was ever revoked counts as revoked.
var endOfTime = time.Unix(1<<40, 0)

// weakKey returns an error if clients refuse keys of this algorithm or size.
func weakKey(k *packet.PublicKey) error {
	if k.Version != 4 {
		return fmt.Errorf("it is an OpenPGP key of version %d; gpgv and rpm read version 4", k.Version)
	}
	switch k.PubKeyAlgo {
	case packet.PubKeyAlgoRSA, packet.PubKeyAlgoRSASignOnly:
		if bits, err := k.BitLength(); err != nil || bits < MinRSABits {
			return fmt.Errorf("it is RSA with %d bits; clients need %d, and 4096 are advised", bits, MinRSABits)
		}
		return nil
	case packet.PubKeyAlgoEdDSA, packet.PubKeyAlgoECDSA:
		switch curve, _ := k.Curve(); curve {
		case packet.Curve25519, packet.CurveNistP256, packet.CurveNistP384, packet.CurveNistP521:
			return nil
		default:
			return fmt.Errorf("its curve %s is not accepted by all clients; use RSA with 4096 bits or Ed25519", curve)
		}
	}
	return fmt.Errorf("its algorithm (number %d) is weak or unknown to clients; use RSA with 4096 bits or Ed25519", k.PubKeyAlgo)
}

// weakHash returns an error if clients refuse the digest of a self-signature.
func weakHash(sig *packet.Signature) error {
	if sig == nil || strongHash(sig.Hash) {
		return nil
	}
	return fmt.Errorf("its self-signature uses %v, which clients refuse (apt SHA-1 since 2026-02-01); make it again with SHA-512 (gpg --cert-digest-algo SHA512)", sig.Hash)
}

func strongHash(h crypto.Hash) bool {
	return h == crypto.SHA256 || h == crypto.SHA384 || h == crypto.SHA512
}

// expiry returns when a key expires by self-signature sig, or the zero time if it does not.
func expiry(k *packet.PublicKey, sig *packet.Signature) time.Time {
	var key, self time.Time
	if s := sig.KeyLifetimeSecs; s != nil && *s != 0 {
		key = k.CreationTime.Add(time.Duration(*s) * time.Second)
	}
	if s := sig.SigLifetimeSecs; s != nil && *s != 0 {
		self = sig.CreationTime.Add(time.Duration(*s) * time.Second)
	}
	return earlier(key, self)
}

// earlier returns the earlier of two times, of which zero means never.
func earlier(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}

// validAt returns an error if k cannot make or verify a signature at time t.
func (k certKey) validAt(t time.Time) error {
	switch {
	case k.refused != nil:
		return k.refused
	case t.Before(k.CreationTime):
		return fmt.Errorf("it was made at %s, after %s", stamp(k.CreationTime), stamp(t))
	case !k.expires.IsZero() && t.After(k.expires):
		return fmt.Errorf("it expired at %s", stamp(k.expires))
	}
	return nil
}

func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }

func fingerprint(k *packet.PublicKey) string { return fmt.Sprintf("%X", k.Fingerprint) }
