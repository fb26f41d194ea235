package pgp

import (
	"crypto"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp/packet"
	openpgp "github.com/ProtonMail/go-crypto/openpgp/v2"

	"repomill/schemas/catalog"
)

// A Ring has the package keys of a repository. It is immutable; its methods may be called concurrently.
type Ring struct {
	repository catalog.Repository
	certs      []string // fingerprints of the registered certificates
	keys       []key    // of all certificates
}

// A key is a key of a certificate, with the self-signatures about it.
type key struct {
	*packet.PublicKey
	primary         *key                // primary key of the certificate, which may be this key
	bindings        []*packet.Signature // verified, oldest first: of user IDs and direct ones, or of a subkey
	hasWeakBindings bool                // it has bindings with digests that are not accepted
	revocations     []*packet.Signature // verified
}

// Read reads the package keys of a repository and verifies their self-signatures. An error means that a registered
// key cannot be read.
func Read(of catalog.Repository, keys []catalog.PackageKey) (*Ring, error) {
	r := &Ring{repository: of}
	for _, k := range keys {
		list, err := openpgp.ReadArmoredKeyRing(strings.NewReader(k.Armor))
		if err == nil && len(list) != 1 {
			err = errors.New("there is not one key in it")
		}
		if err != nil {
			return nil, fmt.Errorf("read package key %s of %s: %w; register it once more", k.ID, of, err)
		}
		r.certs = append(r.certs, fmt.Sprintf("%X", list[0].PrimaryKey.Fingerprint))
		r.keys = append(r.keys, keysOf(list[0])...)
	}
	return r, nil
}

func keysOf(e *openpgp.Entity) []key {
	pub := e.PrimaryKey
	primary := &key{PublicKey: pub}
	primary.primary = primary
	for _, id := range e.Identities {
		primary.bindings = append(primary.bindings, verified(id.SelfCertifications, func(s *packet.Signature) error {
			return pub.VerifyUserIdSignature(id.UserId.Id, pub, s)
		})...)
	}
	primary.bindings = append(primary.bindings, verified(e.DirectSignatures, pub.VerifyDirectKeySignature)...)
	primary.revocations = verified(e.Revocations, pub.VerifyRevocationSignature)
	primary.sortBindings()
	keys := []key{*primary}
	for _, s := range e.Subkeys {
		k := key{PublicKey: s.PublicKey, primary: primary}
		k.bindings = verified(s.Bindings, func(sig *packet.Signature) error { return pub.VerifyKeySignature(s.PublicKey, sig) })
		k.revocations = verified(s.Revocations, func(sig *packet.Signature) error {
			return pub.VerifySubkeyRevocationSignature(sig, s.PublicKey)
		})
		k.sortBindings()
		keys = append(keys, k)
	}
	return keys
}

// verified returns the signatures that verify accepts.
func verified(all []*packet.VerifiableSignature, verify func(*packet.Signature) error) (sigs []*packet.Signature) {
	for _, s := range all {
		if verify(s.Packet) == nil {
			sigs = append(sigs, s.Packet)
		}
	}
	return sigs
}

// sortBindings removes the bindings whose digests are not accepted, and sorts the others by time. Sequoia does not
// import a key that has no other.
func (k *key) sortBindings() {
	n := len(k.bindings)
	k.bindings = slices.DeleteFunc(k.bindings, func(s *packet.Signature) bool { return s.Hash == crypto.SHA1 || s.Hash == crypto.MD5 })
	k.hasWeakBindings = len(k.bindings) < n
	slices.SortStableFunc(k.bindings, func(a, b *packet.Signature) int { return a.CreationTime.Compare(b.CreationTime) })
}

// find returns the keys that may be an issuer. Several keys can have one ID, if someone searched for such a key.
func (r *Ring) find(i issuer) (keys []*key) {
	for n := range r.keys {
		k := &r.keys[n]
		if k.KeyId == i.id && (i.fingerprint == nil || slices.Equal(k.Fingerprint, i.fingerprint)) {
			keys = append(keys, k)
		}
	}
	return keys
}

// registeredKeys lists the fingerprints of the registered keys for a sentence.
func (r *Ring) registeredKeys() string {
	const most = 3
	names := r.certs[:min(len(r.certs), most)]
	s := strings.Join(names, ", ")
	if more := len(r.certs) - len(names); more > 0 {
		s += fmt.Sprintf(" and %d more", more)
	}
	return s
}

// name returns the fingerprint of k and, for a subkey, that of its primary key.
func (k *key) name() string {
	s := fmt.Sprintf("%X", k.Fingerprint)
	if k.isSubkey() {
		s += fmt.Sprintf(" (a subkey of %X)", k.primary.Fingerprint)
	}
	return s
}

func (k *key) isSubkey() bool { return k.primary.PublicKey != k.PublicKey }

// Unusable returns the certificates that have no key whose signatures clients trust at time now, each with the
// reason.
func (r *Ring) Unusable(now time.Time) (problems []string) {
	for _, fingerprint := range r.certs {
		last := error(nil)
		for i := range r.keys {
			k := &r.keys[i]
			if fmt.Sprintf("%X", k.primary.Fingerprint) != fingerprint {
				continue
			}
			err := k.validAt(now, now)
			if err == nil {
				last = nil
				break
			}
			if last == nil || !k.isSubkey() {
				last = err
			}
		}
		if last != nil {
			problems = append(problems, fmt.Sprintf("%s: %s", fingerprint, last))
		}
	}
	return problems
}
