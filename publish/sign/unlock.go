package sign

import (
	"bytes"
	"crypto"
	"errors"
	"fmt"
	"slices"

	"github.com/ProtonMail/go-crypto/openpgp/packet"
	"github.com/ProtonMail/go-crypto/openpgp/s2k"
	openpgp "github.com/ProtonMail/go-crypto/openpgp/v2"
)

// ReadLocked is [Read] of keys that passphrases may protect: each is tried at each of them. It opens what gpg makes (AES
// in CFB mode under an iterated and salted SHA-1 or SHA-256), and the forms of RFC 9580 (OCB, EAX and GCM; Argon2).
func ReadLocked(armored []byte, passphrases [][]byte) (*Signer, error) {
	list, err := readPrivate(armored)
	if err != nil {
		return nil, err
	}
	unlock(list, passphrases)
	s, err := newSigner(list)
	if len(passphrases) == 0 {
		return s, err
	}
	if errors.Is(err, errLocked) {
		return nil, fmt.Errorf("key %s: %w", fingerprint(list[0].PrimaryKey), errNotOpened)
	}
	if err != nil {
		return nil, err
	}
	for i, u := range s.unfit {
		if errors.Is(u.Why, errLocked) {
			s.unfit[i].Why = errNotOpened
		}
	}
	return s, nil
}

var (
	errLocked    = errors.New("a passphrase protects it, and none is given: write it into a file, and name that with --signing-key-passphrase-file")
	errNotOpened = errors.New("a passphrase protects it, and none in the file of --signing-key-passphrase-file opens it: write the right one there")
)

// Locked reports whether a key cannot sign for the want of a passphrase.
func Locked(why error) bool { return errors.Is(why, errLocked) || errors.Is(why, errNotOpened) }

// Passphrases returns those in the text of a file: one a line, each as it is.
func Passphrases(text []byte) (all [][]byte, err error) {
	for line := range bytes.Lines(text) {
		if line = bytes.TrimRight(line, "\r\n"); len(line) > 0 && !slices.ContainsFunc(all, func(o []byte) bool { return bytes.Equal(o, line) }) {
			all = append(all, line)
		}
	}
	if len(all) == 0 {
		return nil, errors.New("it has no passphrase: write one a line")
	}
	return all, nil
}

// unlock decrypts what passphrases open of the private keys that can sign. The others stay as they are.
func unlock(list openpgp.EntityList, passphrases [][]byte) {
	for _, e := range list {
		for _, k := range privateKeys(e) {
			if k == nil || k.Dummy() || !k.CanSign() {
				continue
			}
			for _, p := range passphrases {
				if !k.Encrypted || k.Decrypt(p) == nil {
					break
				}
			}
		}
	}
}

// privateKeys returns those of a certificate, the primary one first; nil for those that are not there.
func privateKeys(e *openpgp.Entity) []*packet.PrivateKey {
	all := []*packet.PrivateKey{e.PrivateKey}
	for _, s := range e.Subkeys {
		all = append(all, s.PrivateKey)
	}
	return all
}

// Lock returns the private keys of a signer, armoured, protected by a passphrase as gpg does it. The signer is of no
// more use then.
func (s *Signer) Lock(passphrase []byte) ([]byte, error) {
	armored, err := s.Private()
	if err != nil {
		return nil, err
	}
	list, err := readPrivate(armored)
	if err != nil {
		return nil, err
	}
	for _, e := range list {
		for _, k := range privateKeys(e) {
			if k == nil || k.Dummy() {
				continue
			}
			if err := k.EncryptWithConfig(passphrase, lockConfig); err != nil {
				return nil, err
			}
		}
	}
	return armorKeys(list, true)
}

// lockConfig is how gpg protects a private key: AES-256 in CFB mode, under a key of many rounds of SHA-256.
var lockConfig = &packet.Config{
	DefaultCipher: packet.CipherAES256,
	S2KConfig:     &s2k.Config{S2KMode: s2k.IteratedSaltedS2K, Hash: crypto.SHA256, S2KCount: 65011712},
}
