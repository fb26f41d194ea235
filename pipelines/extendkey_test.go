package pipelines_test

import (
	"bytes"
	"crypto"
	"crypto/rsa"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp/armor"
	"github.com/ProtonMail/go-crypto/openpgp/packet"
	openpgp "github.com/ProtonMail/go-crypto/openpgp/v2"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"

	"repomill/pipelines"
	"repomill/pipelines/kms"
	"repomill/publish/keys"
	"repomill/publish/sign"
	"repomill/testdata/kmstest"
)

// shortLived is an armoured private key that expires after some time, made two days ago.
func shortLived(t *testing.T, life time.Duration) []byte {
	t.Helper()
	made := time.Now().Add(-48 * time.Hour)
	return privateKey(t, &packet.Config{Algorithm: packet.PubKeyAlgoEdDSA, KeyLifetimeSecs: uint32(life / time.Second), Time: func() time.Time { return made }})
}

// A worker goes by the list of keys: its own file may be an older copy, which does not undo the extension.
func TestAnExtensionThatTheFileOfAWorkerLacks(t *testing.T) {
	k := newKeyRoom(t)
	file := shortLived(t, 49*time.Hour)
	name := fingerprintsOf(t, file)[0]
	k.file(file)
	r, err := k.open()
	must(t, err)
	until := time.Now().AddDate(1, 0, 0).UTC().Truncate(time.Second)
	_, extended, err := sign.Extend(file, nil, name, until, time.Now())
	must(t, err)
	before, _ := r.KeyState()
	set, err := keys.Change(t.Context(), r.Bucket, func(s *keys.Set) error { s.Add(time.Now(), keys.Signing, extended); return nil })
	must(t, err)
	for range 2 {
		must(t, r.RefreshKeys(t.Context()))
	}
	after, _ := r.KeyState()
	if now, _ := r.Keys(); now.Revision != set.Revision || now.Keys[0].Public != string(extended.Public) {
		t.Error("the older copy was put back")
	}
	if before.Given == after.Given || before.DEB != after.DEB {
		t.Errorf("wanted was %+v and is %+v: clients should be given the key again, and nothing should be signed again", before, after)
	}
	r.Close()

	// In the file it has expired by now; another worker starts.
	expired := shortLived(t, time.Hour)
	name = fingerprintsOf(t, expired)[0]
	_, extended, err = sign.Extend(expired, nil, name, until, time.Now())
	must(t, err)
	k = newKeyRoom(t)
	k.file(expired)
	_, err = keys.Change(t.Context(), openBucket(t, k.dir), func(s *keys.Set) error { s.Add(time.Now(), keys.Signing, extended); return nil })
	must(t, err)
	r, err = k.open()
	must(t, err)
	k.check("extended elsewhere", r, []string{name}, nil)
}

func TestExtendKeyOfAnotherKMS(t *testing.T) {
	t.Parallel()
	a := kmstest.StartAWS(t)
	b := openBucket(t, t.TempDir())
	one, other := a.URL(a.NewKey(types.KeySpecEccNistP256)), a.URL(a.NewKey(types.KeySpecEccNistP256))
	added := addKey(t, b, one)
	if _, _, err := pipelines.ExtendKey(t.Context(), b, other, added.Public, time.Now().AddDate(1, 0, 0), time.Now()); !errors.Is(err, sign.ErrNotHere) {
		t.Errorf("got %v", err)
	}
}

// expiringHalf is a public half of a key in a KMS that expires in ten days, as one that was made elsewhere.
func expiringHalf(t *testing.T, url string) []byte {
	t.Helper()
	key, err := kms.Open(t.Context(), url)
	must(t, err)
	defer key.Close() //nolint:errcheck // a test's
	made := time.Now().Add(-time.Hour).Truncate(time.Second)
	public, ok := key.Public().(*rsa.PublicKey)
	if !ok {
		t.Fatalf("a key of type %T", key.Public())
	}
	private := &packet.PrivateKey{PublicKey: *packet.NewRSAPublicKey(made, public), PrivateKey: key}
	life, yes := uint32(10*24*3600), true
	sig := &packet.Signature{Version: 4, SigType: packet.SigTypePositiveCert, PubKeyAlgo: private.PubKeyAlgo, Hash: crypto.SHA512, CreationTime: made,
		IssuerKeyId: &private.KeyId, KeyLifetimeSecs: &life, IsPrimaryId: &yes, FlagsValid: true, FlagSign: true, FlagCertify: true}
	must(t, sig.SignUserId("acme", &private.PublicKey, private, nil))
	var b bytes.Buffer
	w, err := armor.EncodeWithChecksumOption(&b, openpgp.PublicKeyType, nil, true)
	must(t, err)
	must(t, errors.Join(private.PublicKey.Serialize(w), packet.NewUserId("acme", "", "").Serialize(w), sig.Serialize(w), w.Close()))
	return b.Bytes()
}

func TestExtendKeyInAKMS(t *testing.T) {
	t.Parallel()
	a := kmstest.StartAWS(t)
	url := a.URL(a.NewKey(types.KeySpecRsa2048))
	b := openBucket(t, t.TempDir())
	old := expiringHalf(t, url)
	added, err := pipelines.AddKey(t.Context(), b, url, pipelines.NewKey{Public: old})
	must(t, err)
	until := time.Now().AddDate(2, 0, 0).UTC().Truncate(time.Second)
	key, object, err := pipelines.ExtendKey(t.Context(), b, url, added.Public, until, time.Now())
	if err != nil || object != added.Object || !key.Expires.Equal(until) || key.Fingerprint != added.Fingerprint {
		t.Fatalf("got %s in %s until %v, %v; want it in %s until %v", key.Fingerprint, object, key.Expires, err, added.Object, until)
	}
	if again := addKey(t, b, url); again.Made || string(again.Public) != string(key.Public) {
		t.Error("the object has another public half")
	}
	a.Fail(kmstest.Sign, kmstest.Refused, 100)
	if _, _, err := pipelines.ExtendKey(t.Context(), b, url, added.Public, until.AddDate(1, 0, 0), time.Now()); err == nil || !strings.Contains(err.Error(), "kms:Sign") {
		t.Errorf("a KMS that refuses: %v", err)
	}
}
