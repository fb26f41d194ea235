package pgp

import (
	"encoding/binary"
	"math/bits"
)

// parse reads exactly one signature packet.
func parse(raw []byte) (signature, error) {
	body, err := unwrap(raw)
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
	if rest = rest[2:]; s.version == 6 { // the salt, behind two bytes of the digest
		if len(rest) == 0 || len(rest) < 1+int(rest[0]) {
			return s, errMalformed
		}
		rest = rest[1+int(rest[0]):]
	}
	if !s.endsAfter(rest) {
		return s, errMalformed
	}
	return s, nil
}

// unwrap returns the body of a packet of type 2 that is all there is (RFC 9580, section 4.2). Its length must be known:
// no signature is of a partial or an indeterminate one.
func unwrap(raw []byte) ([]byte, error) {
	if len(raw) < 2 || len(raw) > maxPacket {
		return nil, errMalformed
	}
	tag, size, n := raw[0], 0, 0
	switch {
	case tag&0xc0 == 0xc0 && tag&0x3f == 2:
		size, n = length(raw[1:])
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

// length reads the length of a packet or a subpacket, and returns how many bytes it has: none if there is no length.
func length(b []byte) (size, n int) {
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

// parse3 reads a packet of version 3 up to its digest (RFC 4880, section 5.2.2).
func (s *signature) parse3() (rest []byte, err error) {
	const upToDigest = 17
	b := s.body
	if len(b) < upToDigest || b[1] != 5 {
		return nil, errMalformed
	}
	s.kind, s.made = b[2], binary.BigEndian.Uint32(b[3:])
	s.issuer.id = binary.BigEndian.Uint64(b[7:])
	s.algorithm, s.hash = b[15], b[16]
	return b[upToDigest:], nil
}

// as4 returns the body of a packet of version 4 with the numbers of s, which has version 3.
func (s signature) as4() []byte {
	b := []byte{4, s.kind, s.algorithm, s.hash, 0, 6, 5, subMade}
	b = binary.BigEndian.AppendUint32(b, s.made)
	b = append(b, 0, 10, 9, subIssuer)
	b = binary.BigEndian.AppendUint64(b, s.issuer.id)
	return append(b, s.body[17:]...)
}

// suffix3 is what a signature of version 3 covers besides the data.
func (s signature) suffix3() []byte {
	return binary.BigEndian.AppendUint32([]byte{s.kind}, s.made)
}

// parse4 reads a packet of version 4 or 6 up to its digest (RFC 9580, section 5.2.3).
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
	subMade        = 2
	subIssuer      = 16
	subFingerprint = 33
)

// subpackets reads who made a signature, and when. What is not hashed anyone may have added: it says only which key to
// try.
func (s *signature) subpackets(b []byte, hashed bool) error {
	for len(b) > 0 {
		size, n := length(b)
		if n == 0 || size == 0 || size > len(b)-n {
			return errMalformed
		}
		kind, value := b[n]&0x7f, b[n+1:n+size]
		b = b[n+size:]
		switch {
		case kind == subMade && hashed && len(value) == 4:
			s.made = binary.BigEndian.Uint32(value)
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

// idOf returns the ID of a key: the end of a fingerprint of version 4, the begin of one of version 6.
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

// endsAfter reports whether b has the numbers that the algorithm has, and no byte more. What the numbers of unknown
// algorithms are is unknown.
func (s signature) endsAfter(b []byte) bool {
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
		length := int(binary.BigEndian.Uint16(b)) // in bits, from the first that is set: clients insist on it
		size := (length + 7) / 8
		if size == 0 || len(b) < 2+size || bits.Len8(b[2])+8*(size-1) != length {
			return false
		}
		b = b[2+size:]
	}
	return len(b) == 0
}
