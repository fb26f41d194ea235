package sign

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"

	"github.com/ProtonMail/go-crypto/openpgp/armor"
	openpgp "github.com/ProtonMail/go-crypto/openpgp/v2"
)

const signatureType = "PGP SIGNATURE"

// enarmor returns the output of write in an armoured block. The CRC24 line is needed: gpgv 2.2 exits 2 on an InRelease
// without it.
func enarmor(blockType string, write func(io.Writer) error) ([]byte, error) {
	var b bytes.Buffer
	w, err := armor.EncodeWithChecksumOption(&b, blockType, nil, true)
	if err != nil {
		return nil, err
	}
	if err := write(w); err != nil {
		return nil, err
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	b.WriteByte('\n')
	return b.Bytes(), nil
}

// enarmorBytes returns packets in an armoured block.
func enarmorBytes(blockType string, packets []byte) ([]byte, error) {
	return enarmor(blockType, func(w io.Writer) error {
		_, err := w.Write(packets)
		return err
	})
}

// armorKeys returns certificates in one armoured block, with or without their private parts.
func armorKeys(list openpgp.EntityList, private bool) ([]byte, error) {
	blockType := openpgp.PublicKeyType
	if private {
		blockType = openpgp.PrivateKeyType
	}
	return enarmor(blockType, func(w io.Writer) error {
		for _, e := range list {
			if err := writeCertificate(w, e, private); err != nil {
				return err
			}
		}
		return nil
	})
}

// writeCertificate writes the packets of e. Unlike the library's writers it sorts the user ids, so that the bytes are
// always the same.
func writeCertificate(w io.Writer, e *openpgp.Entity, private bool) error {
	key := e.PrimaryKey.Serialize
	if private {
		key = e.PrivateKey.Serialize
	}
	if err := key(w); err != nil {
		return err
	}
	for _, sig := range slices.Concat(e.Revocations, e.DirectSignatures) {
		if err := sig.Packet.Serialize(w); err != nil {
			return err
		}
	}
	for _, name := range slices.Sorted(maps.Keys(e.Identities)) {
		if err := e.Identities[name].Serialize(w); err != nil {
			return err
		}
	}
	for _, s := range e.Subkeys {
		if err := s.Serialize(w, private && s.PrivateKey != nil); err != nil {
			return err
		}
	}
	return nil
}

// dearmorKeys returns the packets of all key blocks in b, one after the other.
func dearmorKeys(b []byte) ([]byte, error) {
	var raw []byte
	for rest := b; ; {
		i := bytes.Index(rest, []byte("-----BEGIN PGP "))
		if i < 0 {
			break
		}
		block, err := armor.Decode(bytes.NewReader(rest[i:]))
		if err != nil {
			return nil, fmt.Errorf("bad armour: %w", noEOF(err))
		}
		if block.Type != openpgp.PublicKeyType && block.Type != openpgp.PrivateKeyType {
			return nil, fmt.Errorf("the block is a %.60q, not a key", block.Type)
		}
		body, err := io.ReadAll(block.Body) // shorter than b
		if err != nil {
			return nil, fmt.Errorf("bad armour: %w", noEOF(err))
		}
		raw = append(raw, body...)
		rest = rest[i+1:]
	}
	if len(raw) == 0 {
		return nil, errors.New("no armoured key found")
	}
	return raw, nil
}

// PublicPackets returns armoured public keys as the one binary file that programs read which know no armour.
func PublicPackets(armored []byte) ([]byte, error) {
	list, err := readCertificates(armored)
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	for _, e := range list {
		if err := writeCertificate(&b, e, false); err != nil {
			return nil, err
		}
	}
	return b.Bytes(), nil
}

func isEOF(err error) bool { return errors.Is(err, io.EOF) }

// noEOF replaces io.EOF with an error that says that the block is cut off.
func noEOF(err error) error {
	if isEOF(err) {
		return io.ErrUnexpectedEOF
	}
	return err
}

var (
	signatureStart = []byte("-----BEGIN " + signatureType + "-----")
	signatureEnd   = []byte("-----END " + signatureType + "-----")
)

// dearmorSignature returns the packets of exactly one armoured signature block.
// The CRC24 line must be present and correct, because some clients require it.
func dearmorSignature(b []byte) ([]byte, error) {
	lines := bytes.Split(bytes.TrimSuffix(b, []byte("\n")), []byte("\n"))
	last := len(lines) - 1
	if !bytes.Equal(lines[0], signatureStart) || !bytes.Equal(lines[last], signatureEnd) {
		return nil, errors.New("not one armoured signature block")
	}
	blank := slices.IndexFunc(lines, func(l []byte) bool { return len(l) == 0 })
	if blank < 0 || last-blank < 2 {
		return nil, errors.New("the signature block has no blank line, no data or no CRC24 line")
	}
	for _, l := range lines[1:blank] {
		if !bytes.Contains(l, []byte(": ")) {
			return nil, errors.New("the signature block has a bad header line")
		}
	}
	crc := lines[last-1]
	raw, err := base64.StdEncoding.Strict().DecodeString(string(bytes.Join(lines[blank+1:last-1], nil)))
	if err != nil {
		return nil, fmt.Errorf("the signature block is not base64: %w", err)
	}
	if want := "=" + base64.StdEncoding.EncodeToString(crc24(raw)); string(crc) != want {
		return nil, errors.New("the CRC24 line of the signature block is missing or wrong")
	}
	return raw, nil
}

// crc24 returns the armour checksum of b (RFC 9580, section 6.1).
func crc24(b []byte) []byte {
	crc := uint32(0xb704ce)
	for _, c := range b {
		crc ^= uint32(c) << 16
		for range 8 {
			crc <<= 1
			if crc&0x1000000 != 0 {
				crc ^= 0x1864cfb
			}
		}
	}
	return []byte{byte(crc >> 16), byte(crc >> 8), byte(crc)}
}
