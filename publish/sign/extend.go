package sign

import (
	"bytes"
	"cmp"
	"crypto"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp/packet"
	openpgp "github.com/ProtonMail/go-crypto/openpgp/v2"
)

// Extend gives a key in a file of private keys new self-signatures with another expiry: until, or never if that is zero.
// Subkeys that had not expired before the key get the same. It returns the new file and a description of the key. Other
// keys of the file, and the protection of private keys, are unchanged. passphrases open the key if it is protected.
func Extend(file []byte, passphrases [][]byte, fingerprint string, until, now time.Time) ([]byte, Key, error) {
	begin, end, at, err := findBlock(file, fingerprint)
	if err != nil {
		return nil, Key{}, err
	}
	kept, err := readPrivate(file[begin:end])
	if err != nil {
		return nil, Key{}, err
	}
	open, err := readPrivate(file[begin:end])
	if err != nil {
		return nil, Key{}, err
	}
	unlock(open, passphrases)
	e := open[at]
	if err := mayCertify(e.PrivateKey, len(passphrases) > 0); err != nil {
		return nil, Key{}, fmt.Errorf("key %s: %w", fingerprint, err)
	}
	key, err := extend(e, certifier{private: e.PrivateKey, hash: config.DefaultHash, failure: func() error { return nil }}, until, now)
	if err != nil {
		return nil, Key{}, fmt.Errorf("key %s: %w", fingerprint, err)
	}
	takeSignatures(kept[at], e)
	block, err := armorKeys(kept, true)
	if err != nil {
		return nil, Key{}, err
	}
	return slices.Concat(file[:begin], bytes.TrimRight(block, "\n"), file[end:]), key, nil
}

// ExtendRemote is [Extend] for the public half of a remote key. The remote key makes the self-signatures.
func ExtendRemote(public []byte, r Remote, until, now time.Time) (Key, error) {
	e, err := readOne(public)
	if err != nil {
		return Key{}, fmt.Errorf("read public half: %w", err)
	}
	if !sameKey(e.PrimaryKey, r.Public()) {
		return Key{}, fmt.Errorf("key %s: %w", fingerprint(e.PrimaryKey), errElsewhere)
	}
	private, failure := callOn(e.PrimaryKey, r)
	key, err := extend(e, certifier{private: private, hash: r.Hash(), failure: failure}, until, now)
	if err != nil {
		return Key{}, fmt.Errorf("key %s: %w", fingerprint(e.PrimaryKey), err)
	}
	return key, nil
}

// ErrNotHere says that a file does not have the private part of the key that should be extended.
var ErrNotHere = errors.New("its private part is not in the file")

var errElsewhere = errors.New("its primary key, which says how long it lives, is kept elsewhere: extend it there (gpg --quick-set-expire), and put the result in its place")

func mayCertify(k *packet.PrivateKey, given bool) error {
	switch {
	case k == nil || k.Dummy():
		return errElsewhere
	case k.Encrypted && given:
		return errNotOpened
	case k.Encrypted:
		return errLocked
	}
	return nil
}

// findBlock returns the bounds of the armoured block that has the private part of a key, and the index of the key in it.
func findBlock(file []byte, name string) (begin, end, at int, err error) {
	const start, stop = "-----BEGIN PGP " + "PRIVATE KEY BLOCK-----", "-----END PGP " + "PRIVATE KEY BLOCK-----"
	for {
		i := bytes.Index(file[end:], []byte(start))
		if i < 0 {
			return 0, 0, 0, fmt.Errorf("key %s: %w", name, ErrNotHere)
		}
		begin = end + i
		n := bytes.Index(file[begin:], []byte(stop))
		if n < 0 {
			return 0, 0, 0, errors.New("bad armour: a block does not end")
		}
		end = begin + n + len(stop)
		list, err := readPrivate(file[begin:end])
		if err != nil {
			return 0, 0, 0, err
		}
		if at := slices.IndexFunc(list, func(e *openpgp.Entity) bool { return strings.EqualFold(fingerprint(e.PrimaryKey), name) }); at >= 0 {
			return begin, end, at, nil
		}
	}
}

// A certifier makes self-signatures.
type certifier struct {
	private *packet.PrivateKey
	hash    crypto.Hash
	failure func() error // returns the error of the private key, which the library loses
}

// extend makes the new self-signatures of a certificate, and describes the result.
func extend(e *openpgp.Entity, c certifier, until, now time.Time) (Key, error) {
	old := primaryKey(e)
	switch {
	case e.Revoked(endOfTime):
		return Key{}, errors.New("it is revoked: make another key (repomill key add)")
	case old.expires.IsZero():
		return Key{}, errors.New("it never expires: there is nothing to extend")
	case !until.IsZero() && !until.After(now):
		return Key{}, fmt.Errorf("%s is past: use a later time", stamp(until))
	case !until.IsZero() && !until.After(old.expires):
		return Key{}, fmt.Errorf("it lives until %s already: use a later time", stamp(old.expires))
	case until.Sub(e.PrimaryKey.CreationTime) > math.MaxUint32*time.Second:
		return Key{}, fmt.Errorf("%s is later than an OpenPGP key can live: use an earlier time", stamp(until))
	}
	when := now.Add(-backdate).Truncate(time.Second)
	if last := lastSigned(e); !when.After(last) {
		when = last.Add(time.Second)
	}
	if err := c.certify(e, until, when); err != nil {
		return Key{}, err
	}
	alive := earlier(old.expires, now)
	for i := range e.Subkeys {
		if err := c.bind(&e.Subkeys[i], alive, until, when); err != nil {
			return Key{}, err
		}
	}
	for _, k := range keysOf(e) {
		if k.signs {
			if err := k.validAt(now); err != nil {
				return Key{}, err
			}
			return describe(e, k)
		}
	}
	return Key{}, errors.New("none of its keys may sign")
}

