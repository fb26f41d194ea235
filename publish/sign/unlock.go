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

// ReadLocked is [Read] for keys that may be protected by a passphrase. It tries each passphrase on each key. It opens keys of
// gpg (AES in CFB mode with an iterated and salted SHA-1 or SHA-256), and the forms of RFC 9580 (OCB, EAX and GCM; Argon2).
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

// Locked reports whether an error says that a key needs a passphrase that was not given.
func Locked(why error) bool { return errors.Is(why, errLocked) || errors.Is(why, errNotOpened) }

// Passphrases returns the passphrases in the text of a file, one in each line. Only the line ending is removed.
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

// unlock decrypts the private keys that can sign, as far as passphrases open them. Other keys stay encrypted.
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

// privateKeys returns the private keys of a certificate, that of the primary key first; nil for each that is absent.
func privateKeys(e *openpgp.Entity) []*packet.PrivateKey {
	all := []*packet.PrivateKey{e.PrivateKey}
	for _, s := range e.Subkeys {
		all = append(all, s.PrivateKey)
	}
	return all
}

// Lock returns the armoured private keys of a signer, encrypted with a passphrase as gpg does it. The signer must not be
// used afterwards.
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

// lockConfig encrypts private keys as gpg does: AES-256 in CFB mode, with a key derived by many rounds of SHA-256.
var lockConfig = &packet.Config{
	DefaultCipher: packet.CipherAES256,
	S2KConfig:     &s2k.Config{S2KMode: s2k.IteratedSaltedS2K, Hash: crypto.SHA256, S2KCount: 65011712},
}
