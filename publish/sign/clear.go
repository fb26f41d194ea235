package sign

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp/packet"
)

// clearStart begins a cleartext-signed message whose signatures all use SHA-512.
const clearStart = "-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA512\n\n"

// Clear returns body with a cleartext signature around it (RFC 9580, section 7), made at time now.
// Body must be lines of text that each end in a newline and none in white space: a cleartext
// signature does not cover anything else.
func (s *Signer) Clear(body []byte, now time.Time) ([]byte, error) {
	if err := checkText(body); err != nil {
		return nil, err
	}
	sig, err := s.sign(packet.SigTypeText, canonicalText(body), now)
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	b.WriteString(clearStart)
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
	return s.sign(packet.SigTypeBinary, body, now)
}

// DetachRPM returns the armoured signatures of a repomd.xml, made at time now: that of the first key once more behind
// the others. yum of EL7 judges a file by its first signature and libzypp by its last one, and both shall find the
// key that is out for the longest time.
func (s *Signer) DetachRPM(body []byte, now time.Time) ([]byte, error) {
	signatures, err := s.signatures(packet.SigTypeBinary, body, now)
	if len(signatures) > 1 {
		signatures = append(signatures, signatures[0])
	}
	return armorSignatures(signatures, err)
}

// sign returns one armoured block with a signature over content by each key.
func (s *Signer) sign(t packet.SignatureType, content []byte, now time.Time) ([]byte, error) {
	return armorSignatures(s.signatures(t, content, now))
}

// signatures returns those by the keys that are valid now. That there is none is an error.
func (s *Signer) signatures(t packet.SignatureType, content []byte, now time.Time) (all []*packet.Signature, err error) {
	var unfit error
	for _, k := range s.keys {
		if err := k.validAt(now); err != nil {
			unfit = cmp.Or(unfit, fmt.Errorf("key %s cannot sign: %w", k.certificate, err))
			continue
		}
		sig := newSignature(t, k.private, now)
		h := sig.Hash.New()
		h.Write(content)
		if err := sig.Sign(h, k.private, config); err != nil {
			return nil, fmt.Errorf("key %s: %w", k.certificate, err)
		}
		all = append(all, sig)
	}
	if len(all) == 0 {
		return nil, unfit
	}
	return all, nil
}

func armorSignatures(all []*packet.Signature, err error) ([]byte, error) {
	if err != nil {
		return nil, err
	}
	return enarmor(signatureType, func(w io.Writer) error {
		for _, sig := range all {
			if err := sig.Serialize(w); err != nil {
				return err
			}
		}
		return nil
	})
}

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
