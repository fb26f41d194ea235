package ingest_test

import (
	"crypto"
	_ "crypto/md5"
	_ "crypto/sha1"
	"errors"
	"flag"
	"slices"
	"strings"
	"testing"
	"time"

	"repomill/schemas/catalog"
	"repomill/testdata/debtest"
	"repomill/testdata/pgptest"
	"repomill/testdata/rpmtest"
)

var rpmRoots = flag.String("ingest.roots", "", "folder with the roots that deploy/client-roots made: the rpm of each judges signatures, too")

var fedora43 = catalog.Distribution{OS: "fedora", Version: "43"}

// A signedCase is a package with some signatures, and what becomes of it.
type signedCase struct {
	name     string
	sigs     signatures
	key      string         // the one that is registered
	old, six catalog.Reason // for clients with rpm 4 and with rpm 6
	policy   bool           // what Sequoia's policy refuses, earlier rpm takes
}

// signatures are those of a package, by tag.
type signatures map[uint32][]rpmtest.Signer

const withSHA1, withSHA256, withSHA384, withSHA512 = crypto.SHA1, crypto.SHA256, crypto.SHA384, crypto.SHA512

// one returns one signature.
func one(t *testing.T, tag uint32, key string, version int, hash crypto.Hash) signatures {
	return signatures{tag: {by(t, key, version, hash)}}
}

// The verdict on signatures is that of rpm, as dnf asks it: of rpm 4 for el/9, of rpm 6 for fedora/43.
func TestSignedPackagesAreJudgedAsRpmkeysDoes(t *testing.T) {
	all := judges(t)
	for _, tt := range slices.Concat(goodSignatures(t), wrongSignatures(t), endedSigners(t)) {
		t.Run(tt.name, func(t *testing.T) {
			b := rpmtest.Sign(t, rpmtest.Build(t, rpmtest.Spec{}), tt.sigs)
			tt.check(t, b, el9, tt.old, all)
			tt.check(t, b, fedora43, tt.six, all)
		})
	}
}

// check stores package b in a distribution, and asks the judges that its clients have.
func (tt signedCase) check(t *testing.T, b []byte, d catalog.Distribution, want catalog.Reason, all []judge) {
	t.Helper()
	s := newSite(t)
	s.Now = time.Now
	s.declare(fedora43, "")
	s.require([]catalog.Format{catalog.RPM}, tt.key)
	_, err := s.Store(t.Context(), s.put("acme/tools/"+d.String()+"/hello.rpm", b))
	checkSignedVerdict(t, s, err, want, tt.key)
	for _, j := range all {
		if j.six != (d == fedora43) || tt.policy && !j.policy {
			continue
		}
		refused, imported := j.refuses(t, b, tt.key)
		if imported && refused != (want != "") || !imported && j.policy && want == "" {
			t.Errorf("%s refuses it: %v (imported the key: %v); we say %q", j, refused, imported, want)
		}
	}
}

func goodSignatures(t *testing.T) []signedCase {
	good := by(t, "rsa", 4, withSHA256)
	return []signedCase{
		{name: "version 3, RSA", sigs: one(t, rpmtest.SigRSA, "rsa", 3, withSHA256), key: "rsa"},
		{name: "version 3, RSA, SHA-512", sigs: one(t, rpmtest.SigRSA, "rsa", 3, withSHA512), key: "rsa"},
		{name: "version 3, ECDSA", sigs: one(t, rpmtest.SigDSA, "ecdsa", 3, withSHA256), key: "ecdsa"},
		{name: "version 3, EdDSA", sigs: one(t, rpmtest.SigDSA, "eddsa", 3, withSHA512), key: "eddsa"},
		{name: "version 3, by a subkey", sigs: one(t, rpmtest.SigDSA, "subkey", 3, withSHA256), key: "subkey"},
		{name: "version 4, RSA", sigs: one(t, rpmtest.SigRSA, "rsa", 4, withSHA256), key: "rsa"},
		{name: "version 4, RSA, SHA-384", sigs: one(t, rpmtest.SigRSA, "rsa", 4, withSHA384), key: "rsa"},
		{name: "version 4, RSA, SHA-224", sigs: one(t, rpmtest.SigRSA, "rsa", 4, crypto.SHA224), key: "rsa"},
		{name: "version 4, RSA, under the tag of others", sigs: one(t, rpmtest.SigDSA, "rsa", 4, withSHA256), key: "rsa"},
		{name: "version 4, ECDSA", sigs: one(t, rpmtest.SigDSA, "ecdsa", 4, withSHA256), key: "ecdsa"},
		{name: "version 4, EdDSA", sigs: one(t, rpmtest.SigDSA, "eddsa", 4, withSHA256), key: "eddsa"},
		{name: "version 4, by a subkey", sigs: one(t, rpmtest.SigDSA, "subkey", 4, withSHA256), key: "subkey"},
		{name: "of header and payload, version 3", sigs: one(t, rpmtest.SigPGP, "rsa", 3, withSHA256), key: "rsa"},
		{name: "of header and payload, version 4, EdDSA", sigs: one(t, rpmtest.SigGPG, "eddsa", 4, withSHA256), key: "eddsa"},
		{name: "of the header, and of both", sigs: signatures{rpmtest.SigRSA: {good}, rpmtest.SigPGP: {by(t, "rsa", 3, withSHA256)}}, key: "rsa"},
		{name: "version 4, for rpm 6", sigs: one(t, rpmtest.SigOpenPGP, "rsa", 4, withSHA256), key: "rsa", old: catalog.Unsigned},
		{name: "version 6, for rpm 6", sigs: one(t, rpmtest.SigOpenPGP, "version 6", 6, withSHA256), key: "version 6", old: catalog.Unsigned},
		{name: "version 6, SHA-512, for rpm 6", sigs: one(t, rpmtest.SigOpenPGP, "version 6", 6, withSHA512), key: "version 6", old: catalog.Unsigned},
		{name: "version 6, for all", sigs: one(t, rpmtest.SigRSA, "version 6", 6, withSHA256), key: "version 6", old: catalog.BadSignature},
	}
}

