// Package sign makes and verifies the OpenPGP signatures (RFC 9580) of published releases: cleartext-signed
// InRelease files, and the detached signatures of Release and repomd.xml.
//
// Every client since EL7 and Debian 8 reads its keys and signatures: version 4 packets, SHA-512, armour with
// its CRC24 line, and no critical subpacket that old rpm or yum does not know. With RSA and Ed25519, a
// signature is a function of key, bytes and time.
package sign

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"errors"
	"fmt"
	"slices"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/ProtonMail/go-crypto/openpgp/packet"
	openpgp "github.com/ProtonMail/go-crypto/openpgp/v2"
)

// MinRSABits is the smallest RSA key that clients accept (apt with sqv, since 2.9.19).
const MinRSABits = 2048

// backdate is how far before its generation the creation time of a key lies. gpgv refuses keys and signatures
// from the future; a client whose clock lags by less still accepts them.
const backdate = time.Hour

// config configures every signature. The salt notation is off, so that equal input gives equal bytes. No
// subpacket is critical: yum of EL7 and rpm 4.14 of SUSE refuse critical creation times and key flags.
var config = &packet.Config{
	DefaultHash:                                      crypto.SHA512,
	NonDeterministicSignaturesViaNotation:            packet.BoolPointer(false),
	InsecureGenerateNonCriticalKeyFlags:              true,
	InsecureGenerateNonCriticalSignatureCreationTime: true,
	InsecureAllowAllKeyFlagsWhenMissing:              true, // as gpg does
}

// A Signer holds one or more private keys and signs with all of them, as clients need it while one
// key replaces another. It is immutable; its methods may be called concurrently.
type Signer struct {
	keys    []signingKey // one of each certificate
	unfit   []Unfit      // certificates without one
	private []byte       // armoured
	public  []byte       // armoured
}

type signingKey struct {
	certKey
	private *packet.PrivateKey
	entity  *openpgp.Entity
	remote  Remote // who has the private key, if it is not here
}

// An Unfit key cannot sign. It is not an error as long as another key of the Signer can.
type Unfit struct {
	Fingerprint string // of the certificate
	Why         error
}

// Generate makes an RSA key of bits bits that can sign and certify and never expires. name is its only user id,
// such as "acme repomill signing key". Its creation time is one hour before now. Fewer bits than [MinRSABits] are
// an error.
func Generate(name string, bits int, now time.Time) (*Signer, error) {
	if bits < MinRSABits {
		return nil, fmt.Errorf("generate signing key: %d bits are too few: clients refuse RSA under %d bits", bits, MinRSABits)
	}
	if err := checkName(name); err != nil {
		return nil, fmt.Errorf("generate signing key: %w", err)
	}
	raw, err := rsa.GenerateKey(rand.Reader, bits)
	if err != nil {
		return nil, fmt.Errorf("generate signing key: %w", err)
	}
	created := now.Add(-backdate).Truncate(time.Second)
	e, err := selfSigned(packet.NewRSAPrivateKey(created, raw), config.DefaultHash, name, created)
	if err != nil {
		return nil, fmt.Errorf("generate signing key: %w", err)
	}
	return newSigner(openpgp.EntityList{e})
}

// checkName refuses a name that cannot be a user id.
func checkName(name string) error {
	if name == "" || len(name) > 255 || !utf8.ValidString(name) || !printable(name) {
		return fmt.Errorf("the user id must be 1 to 255 bytes of printable text, not %.300q", name)
	}
	return nil
}

func printable(s string) bool {
	for _, r := range s {
		if !unicode.IsPrint(r) {
			return false
		}
	}
	return true
}

// selfSigned makes a certificate of a key: one user id, one self-signature with digest h, all of time created.
func selfSigned(key *packet.PrivateKey, h crypto.Hash, name string, created time.Time) (*openpgp.Entity, error) {
	primary := true
	self := newSignature(packet.SigTypePositiveCert, key, created)
	self.Hash = h
	self.IsPrimaryId = &primary
	self.FlagsValid, self.FlagCertify, self.FlagSign = true, true, true
	self.PreferredHash = []uint8{10, 8} // SHA-512, SHA-256 (RFC 9580, section 9.5)
	if err := self.SignUserId(name, &key.PublicKey, key, config); err != nil {
		return nil, err
	}
	e := &openpgp.Entity{PrimaryKey: &key.PublicKey, PrivateKey: key}
	e.Identities = map[string]*openpgp.Identity{name: {
		Primary:            e,
		Name:               name,
		UserId:             &packet.UserId{Id: name},
		SelfCertifications: []*packet.VerifiableSignature{packet.NewVerifiableSig(self)},
	}}
	return e, nil
}

