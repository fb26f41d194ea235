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

// Clear returns body with a cleartext signature around it (RFC 9580, section 7), made at time now.
// Body must be lines of text that each end in a newline and none in white space: a cleartext
// signature does not cover anything else.
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

// canonicalText returns what a cleartext signature covers: CRLF between the lines, none after the last.
func canonicalText(body []byte) []byte {
	return bytes.ReplaceAll(bytes.TrimSuffix(body, []byte("\n")), []byte("\n"), []byte("\r\n"))
}

// Detach returns the armoured signatures of body, made at time now.
func (s *Signer) Detach(body []byte, now time.Time) ([]byte, error) {
	sig, _, err := s.sign(packet.SigTypeBinary, body, now)
	return sig, err
}

// DetachRPM returns the armoured signatures of a repomd.xml, made at time now: that of the first key once more behind
// the others. yum of EL7 judges a file by its first signature and libzypp by its last one, and both shall find the
// key that is out for the longest time.
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

// signatures returns those by the keys that are valid now, serialised. That there is none is an error.
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

// A Failure says which key made no signature, although it is valid: a KMS is out of reach, refuses, or signed wrongly.
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
