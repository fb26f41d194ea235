package pgp

import (
	"encoding/binary"
	"math/bits"
)

// parseSignature reads exactly one signature packet. The error is errMalformed.
func parseSignature(raw []byte) (signature, error) {
	body, err := packetBody(raw)
	if err != nil || len(body) < 6 {
		return signature{}, errMalformed
	}
	s := signature{version: body[0], body: body}
	rest := []byte(nil)
	switch s.version {
	case 3:
		rest, err = s.parse3()
	case 4, 6:
		rest, err = s.parse4()
	default:
		return s, errMalformed
	}
	if err != nil || len(rest) < 2 {
		return s, errMalformed
	}
	if rest = rest[2:]; s.version == 6 { // the salt follows two bytes of the digest
		if len(rest) == 0 || len(rest) < 1+int(rest[0]) {
			return s, errMalformed
		}
		rest = rest[1+int(rest[0]):]
	}
	if !s.endsWithNumbers(rest) {
		return s, errMalformed
	}
	return s, nil
}

// packetBody returns the body of a packet of type 2 that is all of raw (RFC 9580, section 4.2). A partial or
// indeterminate length is not accepted: signatures do not have one.
func packetBody(raw []byte) ([]byte, error) {
	if len(raw) < 2 || len(raw) > maxPacket {
		return nil, errMalformed
	}
	tag, size, n := raw[0], 0, 0
	switch {
	case tag&0xc0 == 0xc0 && tag&0x3f == 2:
		size, n = packetLength(raw[1:])
	case tag&0xc0 == 0x80 && tag>>2&0xf == 2 && tag&3 < 3:
		n = 1 << (tag & 3)
		if len(raw) < 1+n {
			return nil, errMalformed
		}
		for _, b := range raw[1 : 1+n] {
			size = size<<8 | int(b)
		}
	}
	if n == 0 || size != len(raw)-1-n {
		return nil, errMalformed
	}
	return raw[1+n:], nil
}

// packetLength reads the length of a packet or a subpacket. n is the number of bytes that encode it, or 0 if b does
// not begin with a length.
func packetLength(b []byte) (size, n int) {
	switch {
	case len(b) > 0 && b[0] < 192:
		return int(b[0]), 1
	case len(b) > 1 && b[0] >= 192 && b[0] < 224:
		return (int(b[0])-192)<<8 + int(b[1]) + 192, 2
	case len(b) > 4 && b[0] == 255:
		return int(binary.BigEndian.Uint32(b[1:])), 5
	}
	return 0, 0
}

// parse3 reads a packet of version 3 up to its digest (RFC 4880, section 5.2.2), and returns the rest.
func (s *signature) parse3() (rest []byte, err error) {
	const upToDigest = 17
	b := s.body
	if len(b) < upToDigest || b[1] != 5 {
		return nil, errMalformed
	}
	s.kind, s.created = b[2], binary.BigEndian.Uint32(b[3:])
	s.issuer.id = binary.BigEndian.Uint64(b[7:])
	s.algorithm, s.hash = b[15], b[16]
	return b[upToDigest:], nil
}

// bodyAsV4 returns the body of a packet of version 4 with the numbers of s, which has version 3.
func (s signature) bodyAsV4() []byte {
	b := []byte{4, s.kind, s.algorithm, s.hash, 0, 6, 5, subCreated}
	b = binary.BigEndian.AppendUint32(b, s.created)
	b = append(b, 0, 10, 9, subIssuer)
	b = binary.BigEndian.AppendUint64(b, s.issuer.id)
	return append(b, s.body[17:]...)
}

// hashSuffix3 returns what a signature of version 3 covers besides the data.
func (s signature) hashSuffix3() []byte {
	return binary.BigEndian.AppendUint32([]byte{s.kind}, s.created)
}

// parse4 reads a packet of version 4 or 6 up to its digest (RFC 9580, section 5.2.3), and returns the rest.
func (s *signature) parse4() (rest []byte, err error) {
	s.kind, s.algorithm, s.hash = s.body[1], s.body[2], s.body[3]
	rest = s.body[4:]
	for _, hashed := range []bool{true, false} {
		width := 2
		if s.version == 6 {
			width = 4
		}
		if len(rest) < width {
			return nil, errMalformed
		}
		size := uint64(0)
		for _, b := range rest[:width] {
			size = size<<8 | uint64(b)
		}
		if rest = rest[width:]; uint64(len(rest)) < size {
			return nil, errMalformed
		}
		if err := s.subpackets(rest[:size], hashed); err != nil {
			return nil, err
		}
		rest = rest[size:]
	}
	return rest, nil
}

// Types of subpackets (RFC 9580, section 5.2.3.7).
const (
	subCreated     = 2
	subIssuer      = 16
	subFingerprint = 33
)

// subpackets reads the issuer and the creation time. Subpackets that are not hashed may have been added by anyone:
// they only choose the key that is tried.
func (s *signature) subpackets(b []byte, hashed bool) error {
	for len(b) > 0 {
		size, n := packetLength(b)
		if n == 0 || size == 0 || size > len(b)-n {
			return errMalformed
		}
		kind, value := b[n]&0x7f, b[n+1:n+size]
		b = b[n+size:]
		switch {
		case kind == subCreated && hashed && len(value) == 4:
			s.created = binary.BigEndian.Uint32(value)
		case kind == subIssuer && len(value) == 8 && s.issuer.id == 0:
			s.issuer.id = binary.BigEndian.Uint64(value)
		case kind == subFingerprint && len(value) == 21 && value[0] == 4 && s.issuer.fingerprint == nil:
			s.issuer.fingerprint = value[1:]
		case kind == subFingerprint && len(value) == 33 && value[0] == 6 && s.issuer.fingerprint == nil:
			s.issuer.fingerprint = value[1:]
		}
	}
	if f := s.issuer.fingerprint; f != nil && s.issuer.id == 0 {
		s.issuer.id = idOf(f)
	}
	return nil
}

// idOf returns the ID of a key: the end of a fingerprint of version 4, the start of one of version 6.
func idOf(fingerprint []byte) uint64 {
	if len(fingerprint) == 20 {
		fingerprint = fingerprint[12:]
	}
	return binary.BigEndian.Uint64(fingerprint)
}

// Algorithms of keys (RFC 9580, section 9.1).
const (
	algRSA     = 1
	algRSASign = 3
	algDSA     = 17
	algECDSA   = 19
	algEdDSA   = 22
	algEd25519 = 27
	algEd448   = 28
)

// endsWithNumbers reports whether b has exactly the numbers of the algorithm. It accepts any bytes for an unknown
// algorithm.
func (s signature) endsWithNumbers(b []byte) bool {
	numbers := 2
	switch s.algorithm {
	case algRSA, algRSASign:
		numbers = 1
	case algDSA, algECDSA, algEdDSA:
	case algEd25519:
		return len(b) == 64
	case algEd448:
		return len(b) == 114
	default:
		return true
	}
	for range numbers {
		if len(b) < 2 {
			return false
		}
		length := int(binary.BigEndian.Uint16(b)) // in bits, without leading zeros, as clients require
		size := (length + 7) / 8
		if size == 0 || len(b) < 2+size || bits.Len8(b[2])+8*(size-1) != length {
			return false
		}
		b = b[2+size:]
	}
	return len(b) == 0
}
