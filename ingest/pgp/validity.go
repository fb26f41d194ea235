package pgp

import (
	"crypto/rsa"
	"errors"
	"fmt"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp/packet"
)

// errKeyEnded is wrapped by errors of keys that had expired when they signed, or that are revoked.
var errKeyEnded = errors.New("the key has ended")

// validAt returns why clients do not trust a signature that k made at time t, or nil. Clients use the self-signatures
// that existed at t and, if those were replaced, the current ones.
func (k *key) validAt(t, now time.Time) error {
	if err := k.checkStrength(); err != nil {
		return err
	}
	if t.Before(k.CreationTime) {
		return fmt.Errorf("the signature is of %s, before the key was made, at %s", formatTime(t), formatTime(k.CreationTime))
	}
	at := t
	if k.primary.bindingAt(at) == nil || k.bindingAt(at) == nil {
		at = now
	}
	primary, own := k.primary.bindingAt(at), k.bindingAt(at)
	if (primary == nil || own == nil) && (k.primary.hasWeakBindings || k.hasWeakBindings) {
		return errors.New("the self-signatures of the key use SHA-1, and clients do not import it. Sign it again (gpg --cert-digest-algo SHA512 --quick-set-expire), and register the new version")
	}
	if primary == nil || own == nil {
		return errors.New("the key has no valid self-signature")
	}
	for _, check := range []struct {
		key     *key
		binding *packet.Signature
	}{{k.primary, primary}, {k, own}} {
		if err := check.key.revokedAt(check.binding, at); err != nil {
			return err
		}
		if end := check.key.expiry(check.binding); !end.IsZero() && !at.Before(end) {
			return fmt.Errorf("%w: it expired at %s, and the signature is of %s", errKeyEnded, formatTime(end), formatTime(t))
		}
	}
	if own.FlagsValid && !own.FlagSign || !own.FlagsValid && k.isSubkey() {
		return errors.New("the key is not one for signing")
	}
	return nil
}

// bindingAt returns the newest binding that is valid at time t, or nil.
func (k *key) bindingAt(t time.Time) (newest *packet.Signature) {
	for _, b := range k.bindings {
		if !b.CreationTime.After(t) && !b.SigExpired(t) {
			newest = b
		}
	}
	return newest
}

// expiry returns when k expires by a binding, or the zero time.
func (k *key) expiry(binding *packet.Signature) time.Time {
	if s := binding.KeyLifetimeSecs; s != nil && *s != 0 {
		return k.CreationTime.Add(time.Duration(*s) * time.Second)
	}
	return time.Time{}
}

// revokedAt returns an error if k was revoked at time t. A revocation because the key leaked, or without a reason,
// applies to all that it ever signed. A key that was retired or superseded is valid for what it signed before.
func (k *key) revokedAt(binding *packet.Signature, t time.Time) error {
	for _, r := range k.revocations {
		soft := r.RevocationReason != nil && (*r.RevocationReason == packet.KeySuperseded || *r.RevocationReason == packet.KeyRetired)
		if !soft || !r.CreationTime.After(t) && !binding.CreationTime.After(r.CreationTime) {
			return fmt.Errorf("%w: it was revoked at %s", errKeyEnded, formatTime(r.CreationTime))
		}
	}
	return nil
}

// minRSABits is the smallest size of an RSA key that clients accept, in bits.
const minRSABits = 2048

// checkStrength returns why clients refuse all signatures of k, or nil.
func (k *key) checkStrength() error {
	switch byte(k.PubKeyAlgo) {
	case algRSA, algRSASign:
		if n, ok := k.PublicKey.PublicKey.(*rsa.PublicKey); ok && n.N.BitLen() < minRSABits {
			return fmt.Errorf("the key is RSA with %d bits, and clients ask for %d", n.N.BitLen(), minRSABits)
		}
		return nil
	case algECDSA, algEdDSA:
		switch curve, _ := k.Curve(); curve {
		case packet.Curve25519, packet.CurveNistP256, packet.CurveNistP384, packet.CurveNistP521:
			return nil
		default:
			return fmt.Errorf("the key is of the curve %s, which not all clients know", curve)
		}
	case algEd25519:
		return nil
	case algDSA:
		return errors.New("the key is DSA, which clients refuse by now")
	}
	return fmt.Errorf("the key has the algorithm with the number %d, which not all clients know", k.PubKeyAlgo)
}

func formatTime(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05 UTC") }
