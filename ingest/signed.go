package ingest

import (
	"slices"
	"time"

	"repomill/ingest/deb"
	"repomill/ingest/pgp"
	"repomill/ingest/rpm"
	"repomill/schemas/catalog"
	"repomill/schemas/layout"
)

// signersOf returns the keys of which one must have signed packages of a format, or nil if they need no signature.
func signersOf(s catalog.Settings, f catalog.Format) (*pgp.Ring, error) {
	if !slices.Contains(s.RequireSigned, f) {
		return nil, nil
	}
	return pgp.Read(s.Repository, s.PackageKeys)
}

// requireSigned checks that clients with the keys in ring accept the signatures of a package, or makes its body check
// it.
func requireSigned(pkg source, ring *pgp.Ring, distro layout.Distro, now time.Time) error {
	if ring == nil {
		return nil
	}
	switch p := pkg.(type) {
	case *rpm.Package:
		return guard(func() error { return p.RequireSigned(rpmKeys{ring, now, distro}, distro.StrongDigests) })
	case *deb.Package:
		p.RequireSigned(debKeys{ring, now})
	}
	return nil
}

// rpmKeys accept signatures as rpm does.
type rpmKeys struct {
	ring   *pgp.Ring
	now    time.Time
	distro layout.Distro
}

func (k rpmKeys) Signature(packet []byte) (rpm.Signature, error) {
	s, err := k.ring.Signature(packet, k.now)
	if err == nil && !k.distro.StrongDigests {
		err = s.CheckOld("rpm before 6")
	}
	if err == nil && k.distro.RSAOnly {
		err = s.CheckRSA("the rpm of " + k.distro.Distribution.String())
	}
	if err != nil {
		return nil, err
	}
	return s, nil
}

func (k rpmKeys) Unsigned(what string) error { return k.ring.Unsigned(catalog.RPM, what) }

// debKeys accept signatures as debsig-verify does, with gpg.
type debKeys struct {
	ring *pgp.Ring
	now  time.Time
}

func (k debKeys) Signature(packet []byte) (deb.Signature, error) {
	s, err := k.ring.Signature(pgp.Dearmor(packet), k.now)
	if err == nil {
		err = s.CheckOld("gpg")
	}
	if err != nil {
		return nil, err
	}
	return s, nil
}

func (k debKeys) Unsigned(what string) error { return k.ring.Unsigned(catalog.DEB, what) }

// signerOf returns the key that the signature of a package names, or "". The package must have been read to its end.
// The signature was not verified.
func signerOf(pkg source) string {
	p, ok := pkg.(interface{ SignaturePackets() [][]byte })
	if !ok {
		return ""
	}
	for _, packet := range p.SignaturePackets() {
		if s := pgp.Signer(pgp.Dearmor(packet)); s != "" {
			return s
		}
	}
	return ""
}