func wrongSignatures(t *testing.T) []signedCase {
	good, damaged := by(t, "rsa", 4, withSHA256), then(by(t, "rsa", 4, withSHA256), pgptest.Damaged)
	changed := func(change func([]byte) []byte) signatures { return signatures{rpmtest.SigRSA: {then(good, change)}} }
	at := func(moment time.Time) signatures {
		return signatures{rpmtest.SigRSA: {func(b []byte) []byte { return signers()["rsa"].Sign(t, 4, withSHA256, moment, b) }}}
	}
	return []signedCase{
		{name: "no signature", key: "rsa", old: catalog.Unsigned, six: catalog.Unsigned},
		{name: "a stranger's", sigs: one(t, rpmtest.SigDSA, "stranger", 4, withSHA256), key: "rsa", old: catalog.UnknownSigner, six: catalog.UnknownSigner},
		{name: "a stranger's, version 3", sigs: one(t, rpmtest.SigDSA, "stranger", 3, withSHA256), key: "rsa", old: catalog.UnknownSigner, six: catalog.UnknownSigner},
		{name: "a stranger's beside a good one", sigs: signatures{rpmtest.SigRSA: {good}, rpmtest.SigDSA: {by(t, "stranger", 4, withSHA256)}}, key: "rsa", old: catalog.UnknownSigner, six: catalog.UnknownSigner},
		{name: "a stranger's of both beside a good one", sigs: signatures{rpmtest.SigRSA: {good}, rpmtest.SigPGP: {by(t, "stranger", 4, withSHA256)}}, key: "rsa", old: catalog.UnknownSigner, six: catalog.UnknownSigner},
		{name: "a stranger's beside a good one, for rpm 6", sigs: signatures{rpmtest.SigRSA: {good}, rpmtest.SigOpenPGP: {good, by(t, "stranger", 4, withSHA256)}}, key: "rsa", six: catalog.UnknownSigner},
		{name: "damaged", sigs: changed(pgptest.Damaged), key: "rsa", old: catalog.BadSignature, six: catalog.BadSignature},
		{name: "of another header", sigs: signatures{rpmtest.SigRSA: {func(b []byte) []byte { return good(b[1:]) }}}, key: "rsa", old: catalog.BadSignature, six: catalog.BadSignature},
		{name: "of another payload", sigs: signatures{rpmtest.SigPGP: {func(b []byte) []byte { return good(b[:len(b)-1]) }}}, key: "rsa", old: catalog.BadSignature, six: catalog.BadSignature},
		{name: "cut", sigs: changed(func(b []byte) []byte { return b[:len(b)-3] }), key: "rsa", old: catalog.BadSignature, six: catalog.BadSignature},
		{name: "with a byte behind it", sigs: changed(func(b []byte) []byte { return append(b, 0) }), key: "rsa", old: catalog.BadSignature, six: catalog.BadSignature},
		{name: "twice in one tag", sigs: changed(func(b []byte) []byte { return append(b, b...) }), key: "rsa", old: catalog.BadSignature, six: catalog.BadSignature},
		{name: "nothing of the kind", sigs: changed(func([]byte) []byte { return []byte("no signature at all") }), key: "rsa", old: catalog.BadSignature, six: catalog.BadSignature},
		{name: "valid for rpm 6, damaged for others", sigs: signatures{rpmtest.SigRSA: {damaged}, rpmtest.SigOpenPGP: {good}}, key: "rsa", old: catalog.BadSignature},
		{name: "damaged for rpm 6, valid for others", sigs: signatures{rpmtest.SigRSA: {good}, rpmtest.SigOpenPGP: {damaged}}, key: "rsa", six: catalog.BadSignature},
		{name: "of the header, and a damaged one of both", sigs: signatures{rpmtest.SigRSA: {good}, rpmtest.SigPGP: {damaged}}, key: "rsa", old: catalog.BadSignature, six: catalog.BadSignature},
		{name: "SHA-1", sigs: one(t, rpmtest.SigRSA, "rsa", 4, withSHA1), key: "rsa", old: catalog.BadSignature, six: catalog.BadSignature, policy: true},
		{name: "SHA-1, version 3", sigs: one(t, rpmtest.SigRSA, "rsa", 3, withSHA1), key: "rsa", old: catalog.BadSignature, six: catalog.BadSignature, policy: true},
		{name: "MD5, version 3", sigs: one(t, rpmtest.SigRSA, "rsa", 3, crypto.MD5), key: "rsa", old: catalog.BadSignature, six: catalog.BadSignature, policy: true},
		{name: "RSA with 1024 bits", sigs: one(t, rpmtest.SigRSA, "rsa1024", 4, withSHA256), key: "rsa1024", old: catalog.BadSignature, six: catalog.BadSignature, policy: true},
		{name: "from the future", sigs: at(time.Now().Add(time.Hour)), key: "rsa", old: catalog.BadSignature, six: catalog.BadSignature, policy: true},
		{name: "from before its key", sigs: at(keysMade.Add(-time.Hour)), key: "rsa", old: catalog.BadSignature, six: catalog.BadSignature, policy: true},
		{name: "by a key that was made later", sigs: one(t, rpmtest.SigDSA, "cannot sign yet", 4, withSHA256), key: "cannot sign yet", old: catalog.BadSignature, six: catalog.BadSignature, policy: true},
	}
}