// certify signs the user ids and, if the certificate has one, the direct key signature.
func (c certifier) certify(e *openpgp.Entity, until, when time.Time) error {
	done := false
	for _, id := range e.Identities {
		self, err := id.LatestValidSelfCertification(time.Time{}, config)
		if err != nil || id.Revoked(self, endOfTime, config) {
			continue
		}
		sig := c.renewed(self, e.PrimaryKey, until, when)
		err = sig.SignUserId(id.UserId.Id, e.PrimaryKey, c.private, config)
		if err = cmp.Or(c.failure(), err); err != nil {
			return err
		}
		id.SelfCertifications, done = []*packet.VerifiableSignature{packet.NewVerifiableSig(sig)}, true
	}
	if !done {
		return errors.New("it has no user id with a valid self-signature")
	}
	direct, err := e.LatestValidDirectSignature(time.Time{}, config)
	if err != nil { // there is none
		return nil
	}
	sig := c.renewed(direct, e.PrimaryKey, until, when)
	err = sig.SignDirectKeyBinding(e.PrimaryKey, c.private, config)
	if err = cmp.Or(c.failure(), err); err != nil {
		return err
	}
	e.DirectSignatures = []*packet.VerifiableSignature{packet.NewVerifiableSig(sig)}
	return nil
}

// bind gives a subkey the same expiry, unless it had expired before alive or never expires.
func (c certifier) bind(s *openpgp.Subkey, alive, until, when time.Time) error {
	binding, err := s.LatestValidBindingSignature(time.Time{}, config)
	if err != nil || s.Revoked(binding, endOfTime) {
		return nil //nolint:nilerr // a useless subkey stays as it is
	}
	if end := expiry(s.PublicKey, binding); end.IsZero() || end.Before(alive) {
		return nil
	}
	sig := c.renewed(binding, s.PublicKey, until, when)
	err = sig.SignKey(s.PublicKey, c.private, config)
	if err = cmp.Or(c.failure(), err); err != nil {
		return err
	}
	s.Bindings = []*packet.VerifiableSignature{packet.NewVerifiableSig(sig)}
	return nil
}

// renewed returns an unsigned copy of a self-signature with another expiry of key k.
func (c certifier) renewed(old *packet.Signature, k *packet.PublicKey, until, when time.Time) *packet.Signature {
	sig := *old
	sig.CreationTime, sig.Hash, sig.SigLifetimeSecs, sig.KeyLifetimeSecs = when, c.hash, nil, nil
	if !until.IsZero() {
		life := uint32(until.Sub(k.CreationTime) / time.Second)
		sig.KeyLifetimeSecs = &life
	}
	return &sig
}

// takeSignatures copies the self-signatures of from to to, which is another parse of the same certificate.
func takeSignatures(to, from *openpgp.Entity) {
	to.DirectSignatures = from.DirectSignatures
	for name, id := range to.Identities {
		id.SelfCertifications = from.Identities[name].SelfCertifications
	}
	for i := range to.Subkeys {
		to.Subkeys[i].Bindings = from.Subkeys[i].Bindings
	}
}

// With returns the signer with the later ones of some public halves: the owner of a key may have signed it again, also on
// another machine, to extend its expiry or to revoke it. Public halves of other keys are ignored.
func (s *Signer) With(publics ...[]byte) *Signer {
	with := *s
	with.keys = slices.Clone(s.keys)
	var list openpgp.EntityList
	for i, k := range with.keys {
		for _, public := range publics {
			own, err := armorKeys(openpgp.EntityList{with.keys[i].entity}, false)
			if err != nil || !isLater(public, own, k.certificate) {
				continue
			}
			e, _ := readOne(public) //nolint:errcheck // it was read before
			for _, c := range keysOf(e) {
				if fingerprint(c.PublicKey) == fingerprint(k.PublicKey) {
					with.keys[i].certKey, with.keys[i].entity = c, e
				}
			}
		}
		list = append(list, with.keys[i].entity)
	}
	with.public, _ = armorKeys(list, false) //nolint:errcheck // they were armoured before
	return &with
}

// isLater reports whether public is a later version of the public key own, whose fingerprint is certificate.
func isLater(public, own []byte, certificate string) bool {
	e, err := readOne(public)
	return err == nil && fingerprint(e.PrimaryKey) == certificate && !bytes.Equal(public, own) && Later(public, own)
}
