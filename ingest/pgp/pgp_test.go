package pgp_test

import (
	"bytes"
	"crypto"
	_ "crypto/md5"
	_ "crypto/sha1"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp/packet"

	"repomill/ingest/pgp"
	"repomill/schemas/catalog"
	"repomill/testdata/pgptest"
)

const day = 24 * time.Hour

var (
	tools   = catalog.Repository{Owner: "acme", Name: "tools"}
	made    = time.Date(2025, 1, 1, 0, 0, 0, 0, time.UTC)
	signed  = made.Add(100 * day)
	now     = made.Add(400 * day)
	content = []byte("the header of a package")
)

// ring registers keys.
func ring(t testing.TB, keys ...*pgptest.Key) *pgp.Ring {
	t.Helper()
	var all []catalog.PackageKey
	for _, k := range keys {
		all = append(all, k.Package(t))
	}
	r, err := pgp.Read(tools, all)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// verify does with a signature what a reader of packages does.
func verify(r *pgp.Ring, sig, content []byte) error {
	s, err := r.Signature(sig, now)
	if err != nil {
		return err
	}
	h := s.New()
	h.Write(content)
	return s.Verify(h)
}

func reason(err error) catalog.Reason {
	if rej, ok := errors.AsType[*catalog.Rejection](err); ok {
		return rej.Reason
	}
	return catalog.Reason(fmt.Sprint(err))
}

func TestSignaturesOfEveryKind(t *testing.T) {
	for _, tt := range []struct {
		kind     pgptest.Kind
		versions []int
	}{
		{pgptest.RSA, []int{3, 4}}, {pgptest.ECDSA, []int{3, 4}}, {pgptest.EdDSA, []int{3, 4}}, {pgptest.Ed25519, []int{6}},
	} {
		k := pgptest.New(t, pgptest.Options{Kind: tt.kind, Made: made})
		stranger := pgptest.New(t, pgptest.Options{Kind: tt.kind, Made: made})
		r := ring(t, stranger, k)
		for _, version := range tt.versions {
			for _, hash := range []crypto.Hash{crypto.SHA256, crypto.SHA384, crypto.SHA512} {
				name := fmt.Sprintf("%s, version %d, %s", tt.kind, version, hash)
				sig := k.Sign(t, version, hash, signed, content)
				if err := verify(r, sig, content); err != nil {
					t.Errorf("%s: %v", name, err)
				}
				for what, err := range map[string]error{
					"other content": verify(r, sig, content[1:]), "a damaged one": verify(r, pgptest.Damaged(sig), content),
				} {
					if reason(err) != catalog.BadSignature {
						t.Errorf("%s: %s: got %v", name, what, err)
					}
				}
				if err := verify(ring(t, stranger), sig, content); reason(err) != catalog.UnknownSigner || !strings.Contains(err.Error(), pgp.Signer(sig)) {
					t.Errorf("%s: of a stranger: got %v", name, err)
				}
				if want := k.Fingerprint(); pgp.Signer(sig) != want && (version != 3 || pgp.Signer(sig) != want[24:]) {
					t.Errorf("%s: the signer is %s, want %s", name, pgp.Signer(sig), want)
				}
			}
		}
	}
}

// No byte of a signature may be another, but for the hint in version 4 at who made it, which is not signed.
func TestEveryByteCounts(t *testing.T) {
	k := pgptest.New(t, pgptest.Options{Kind: pgptest.EdDSA, Made: made})
	r := ring(t, k)
	for _, version := range []int{3, 4} {
		sig := k.Sign(t, version, crypto.SHA256, signed, content)
		for i := range sig {
			for bit := range 8 {
				b := bytes.Clone(sig)
				b[i] ^= 1 << bit
				err := verify(r, b, content)
				hint := version == 4 && i >= 38 && i < 50 // the subpackets that are not hashed
				if err == nil && !hint {
					t.Errorf("version %d: accepted with byte %d %#x instead of %#x", version, i, b[i], sig[i])
				}
			}
		}
	}
}

func TestKeysOverTime(t *testing.T) {
	eddsa := func(o pgptest.Options) *pgptest.Key {
		o.Kind, o.Made = pgptest.EdDSA, made
		return pgptest.New(t, o)
	}
	revoked := func(o pgptest.Options, at time.Time, why packet.ReasonForRevocation) *pgptest.Key {
		k := eddsa(o)
		k.RevokeAt(t, at, why)
		return k
	}
	for _, tt := range []struct {
		name string
		key  *pgptest.Key
		at   time.Time // of the signature
		want catalog.Reason
	}{
		{"a key signs", eddsa(pgptest.Options{}), signed, ""},
		{"a subkey signs", eddsa(pgptest.Options{Subkey: true}), signed, ""},
		{"before the key was made", eddsa(pgptest.Options{}), made.Add(-time.Second), catalog.BadSignature},
		{"the second when it was made", eddsa(pgptest.Options{}), made, ""},
		{"in the future, by less than clocks differ", eddsa(pgptest.Options{}), now.Add(4 * time.Minute), ""},
		{"in the future", eddsa(pgptest.Options{}), now.Add(6 * time.Minute), catalog.BadSignature},
		{"the last second before it expires", eddsa(pgptest.Options{Lifetime: 100 * day}), signed.Add(-time.Second), ""},
		{"the second when it expires", eddsa(pgptest.Options{Lifetime: 100 * day}), signed, catalog.ExpiredSigner},
		{"a subkey that expires", eddsa(pgptest.Options{Lifetime: 100 * day, Subkey: true}), signed, catalog.ExpiredSigner},
		{"it leaks later", revoked(pgptest.Options{}, signed.Add(day), packet.KeyCompromised), signed, catalog.ExpiredSigner},
		{"no reason is given later", revoked(pgptest.Options{}, signed.Add(day), packet.NoReason), signed, catalog.ExpiredSigner},
		{"it is retired later", revoked(pgptest.Options{}, signed.Add(day), packet.KeyRetired), signed, ""},
		{"it is replaced later", revoked(pgptest.Options{}, signed.Add(day), packet.KeySuperseded), signed, ""},
		{"it was retired", revoked(pgptest.Options{}, signed.Add(-day), packet.KeyRetired), signed, catalog.ExpiredSigner},
		{"a subkey leaks later", revoked(pgptest.Options{Subkey: true}, signed.Add(day), packet.KeyCompromised), signed, catalog.ExpiredSigner},
		{"a subkey is retired later", revoked(pgptest.Options{Subkey: true}, signed.Add(day), packet.KeyRetired), signed, ""},
	} {
		for _, version := range []int{3, 4} {
			err := verify(ring(t, tt.key), tt.key.Sign(t, version, crypto.SHA256, tt.at, content), content)
			if tt.want == "" && err != nil || tt.want != "" && reason(err) != tt.want {
				t.Errorf("%s, version %d: got %v, want %q", tt.name, version, err, tt.want)
			}
		}
	}
}

func TestWhatDoesNotCount(t *testing.T) {
	k, small := pgptest.New(t, pgptest.Options{Kind: pgptest.RSA, Made: made}), pgptest.New(t, pgptest.Options{Kind: pgptest.RSA1024, Made: made})
	r := ring(t, k, small)
	for _, tt := range []struct {
		name string
		sig  []byte
		want string
	}{
		{"MD5", k.Sign(t, 3, crypto.MD5, signed, content), "it uses MD5"},
		{"SHA-1", k.Sign(t, 4, crypto.SHA1, signed, content), "it uses SHA-1"},
		{"a small key", small.Sign(t, 4, crypto.SHA256, signed, content), "RSA with 1024 bits"},
		{"of text", func() []byte { b := k.Sign(t, 4, crypto.SHA256, signed, content); b[4] = 1; return b }(), "type 0x1"},
		{"nothing", nil, "cannot be read"},
	} {
		err := verify(r, tt.sig, content)
		if reason(err) != catalog.BadSignature || !strings.Contains(err.Error(), tt.want) || !strings.Contains(err.Error(), "Accepted here: "+k.Fingerprint()+", "+small.Fingerprint()) {
			t.Errorf("%s: got %v, want %q and the keys", tt.name, err, tt.want)
		}
	}
}

// Two keys have one ID: the signature is by the one that it verifies with.
func TestKeysWithOneID(t *testing.T) {
	k, other := pgptest.New(t, pgptest.Options{Kind: pgptest.EdDSA, Made: made}), pgptest.New(t, pgptest.Options{Kind: pgptest.EdDSA, Made: made})
	r := ring(t, other, k)
	r.Alike() // as if it had been forged
	sig := k.Sign(t, 3, crypto.SHA256, signed, content)
	if err := verify(r, sig, content); err != nil {
		t.Error(err)
	}
	if err := verify(r, sig, content[1:]); reason(err) != catalog.BadSignature {
		t.Errorf("other content: got %v", err)
	}
}

func TestReadSaysWhichKeyIsNone(t *testing.T) {
	_, err := pgp.Read(tools, []catalog.PackageKey{{ID: "0123456789ABCDEF", Armor: "nonsense"}})
	if err == nil || !strings.Contains(err.Error(), "0123456789ABCDEF") {
		t.Errorf("got %v", err)
	}
}
