package layout

import (
	"fmt"
	"slices"
	"strings"
)

// Kinds of keys that sign repositories.
const (
	RSA     = "RSA"
	Ed25519 = "Ed25519"
	ECDSA   = "ECDSA"
)

// ReadsKey reports whether clients of the distribution verify signatures of a repository by keys of an algorithm. The
// first word of algorithm is the kind, as in "RSA 4096" or "ECDSA P256".
//
// It depends on the program that verifies, and on where that keeps its keys:
//   - yum of EL 7 and Amazon Linux 2 (pygpgme), and zypper of SLES 12, have gpg 2.0, and Ubuntu xenial's apt has gpgv 1.4:
//     elliptic curves came with gpg 2.1. The rpm of these, 4.11, has none either: Keys follow from it where they are omitted.
//   - dnf 4 of EL 8, EL 9 and Amazon Linux 2023 verifies with gpgme (librepo/gpg_gpgme.c), which is gpg 2.2 or 2.3, in a keyring
//     of its own that rpm has no part in: it reads all. EL 10 and Fedora from 39 on have librepo/gpg_rpm.c over rpm with
//     Sequoia, which reads all, too.
//   - zypper verifies with gpg, but the keys that it trusts are those of rpm's database (KeyRingSignalReceiver in
//     zypp/target/rpm/RpmDb.cc). The rpm of SLES 15 and Leap 15 has an OpenPGP of its own, which imports no key of ECDSA
//     (tried: rpm 4.18).
//   - gpgv of other releases of Debian and Ubuntu is 2.1.18 or later, and apt's sqv reads all.
func (d Distro) ReadsKey(algorithm string) bool {
	kind, _, _ := strings.Cut(algorithm, " ")
	return len(d.Keys) == 0 || slices.Contains(d.Keys, kind)
}

// ReadsOne reports whether clients of the distribution accept a release that keys of some algorithms have signed, in this
// order. yum verifies the first signature, zypper the last one, which is that of the first key again, and others any.
func (d Distro) ReadsOne(algorithms []string) bool {
	if len(algorithms) > 0 && (d.Client == Yum || d.Client == Zypper) {
		algorithms = algorithms[:1]
	}
	return slices.ContainsFunc(algorithms, d.ReadsKey)
}

func checkKeys(kinds []string) error {
	for _, k := range kinds {
		if all := []string{RSA, Ed25519, ECDSA}; !slices.Contains(all, k) {
			return fmt.Errorf("keys are kinds of keys that sign repositories: %q is none of %q", k, all)
		}
	}
	if len(kinds) > 0 && !slices.Contains(kinds, RSA) {
		return fmt.Errorf("keys must have %q: every client reads it", RSA)
	}
	return nil
}
