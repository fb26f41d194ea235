package keypack

import (
	"bytes"
	"crypto/md5"  //nolint:gosec // rpm of EL7 has no other digest of a payload
	"crypto/sha1" //nolint:gosec // nor of a header
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"

	"github.com/google/rpmpack"

	"repomill/schemas/catalog"
	"repomill/schemas/layout"
)

// release is the Release tag of every RPM package: the version alone changes.
const release = "1"

// Tags of the signature header (rpm's rpmtag.h).
const (
	sigDSA  = 267 // of the header, by a key other than RSA
	sigRSA  = 268
	sigSHA1 = 269
	sigPGP  = 1002 // of header and payload, by RSA
	sigMD5  = 1004
	sigGPG  = 1005 // by others
)

// A Sign returns a signature of content as one OpenPGP packet, and whether the key is RSA. Another key must be Ed25519:
// rpm 4.18 cannot read ECDSA signatures, and refuses a package that has one.
type Sign func(content []byte) (packet []byte, rsa bool, err error)

// RPM builds the package for RPM, signed if sign is not nil: clients with gpgcheck=1 refuse an unsigned one. Every rpm since
// 4.11 reads it.
func RPM(s Spec, sign Sign) ([]byte, error) {
	plain, err := s.rpm(nil)
	if err != nil {
		return nil, err
	}
	header, payload, err := split(plain)
	if err != nil {
		return nil, err
	}
	whole := bytes.Join([][]byte{header, payload}, nil)
	sum, legacy := sha1.Sum(header), md5.Sum(whole) //nolint:gosec // see above
	signatures := map[int]rpmpack.IndexEntry{
		sigSHA1: rpmpack.EntryString(hex.EncodeToString(sum[:])),
		sigMD5:  rpmpack.EntryBytes(legacy[:]),
	}
	if sign != nil {
		for _, one := range []struct {
			content    []byte
			rsa, other int
		}{{header, sigRSA, sigDSA}, {whole, sigPGP, sigGPG}} {
			packet, rsa, err := sign(one.content)
			if err != nil {
				return nil, fmt.Errorf("sign %s: %w", s.File(catalog.RPM), err)
			}
			tag := one.other
			if rsa {
				tag = one.rsa
			}
			signatures[tag] = rpmpack.EntryBytes(packet)
		}
	}
	return s.rpm(signatures)
}

// rpm builds the package, with additional entries in its signature header.
func (s Spec) rpm(signatures map[int]rpmpack.IndexEntry) ([]byte, error) {
	r, err := rpmpack.NewRPM(rpmpack.RPMMetaData{
		Name: s.name(catalog.RPM), Version: s.Version, Release: release, Epoch: rpmpack.NoEpoch, Arch: layout.Noarch,
		Summary: s.summary(), Description: strings.Join(s.description(), "\n"), Licence: "Redistributable", Group: "System Environment/Base",
		Packager: s.author(), URL: s.URL, BuildHost: "localhost", BuildTime: s.Made,
		Compressor: "gzip:0", // as for DEB
	})
	if err != nil {
		return nil, fmt.Errorf("make %s: %w", s.File(catalog.RPM), err)
	}
	add := func(name string, body []byte, mode uint, kind rpmpack.FileType) {
		r.AddFile(rpmpack.RPMFile{Name: name, Body: body, Mode: mode, Owner: "root", Group: "root", MTime: uint32(s.Made.Unix()), Type: kind})
	}
	add(layout.KeyringPath(s.Repository, catalog.RPM), s.Keys, 0o644, rpmpack.GenericFile)
	const config = rpmpack.ConfigFile | rpmpack.NoReplaceFile
	switch {
	case s.Repo.Path == "":
	case s.Repo.Ghost:
		add(s.Repo.Path, nil, 0o600, config|rpmpack.GhostFile)
	default:
		add(s.Repo.Path, s.Repo.Body, 0o644, config)
	}
	for tag, e := range signatures {
		r.AddCustomSig(tag, e)
	}
	var b bytes.Buffer
	if err := r.Write(&b); err != nil {
		return nil, fmt.Errorf("make %s: %w", s.File(catalog.RPM), err)
	}
	return b.Bytes(), nil
}

// split returns the main header and the payload of a package, as signatures cover them.
func split(b []byte) (header, payload []byte, err error) {
	const lead = 96
	size := func(at int) int { // of the header structure there
		if len(b) < at+16 {
			return len(b) + 1
		}
		return 16 + 16*int(binary.BigEndian.Uint32(b[at+8:])) + int(binary.BigEndian.Uint32(b[at+12:]))
	}
	start := lead + (size(lead)+7)/8*8
	end := start + size(start)
	if end > len(b) {
		return nil, nil, errors.New("the package that was made has no header")
	}
	return b[start:end], b[end:], nil
}
