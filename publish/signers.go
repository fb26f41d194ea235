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

// A Signer signs with some keys, of which those that cannot sign now are left out.
type Signer interface {
	Clear(body []byte, now time.Time) ([]byte, error)
	Detach(body []byte, now time.Time) ([]byte, error)
	DetachRPM(body []byte, now time.Time) ([]byte, error)
	Public() []byte // armoured
}

// Keys are what a publisher signs with, and what it gives to clients. They never change.
type Keys struct {
	signer  Signer       // nil for a publisher that only prepares
	signing []string     // fingerprints of the keys that should sign, in order
	lacking bool         // the signer has not all of them
	out     []sign.Key   // given to clients
	given   string       // the same, as the catalog keeps it
	public  []byte       // the same, armoured
	trusted sign.Keyring // of all keys that may have signed what is published
	known   sign.Keyring // the same, and those that leaked: whose signatures are to go
	newest  time.Time    // when the last of the keys that sign was made
}

// KeysOf returns keys that all sign, and are all given to clients.
func KeysOf(s Signer) (Keys, error) {
	all, err := sign.ReadPublic(s.Public())
	if err != nil {
		return Keys{}, fmt.Errorf("read the signer's public keys: %w", err)
	}
	set := keys.Set{}
	set.Add(time.Time{}, keys.Signing, all...)
	return NewKeys(set, keys.Fingerprints(set.Keys), s)
}

// NewKeys returns the keys of a set, of which those of some fingerprints should sign; signer, which may be nil, has as
// many of these as there are here.
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

// compare notes whether the signer has all the keys that should sign.
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

// hints returns the keys that a repomd.xml names for zypper, which imports them while it trusts the ones that signed it.
// A single key needs no hint.
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

// SignedBy returns how a release should be signed, as the catalog keeps it: by which keys, and of which it gives hints.
func (k Keys) SignedBy(r catalog.Release) string {
	if r.Arch == "" {
		return signedBy(k.signing, nil)
	}
	return signedBy(k.signing, k.hints())
}

// signsAs returns how a release is signed that this publisher signs, or nothing if it has not all the keys: then another
// one is to sign it again.
func (k Keys) signsAs(r catalog.Release) string {
	if k.lacking {
		return ""
	}
	return k.SignedBy(r)
}

// signedBy returns how a release is signed. Of a file that has a signature twice it counts once.
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

// State returns how everything that is published should be.
func (k Keys) State() catalogdb.KeyState {
	return catalogdb.KeyState{DEB: signedBy(k.signing, nil), RPM: signedBy(k.signing, k.hints()), Given: k.Given()}
}

// Given returns which keys clients are given, as the catalog keeps it of a repository.
func (k Keys) Given() string { return k.given }

// givenOf names keys, and when the life of each was extended last: clients are to get its new public part.
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

// Public returns the keys that clients are given, armoured, as the gpgkey of each repository has them.
func (k Keys) Public() []byte { return bytes.Clone(k.public) }

// hintFiles returns the files that a release's repomd.xml names.
func (k Keys) hintFiles(r catalog.Release) (files []pairFile) {
	if len(k.out) < 2 {
		return nil
	}
	for _, one := range k.out {
		files = append(files, pairFile{key: layout.HintKeyKey(r, one.RPMName()), body: one.Public})
	}
	return files
}
