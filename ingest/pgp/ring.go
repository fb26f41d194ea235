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

// A Ring is the package keys of a repository. It never changes; its methods may be called concurrently.
type Ring struct {
	of    catalog.Repository
	certs []string // fingerprints, as registered
	keys  []key    // of all certificates
}

// A key is one of a certificate, with what its owner has signed about it.
type key struct {
	*packet.PublicKey
	primary     *key                // of the same certificate; itself, for that
	bindings    []*packet.Signature // good ones, oldest first: user ids and direct ones, or those of a subkey
	weakly      bool                // there are bindings of digests that do not count
	revocations []*packet.Signature // good ones
}

// Read reads the package keys of a repository. Every self-signature is verified here and never again.
func Read(of catalog.Repository, keys []catalog.PackageKey) (*Ring, error) {
	r := &Ring{of: of}
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
		primary.bindings = append(primary.bindings, good(id.SelfCertifications, func(s *packet.Signature) error {
			return pub.VerifyUserIdSignature(id.UserId.Id, pub, s)
		})...)
	}
	primary.bindings = append(primary.bindings, good(e.DirectSignatures, pub.VerifyDirectKeySignature)...)
	primary.revocations = good(e.Revocations, pub.VerifyRevocationSignature)
	primary.settle()
	keys := []key{*primary}
	for _, s := range e.Subkeys {
		k := key{PublicKey: s.PublicKey, primary: primary}
		k.bindings = good(s.Bindings, func(sig *packet.Signature) error { return pub.VerifyKeySignature(s.PublicKey, sig) })
		k.revocations = good(s.Revocations, func(sig *packet.Signature) error {
			return pub.VerifySubkeyRevocationSignature(sig, s.PublicKey)
		})
		k.settle()
		keys = append(keys, k)
	}
	return keys
}

// good returns the signatures that verify.
func good(all []*packet.VerifiableSignature, verify func(*packet.Signature) error) (sigs []*packet.Signature) {
	for _, s := range all {
		if verify(s.Packet) == nil {
			sigs = append(sigs, s.Packet)
		}
	}
	return sigs
}

// settle leaves out the bindings whose digests do not count, and sorts the others by age. Sequoia does not import a key that
// has no other.
func (k *key) settle() {
	n := len(k.bindings)
	k.bindings = slices.DeleteFunc(k.bindings, func(s *packet.Signature) bool { return s.Hash == crypto.SHA1 || s.Hash == crypto.MD5 })
	k.weakly = len(k.bindings) < n
	slices.SortStableFunc(k.bindings, func(a, b *packet.Signature) int { return a.CreationTime.Compare(b.CreationTime) })
}

// find returns the keys that an issuer may be. Two keys may have one ID, by force.
func (r *Ring) find(i issuer) (keys []*key) {
	for n := range r.keys {
		k := &r.keys[n]
		if k.KeyId == i.id && (i.fingerprint == nil || slices.Equal(k.Fingerprint, i.fingerprint)) {
			keys = append(keys, k)
		}
	}
	return keys
}

// accepted names the registered keys, in a sentence.
func (r *Ring) accepted() string {
	const most = 3
	names := r.certs[:min(len(r.certs), most)]
	s := strings.Join(names, ", ")
	if more := len(r.certs) - len(names); more > 0 {
		s += fmt.Sprintf(" and %d more", more)
	}
	return s
}

// name says which key k is: its fingerprint, and for a subkey that of its primary key.
func (k *key) name() string {
	s := fmt.Sprintf("%X", k.Fingerprint)
	if k.isSubkey() {
		s += fmt.Sprintf(" (a subkey of %X)", k.primary.Fingerprint)
	}
	return s
}

func (k *key) isSubkey() bool { return k.primary.PublicKey != k.PublicKey }

// Unusable names the certificates of which no key signs at time now what clients trust, each with the reason.
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