func endedSigners(t *testing.T) []signedCase {
	return []signedCase{
		{name: "by a key that had expired", sigs: one(t, rpmtest.SigDSA, "had expired", 4, withSHA256), key: "had expired", old: catalog.ExpiredSigner, six: catalog.ExpiredSigner, policy: true},
		{name: "by a key that had expired, version 3", sigs: one(t, rpmtest.SigDSA, "had expired", 3, withSHA256), key: "had expired", old: catalog.ExpiredSigner, six: catalog.ExpiredSigner, policy: true},
		{name: "by a key that expired since", sigs: one(t, rpmtest.SigDSA, "expired since", 4, withSHA256), key: "expired since"},
		{name: "by a key that leaked later", sigs: one(t, rpmtest.SigDSA, "leaked", 4, withSHA256), key: "leaked", old: catalog.ExpiredSigner, six: catalog.ExpiredSigner, policy: true},
		{name: "by a subkey that leaked later", sigs: one(t, rpmtest.SigDSA, "leaked subkey", 4, withSHA256), key: "leaked subkey", old: catalog.ExpiredSigner, six: catalog.ExpiredSigner, policy: true},
		{name: "by a key that had been retired", sigs: one(t, rpmtest.SigDSA, "was retired", 4, withSHA256), key: "was retired", old: catalog.ExpiredSigner, six: catalog.ExpiredSigner, policy: true},
		{name: "by a key that was retired since", sigs: one(t, rpmtest.SigDSA, "retired since", 4, withSHA256), key: "retired since"},
	}
}

// checkSignedVerdict checks what became of a package, and that a rejection says which keys count and leaves nothing.
func checkSignedVerdict(t *testing.T, s *site, err error, want catalog.Reason, key string) {
	t.Helper()
	if want == "" {
		if err != nil {
			t.Errorf("got %v", err)
		}
		return
	}
	primary := signers()[key].Package(t).ID
	wantRejection(t, err, want, primary, "Accepted here: ")
	rej, _ := errors.AsType[*catalog.Rejection](err)
	if want == catalog.UnknownSigner && !strings.Contains(rej.Detail, signers()["stranger"].Package(t).ID) {
		t.Errorf("detail %q does not name the stranger", rej.Detail)
	}
	if left := s.visible(); len(left) > 0 {
		t.Errorf("the bucket has %d objects", len(left))
	}
}