// Read returns a signer of armoured private keys without a passphrase. Each key makes a signature of its own.
// Keys that clients refuse or soon will are [Signer.Unfit]: RSA under 2048 bits, DSA and rarer algorithms, SHA-1
// self-signatures, revoked keys, and keys without a part that may sign. If no other key is left, Read returns an
// error. A key with an expiry is accepted, and signs until then.
func Read(armored []byte) (*Signer, error) { return ReadLocked(armored, nil) }

// readPrivate parses armoured private keys, protected or not.
func readPrivate(armored []byte) (list openpgp.EntityList, err error) {
	raw, err := dearmorKeys(armored)
	if err != nil {
		return nil, err
	}
	for packets := packet.NewReader(bytes.NewReader(raw)); ; {
		e, err := openpgp.ReadEntity(packets)
		if e == nil && len(list) > 0 && isEOF(err) {
			return list, nil
		}
		if err != nil {
			return nil, fmt.Errorf("key %d: %w", len(list)+1, noEOF(err))
		}
		list = append(list, e)
	}
}

// newSigner returns a signer with the signing key of each certificate.
func newSigner(list openpgp.EntityList) (*Signer, error) {
	s, all := &Signer{}, map[string]bool{}
	var fit openpgp.EntityList
	for _, e := range list {
		name := fingerprint(e.PrimaryKey)
		if all[name] {
			return nil, fmt.Errorf("key %s is there twice", name)
		}
		all[name] = true
		k, err := chooseKey(e)
		if err != nil {
			s.unfit = append(s.unfit, Unfit{name, err})
			continue
		}
		s.keys, fit = append(s.keys, k), append(fit, e)
	}
	if len(fit) == 0 {
		return nil, fmt.Errorf("key %s: %w", s.unfit[0].Fingerprint, s.unfit[0].Why)
	}
	return s, s.armor(fit)
}

func (s *Signer) armor(list openpgp.EntityList) (err error) {
	if s.private, err = armorKeys(list, true); err != nil {
		return fmt.Errorf("armour private keys: %w", err)
	}
	if s.public, err = armorKeys(list, false); err != nil {
		return fmt.Errorf("armour public keys: %w", err)
	}
	return nil
}

// chooseKey returns the key of a certificate that signs releases: the primary key if it may sign, because dnf5 of
// Fedora 43 and zypper with rpm 4.20 refuse signatures by subkeys; otherwise, as gpg does, the newest usable subkey.
func chooseKey(e *openpgp.Entity) (signingKey, error) {
	if e.PrivateKey == nil {
		return signingKey{}, errors.New("this is a public key; export the private key (gpg --armor --export-secret-keys)")
	}
	keys := keysOf(e)
	if keys[0].refused != nil {
		return signingKey{}, keys[0].refused // as the primary key, so its subkeys
	}
	best, why := signingKey{}, errors.New("none of its keys may sign: it needs the signing capability")
	for i, k := range keys {
		private := e.PrivateKey
		if i > 0 {
			private = e.Subkeys[i-1].PrivateKey
		}
		switch {
		case !k.signs:
			continue
		case k.refused != nil:
			why = k.refused
			continue
		case private == nil || private.Dummy():
			why = errors.New("the secret part of its signing key is not in the file")
			continue
		case private.Encrypted:
			why = errLocked
			continue
		}
		if best.private == nil || !k.CreationTime.Before(best.CreationTime) {
			best = signingKey{certKey: k, private: private, entity: e}
		}
		if i == 0 {
			return best, nil
		}
	}
	if best.private == nil {
		return signingKey{}, why
	}
	return best, nil
}

// Private returns the armoured private keys, for storing a generated key. Keep them secret. A remote key is an error.
func (s *Signer) Private() ([]byte, error) {
	for _, k := range s.keys {
		if k.remote != nil {
			return nil, fmt.Errorf("key %s: %w", k.certificate, errRemote)
		}
	}
	return slices.Clone(s.private), nil
}

// Public returns one armoured block with all public keys. It always returns the same bytes.
func (s *Signer) Public() []byte { return slices.Clone(s.public) }

// Fingerprints returns the fingerprints of the primary keys in upper-case hexadecimal, in the order of the keys.
func (s *Signer) Fingerprints() []string {
	var f []string
	for _, k := range s.keys {
		f = append(f, k.certificate)
	}
	return f
}
