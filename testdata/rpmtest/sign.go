package rpmtest

import (
	"encoding/base64"
	"slices"
	"testing"
)

// The tags of signatures.
const (
	SigDSA     = 267 // of the main header, by a key of any kind but RSA
	SigRSA     = 268 // of the main header
	SigOpenPGP = 278 // of the main header, for rpm 6: any number
	SigPGP     = 1002
	SigGPG     = 1005 // of the main header and the payload
)

// A Signer returns an OpenPGP signature of content.
type Signer func(content []byte) []byte

// Sign returns package b with more signatures, by tag. Edit made its digests, or will.
func Sign(t testing.TB, b []byte, signers map[uint32][]Signer) []byte {
	t.Helper()
	old, n := header(t, b[leadSize:])
	rest := b[leadSize+n+-n&7:]
	_, size := header(t, rest)
	for tag, all := range signers {
		content := rest[:size]
		if tag == SigPGP || tag == SigGPG {
			content = rest
		}
		for _, sign := range all {
			sig := sign(content)
			if tag != SigOpenPGP {
				old[tag] = Entry{7, uint32(len(sig)), sig}
				continue
			}
			e := old[tag]
			old[tag] = Entry{8, e.Count + 1, append(append(e.Data, base64.StdEncoding.EncodeToString(sig)...), 0)}
		}
	}
	s := layOut(signatureRegion, old)
	return slices.Concat(b[:leadSize], s, make([]byte, -len(s)&7), rest)
}