// A signature of the header is one of the payload only if the header has a digest of that.
func TestTheSignatureCoversThePayload(t *testing.T) {
	all := judges(t)
	bare := rpmtest.Edit(t, rpmtest.Build(t, rpmtest.Spec{}), func(main map[uint32]rpmtest.Entry) {
		for _, tag := range []uint32{5092, 5093, 5097} { // MD5 is there for both
			delete(main, tag)
		}
	}, nil)
	for _, tt := range []struct {
		name string
		tag  uint32
		want catalog.Reason
	}{{"of the header", rpmtest.SigRSA, catalog.Unsigned}, {"of both", rpmtest.SigPGP, ""}} {
		b := rpmtest.Sign(t, bare, map[uint32][]rpmtest.Signer{tt.tag: {by(t, "rsa", 3, crypto.SHA256)}})
		s := newSite(t)
		s.Now = time.Now
		s.require([]catalog.Format{catalog.RPM}, "rsa")
		_, err := s.Store(t.Context(), s.put(rpmObject, b))
		checkSignedVerdict(t, s, err, tt.want, "rsa")
		for _, j := range all {
			if refused, _ := j.refuses(t, b, "rsa"); refused != (tt.want != "") && !j.six {
				t.Errorf("%s: %s refuses it: %v", tt.name, j, refused)
			}
		}
	}
}

// What a repository asks for counts for its own format, from the next package on.
func TestSignaturesAreRequiredOfAFormat(t *testing.T) {
	s := newSite(t)
	now := time.Now()
	s.Now = func() time.Time { return now }
	store := func(object string, b []byte) error {
		now = now.Add(2 * time.Second)
		_, err := s.Store(t.Context(), s.put(object, b))
		return err
	}
	unsigned := rpmtest.Build(t, rpmtest.Spec{})
	for _, tt := range []struct {
		formats  []catalog.Format
		rpm, deb catalog.Reason
	}{
		{[]catalog.Format{catalog.RPM}, catalog.Unsigned, ""},
		{[]catalog.Format{catalog.RPM, catalog.DEB}, catalog.Unsigned, catalog.Unsigned},
		{[]catalog.Format{catalog.DEB}, "", catalog.Unsigned},
		{nil, "", ""},
		{[]catalog.Format{catalog.RPM}, catalog.Unsigned, ""}, // it is there already, and clients refuse it nevertheless
	} {
		s.require(tt.formats, "rsa")
		for _, got := range []struct {
			err  error
			want catalog.Reason
		}{{store(rpmObject, unsigned), tt.rpm}, {store(debObject, hello(t)), tt.deb}} {
			rej, _ := errors.AsType[*catalog.Rejection](got.err)
			if got.want == "" && got.err != nil || got.want != "" && (rej == nil || rej.Reason != got.want) {
				t.Errorf("with %v: got %v, want %q", tt.formats, got.err, got.want)
			}
		}
	}
}

// Who signed a package is recorded, whether that is asked for or not.
func TestSignersAreRecorded(t *testing.T) {
	s := newSite(t)
	signed := rpmtest.Sign(t, rpmtest.Build(t, rpmtest.Spec{}), map[uint32][]rpmtest.Signer{rpmtest.SigDSA: {by(t, "stranger", 4, crypto.SHA256)}})
	deb := debtest.Sign(t, hello(t), by(t, "eddsa", 4, crypto.SHA256))
	for object, tt := range map[string]struct {
		b    []byte
		want string
	}{
		rpmObject:                 {signed, signers()["stranger"].Fingerprint()},
		debObject:                 {deb, signers()["eddsa"].Fingerprint()},
		"acme/tools/el/9/two.rpm": {rpmtest.Build(t, rpmtest.Spec{Name: "two"}), ""},
	} {
		if got := s.row(s.accept(s.put(object, tt.b)).Package).Signer; got != tt.want {
			t.Errorf("%s is signed by %q, want %q", object, got, tt.want)
		}
	}
}

// rpm 4.11 knows RSA alone.
func TestSomeClientsKnowRSAAlone(t *testing.T) {
	el7 := catalog.Distribution{OS: "el", Version: "7"}
	s := newSite(t)
	s.Now = time.Now
	s.declare(el7, "")
	s.require([]catalog.Format{catalog.RPM}, "rsa", "eddsa")
	for key, want := range map[string]catalog.Reason{"rsa": "", "eddsa": catalog.BadSignature} {
		b := rpmtest.Sign(t, rpmtest.Build(t, rpmtest.Spec{}), map[uint32][]rpmtest.Signer{rpmtest.SigDSA: {by(t, key, 3, crypto.SHA256)}})
		_, err := s.Store(t.Context(), s.put("acme/tools/el/7/"+key+".rpm", b))
		rej, _ := errors.AsType[*catalog.Rejection](err)
		if want == "" && err != nil || want != "" && (rej == nil || rej.Reason != want || !strings.Contains(rej.Detail, "the rpm of el/7 knows RSA alone")) {
			t.Errorf("%s: got %v, want %q", key, err, want)
		}
	}
}
