package sign

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp/packet"
	openpgp "github.com/ProtonMail/go-crypto/openpgp/v2"
)

// maxSignatures is how many signatures a message may carry.
const maxSignatures = 16

// A Keyring is the public keys that a client trusts. It is immutable; its methods may be called concurrently.
//
// It verifies as gpgv and apt do: a message is valid if it has a valid signature by a known key and no invalid
// signature by a known key. Signatures by unknown keys are ignored.
type Keyring struct {
	keys []certKey
	now  time.Time
}

// ReadKeyring returns a keyring of public keys, armoured (any number of blocks) or binary.
func ReadKeyring(b []byte) (Keyring, error) {
	list, err := readCertificates(b)
	if err != nil {
		return Keyring{}, err
	}
	var k Keyring
	for _, e := range list {
		for _, key := range keysOf(e) {
			if key.signs {
				k.keys = append(k.keys, key)
			}
		}
	}
	if len(k.keys) == 0 {
		return Keyring{}, errors.New("it has no key that may sign")
	}
	return k, nil
}

// readCertificates reads keys, armoured (any number of blocks) or binary.
func readCertificates(b []byte) (openpgp.EntityList, error) {
	if len(bytes.TrimSpace(b)) == 0 {
		return nil, errors.New("it is empty")
	}
	if bytes.Contains(b, []byte("-----BEGIN PGP ")) {
		var err error
		if b, err = dearmorKeys(b); err != nil {
			return nil, err
		}
	}
	if len(b) > 0 && b[0]&0x80 == 0 { // no packet begins so (RFC 9580, section 4.2)
		return nil, errors.New("it is not an OpenPGP key, armoured or binary")
	}
	return openpgp.ReadKeyRing(bytes.NewReader(b))
}

// At returns the keyring of a client at time now: keys that have expired by then are refused. Without At, the
// expiry of a key is compared with the time of each signature.
func (k Keyring) At(now time.Time) Keyring {
	k.now = now
	return k
}

// Shares reports whether the keyrings have a key in common.
func (k Keyring) Shares(other Keyring) bool {
	return slices.ContainsFunc(k.keys, func(one certKey) bool {
		return slices.ContainsFunc(other.keys, func(o certKey) bool { return fingerprint(o.PublicKey) == fingerprint(one.PublicKey) })
	})
}

// VerifyClear verifies a cleartext-signed message and returns the text that the signatures cover,
// with its final newline. It refuses anything before, after and between the parts of the message that
// is not signed.
func (k Keyring) VerifyClear(signed []byte) ([]byte, error) {
	body, armored, err := splitClear(signed)
	if err != nil {
		return nil, err
	}
	if _, err := k.verify(armored, body, true); err != nil {
		return nil, err
	}
	return body, nil
}

// VerifyDetached verifies the armoured detached signature sig of body.
func (k Keyring) VerifyDetached(body, sig []byte) error {
	_, err := k.verify(sig, body, false)
	return err
}

// SignersClear verifies a message as [Keyring.VerifyClear] does, and returns the fingerprints of the known
// certificates that signed it, one for each signature, in order.
func (k Keyring) SignersClear(signed []byte) ([]string, error) {
	body, armored, err := splitClear(signed)
	if err != nil {
		return nil, err
	}
	return k.verify(armored, body, true)
}

// SignersDetached verifies a signature as [Keyring.VerifyDetached] does, and returns the fingerprints of the known
// certificates that made it, one for each signature, in order.
func (k Keyring) SignersDetached(body, sig []byte) ([]string, error) {
	return k.verify(sig, body, false)
}

