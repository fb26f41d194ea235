package publish

import (
	"bytes"
	"fmt"
	"strings"
	"time"

	"repomill/publish/keys"
	"repomill/publish/sign"
	"repomill/schemas/catalog"
	"repomill/schemas/catalogdb"
	"repomill/schemas/layout"
)

// A Signer signs with one or several keys. Its methods may be called concurrently. A key that fails to sign is a [sign.Failure]. The
// caller retries.
type Signer interface {
	Clear(body []byte, now time.Time) ([]byte, error)
	Detach(body []byte, now time.Time) ([]byte, error)
	DetachRPM(body []byte, now time.Time) ([]byte, error)
	Public() []byte // armoured
}

// Keys are the keys with which a publisher signs, and those that clients get. They are immutable.
type Keys struct {
	signer  Signer       // nil for a publisher that only prepares
	signing []string     // fingerprints of the keys that should sign, in order
	lacking bool         // the signer does not have all of them
	out     []sign.Key   // that clients get
	given   string       // the same, in the form of the catalog
	public  []byte       // the same, armoured
	trusted sign.Keyring // all keys that may have signed published pointers
	known   sign.Keyring // the same and leaked ones, whose signatures are replaced
	newest  time.Time    // creation time of the newest key of the signer
}

// KeysOf returns the keys of a signer: all sign, and clients get all. It returns an error if its public keys cannot be read.
func KeysOf(s Signer) (Keys, error) {
	all, err := sign.ReadPublic(s.Public())
	if err != nil {
		return Keys{}, fmt.Errorf("read the signer's public keys: %w", err)
	}
	set := keys.Set{}
	set.Add(time.Time{}, keys.Signing, all...)
	return NewKeys(set, keys.Fingerprints(set.Keys), s)
}

// NewKeys returns the keys of a set. signing has the fingerprints of those that should sign, in order. signer has the ones of them
// that this process can use, and may be nil. It returns an error if a public key cannot be read.
func NewKeys(set keys.Set, signing []string, signer Signer) (k Keys, err error) {
	k = Keys{signer: signer, signing: signing, given: givenOf(set.Out())}
	if k.public, err = keys.Public(set.Out()); err == nil {
		k.out, err = sign.ReadPublic(k.public)
	}
	if err != nil {
		return Keys{}, fmt.Errorf("read the public keys: %w", err)
	}
	var trusted []keys.Key
	for _, one := range set.Keys {
		if !one.Distrusted {
			trusted = append(trusted, one)
		}
	}
	if k.trusted, err = keyringOf(trusted); err == nil {
		k.known, err = keyringOf(set.Keys)
	}
	if err != nil {
		return Keys{}, fmt.Errorf("read the public keys: %w", err)
	}
	return k, k.compare()
}

func keyringOf(some []keys.Key) (sign.Keyring, error) {
	armored, err := keys.Public(some)
	if err != nil {
		return sign.Keyring{}, err
	}
	return sign.ReadKeyring(armored)
}

// compare sets lacking and newest from the keys of the signer.
func (k *Keys) compare() error {
	if k.signer == nil {
		return nil
	}
	have, err := sign.ReadPublic(k.signer.Public())
	if err != nil {
		return fmt.Errorf("read the signer's public keys: %w", err)
	}
	there := map[string]bool{}
	for _, one := range have {
		there[one.Fingerprint] = true
		if one.Created.After(k.newest) {
			k.newest = one.Created
		}
	}
	for _, f := range k.signing {
		k.lacking = k.lacking || !there[f]
	}
	return nil
}

// hints returns the key hints of a repomd.xml. zypper imports the keys that they name if it trusts the signature. A single key needs
// no hint.
func (k Keys) hints() []string {
	if len(k.out) < 2 {
		return nil
	}
	var all []string
	for _, one := range k.out {
		all = append(all, one.RPMName()+".asc?fpr="+one.Fingerprint)
	}
	return all
}

// SignedBy returns the desired signers and key hints of a release, in the form of the catalog.
func (k Keys) SignedBy(r catalog.Release) string {
	if r.Arch == "" {
		return signedBy(k.signing, nil)
	}
	return signedBy(k.signing, k.hints())
}

// signsAs returns what to record as the signers of a release that this publisher signs; empty if it lacks some of the keys, so that
// another publisher signs the release again.
func (k Keys) signsAs(r catalog.Release) string {
	if k.lacking {
		return ""
	}
	return k.SignedBy(r)
}

// signedBy returns signers and key hints in the form of the catalog. A signer with two signatures counts once.
func signedBy(signers, hints []string) string {
	var once []string
	seen := map[string]bool{}
	for _, s := range signers {
		if !seen[s] {
			seen[s], once = true, append(once, s)
		}
	}
	text := strings.Join(once, "+")
	for _, h := range hints {
		text += " " + h
	}
	return text
}

// State returns the desired signers of DEB and RPM releases, and the keys that repositories should give to clients.
func (k Keys) State() catalogdb.KeyState {
	return catalogdb.KeyState{DEB: signedBy(k.signing, nil), RPM: signedBy(k.signing, k.hints()), Given: k.Given()}
}

// Given returns the keys that clients get, in the form of the catalog.
func (k Keys) Given() string { return k.given }

// givenOf returns the fingerprints of keys, each with the time of its last extension: an extended key is published again.
func givenOf(out []keys.Key) string {
	var all []string
	for _, one := range out {
		name := one.Fingerprint
		if one.Extended != nil {
			name += fmt.Sprintf("@%d", one.Extended.Unix())
		}
		all = append(all, name)
	}
	return strings.Join(all, "+")
}

// Public returns the keys that clients get, armoured, as in the gpgkey of each repository.
func (k Keys) Public() []byte { return bytes.Clone(k.public) }

// hintFiles returns the key files that the key hints of a release name.
func (k Keys) hintFiles(r catalog.Release) (files []pairFile) {
	if len(k.out) < 2 {
		return nil
	}
	for _, one := range k.out {
		files = append(files, pairFile{key: layout.HintKeyKey(r, one.RPMName()), body: one.Public})
	}
	return files
}
