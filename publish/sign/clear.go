package sign

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp/packet"
)

// clearStart begins a cleartext-signed message; the digests of its signatures follow.
const clearStart = "-----BEGIN PGP SIGNED MESSAGE-----\nHash: "

// Clear returns body with a cleartext signature of time now around it (RFC 9580, section 7). Each line of body must end
// in a newline, with no white space before it: a cleartext signature does not cover other bytes, and Clear refuses them.
// It fails if no key is valid at now, or with a [Failure] if a valid key does not sign.
func (s *Signer) Clear(body []byte, now time.Time) ([]byte, error) {
	if err := checkText(body); err != nil {
		return nil, err
	}
	sig, hashes, err := s.sign(packet.SigTypeText, canonicalText(body), now)
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	b.WriteString(clearStart + strings.Join(hashes, ",") + "\n\n") // as gpg lists them
	for line := range bytes.Lines(body) {
		if line[0] == '-' {
			b.WriteString("- ")
		}
		b.Write(line)
	}
	b.Write(sig)
	return b.Bytes(), nil
}

func checkText(body []byte) error {
	if !bytes.HasSuffix(body, []byte("\n")) {
		return errors.New("the text does not end in a newline")
	}
	n := 0
	for line := range bytes.Lines(body) {
		n++
		if line = line[:len(line)-1]; len(bytes.TrimRight(line, " \t\r")) != len(line) {
			return fmt.Errorf("line %d ends in white space", n)
		}
	}
	return nil
}

// canonicalText returns the bytes that a cleartext signature covers: CRLF between the lines, none after the last.
func canonicalText(body []byte) []byte {
	return bytes.ReplaceAll(bytes.TrimSuffix(body, []byte("\n")), []byte("\n"), []byte("\r\n"))
}

// Detach returns the armoured detached signatures of body, made at time now. It fails as [Signer.Clear] does.
func (s *Signer) Detach(body []byte, now time.Time) ([]byte, error) {
	sig, _, err := s.sign(packet.SigTypeBinary, body, now)
	return sig, err
}

// DetachRPM returns the armoured signatures of a repomd.xml, made at time now. The signature of the first key is repeated
// after the others: yum of EL7 verifies the first signature only and libzypp the last one, and both must find the key that
// clients have had for the longest time.
func (s *Signer) DetachRPM(body []byte, now time.Time) ([]byte, error) {
	signatures, _, err := s.signatures(packet.SigTypeBinary, body, now)
	if err != nil {
		return nil, err
	}
	if len(signatures) > 1 {
		signatures = append(signatures, signatures[0])
	}
	return enarmorBytes(signatureType, bytes.Join(signatures, nil))
}

// sign returns one armoured block with a signature over content by each key, and the names of the digests that
// these signatures have.
func (s *Signer) sign(t packet.SignatureType, content []byte, now time.Time) (armored []byte, hashes []string, err error) {
	signatures, hashes, err := s.signatures(t, content, now)
	if err != nil {
		return nil, nil, err
	}
	armored, err = enarmorBytes(signatureType, bytes.Join(signatures, nil))
	return armored, hashes, err
}

// signatures returns the serialised signatures by the keys that are valid at now. It fails if no key is.
func (s *Signer) signatures(t packet.SignatureType, content []byte, now time.Time) (all [][]byte, hashes []string, err error) {
	var unfit error
	for _, k := range s.keys {
		if err := k.validAt(now); err != nil {
			unfit = cmp.Or(unfit, fmt.Errorf("key %s cannot sign: %w", k.certificate, err))
			continue
		}
		sig, err := k.signOne(t, content, now)
		if err != nil {
			return nil, nil, &Failure{k.certificate, err}
		}
		all = append(all, sig)
		if h := strings.ReplaceAll(k.hash().String(), "-", ""); !slices.Contains(hashes, h) {
			hashes = append(hashes, h)
		}
	}
	if len(all) == 0 {
		return nil, nil, unfit
	}
	return all, hashes, nil
}

// A Failure says which valid key did not sign: its KMS is unreachable, refuses, or returned a wrong signature.
type Failure struct {
	Fingerprint string // of the certificate
	Err         error
}

func (f *Failure) Error() string { return "key " + f.Fingerprint + ": " + f.Err.Error() }

// Unwrap returns the cause.
func (f *Failure) Unwrap() error { return f.Err }

// newSignature returns an unsigned signature packet by key k at time t.
func newSignature(st packet.SignatureType, k *packet.PrivateKey, t time.Time) *packet.Signature {
	return &packet.Signature{
		Version:      k.Version,
		SigType:      st,
		PubKeyAlgo:   k.PubKeyAlgo,
		Hash:         config.DefaultHash,
		CreationTime: t,
		IssuerKeyId:  &k.KeyId,
	}
}