// splitClear splits a cleartext-signed message into the signed text and the armoured signatures.
func splitClear(signed []byte) (body, armored []byte, err error) {
	rest, ok := bytes.CutPrefix(signed, []byte("-----BEGIN PGP SIGNED MESSAGE-----\n"))
	if !ok {
		return nil, nil, errors.New("does not begin as a cleartext-signed message")
	}
	for {
		var header []byte
		if header, rest, ok = bytes.Cut(rest, []byte("\n")); !ok {
			return nil, nil, errors.New("ends within the headers of the signed message")
		}
		if len(header) == 0 {
			break
		}
		if !bytes.HasPrefix(header, []byte("Hash: ")) {
			return nil, nil, errors.New("has a header that is not Hash")
		}
	}
	for len(rest) > 0 {
		line, next, ok := bytes.Cut(rest, []byte("\n"))
		if bytes.Equal(line, signatureStart) {
			return body, rest, nil
		}
		line, escaped := bytes.CutPrefix(line, []byte("- "))
		switch {
		case !ok:
			return nil, nil, errors.New("ends before its signature")
		case !escaped && bytes.HasPrefix(line, []byte("-")):
			return nil, nil, errors.New("has a line that starts with '-' and is not escaped")
		case len(bytes.TrimRight(line, " \t\r")) != len(line):
			return nil, nil, errors.New("has white space at the end of a line, which no signature covers")
		}
		body = append(append(body, line...), '\n')
		rest = next
	}
	return nil, nil, errors.New("has no signature")
}

// verify verifies the signatures in armored over body; clear says whether they are cleartext signatures.
func (k Keyring) verify(armored, body []byte, clear bool) (signers []string, err error) {
	raw, err := dearmorSignature(armored)
	if err != nil {
		return nil, err
	}
	var unknown []string
	packets := packet.NewReader(bytes.NewReader(raw))
	for n := 0; ; n++ {
		p, err := packets.NextWithUnsupported()
		if isEOF(err) {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("bad signature packet: %w", noEOF(err))
		}
		if n == maxSignatures {
			return nil, fmt.Errorf("more than %d signatures", maxSignatures)
		}
		if _, ok := p.(*packet.UnsupportedPacket); ok {
			unknown = append(unknown, "an unsupported key")
			continue
		}
		sig, ok := p.(*packet.Signature)
		if !ok {
			return nil, errors.New("the signature block holds something that is no signature")
		}
		i := slices.IndexFunc(k.keys, func(key certKey) bool { return sig.CheckKeyIdOrFingerprint(key.PublicKey) })
		if i < 0 {
			unknown = append(unknown, issuer(sig))
			continue
		}
		if err := k.verifyOne(k.keys[i], sig, body, clear); err != nil {
			return nil, fmt.Errorf("signature by key %s: %w", fingerprint(k.keys[i].PublicKey), err)
		}
		signers = append(signers, k.keys[i].certificate)
	}
	if len(signers) == 0 {
		return nil, fmt.Errorf("no signature by a known key; signed by: %s", strings.Join(unknown, ", "))
	}
	return signers, nil
}

func issuer(sig *packet.Signature) string {
	if sig.IssuerKeyId == nil {
		return "an unnamed key"
	}
	return fmt.Sprintf("%016X", *sig.IssuerKeyId)
}

// verifyOne verifies one signature by a known key.
func (k Keyring) verifyOne(key certKey, sig *packet.Signature, body []byte, clear bool) error {
	if err := key.validAt(sig.CreationTime); err != nil {
		return err
	}
	if !k.now.IsZero() {
		if err := key.validAt(k.now); err != nil {
			return err
		}
		if sig.SigExpired(k.now.Add(clockSkew)) {
			return errors.New("the signature is from the future, or has expired")
		}
	}
	switch {
	case sig.Version != 4 || !strongHash(sig.Hash):
		return fmt.Errorf("clients refuse signatures of version %d with %v", sig.Version, sig.Hash)
	case slices.ContainsFunc(sig.Notations, func(n *packet.Notation) bool { return n.IsCritical }):
		return errors.New("it has a critical notation, which no client knows")
	}
	h, err := sig.PrepareVerify()
	if err != nil {
		return err
	}
	switch {
	case clear && sig.SigType == packet.SigTypeText:
		h.Write(canonicalText(body))
	case !clear && sig.SigType == packet.SigTypeBinary:
		h.Write(body)
	default:
		return fmt.Errorf("a signature of type %#x has no place here", uint8(sig.SigType))
	}
	return key.VerifySignature(h, sig)
}

// clockSkew is how far ahead of a client's clock a signature may be, as apt allows it for Date.
const clockSkew = 10 * time.Second
