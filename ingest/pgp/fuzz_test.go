package pgp_test

import (
	"crypto"
	"testing"

	"repomill/ingest/pgp"
	"repomill/schemas/catalog"
	"repomill/testdata/pgptest"
)

// Any bytes get a verdict, and none is a signature of other content.
func FuzzSignature(f *testing.F) {
	eddsa := pgptest.New(f, pgptest.Options{Kind: pgptest.EdDSA, Made: made})
	six := pgptest.New(f, pgptest.Options{Kind: pgptest.Ed25519, Made: made})
	r := ring(f, eddsa, six)
	for _, version := range []int{3, 4} {
		for _, hash := range []crypto.Hash{crypto.MD5, crypto.SHA256, crypto.SHA512} {
			f.Add(eddsa.Sign(f, version, hash, signed, content))
		}
	}
	f.Add(six.Sign(f, 6, crypto.SHA256, signed, content))
	f.Add([]byte("-----BEGIN PGP SIGNATURE-----\n\niQ==\n-----END PGP SIGNATURE-----\n"))
	f.Add([]byte{0xc2, 0xff, 0, 0, 0, 0})
	f.Fuzz(func(t *testing.T, b []byte) {
		b = pgp.Dearmor(b)
		signer := pgp.Signer(b)
		if n := len(signer); n != 0 && n != 16 && n != 40 && n != 64 {
			t.Errorf("signed by %q", signer)
		}
		if err := verify(r, b, []byte("something else")); reason(err) != catalog.BadSignature && reason(err) != catalog.UnknownSigner && reason(err) != catalog.ExpiredSigner {
			t.Errorf("got %v", err)
		}
	})
}
