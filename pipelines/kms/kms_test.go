package kms_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	_ "crypto/sha256"
	_ "crypto/sha512"
	"strings"
	"testing"
	"time"

	"cloud.google.com/go/kms/apiv1/kmspb"
	"github.com/aws/aws-sdk-go-v2/aws"
	awskms "github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"

	"repomill/pipelines/kms"
	"repomill/testdata/kmstest"
)

func open(t *testing.T, url string) *kms.Key {
	t.Helper()
	k, err := kms.OpenWithin(t.Context(), url, 30*time.Second, 2*time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := k.Close(); err != nil {
			t.Error(err)
		}
	})
	return k
}

// sign asks for the signature of a text, as sign.Signer does.
func sign(k *kms.Key, text string) (digest, signature []byte, err error) {
	h := k.Hash().New()
	h.Write([]byte(text))
	digest = h.Sum(nil)
	opts := k.Hash()
	if _, ok := k.Public().(ed25519.PublicKey); ok {
		opts = 0
	}
	signature, err = k.Sign(nil, digest, opts)
	return digest, signature, err
}

// good reports whether a signature is one of a digest.
func good(k *kms.Key, digest, signature []byte) bool {
	switch p := k.Public().(type) {
	case *rsa.PublicKey:
		return rsa.VerifyPKCS1v15(p, k.Hash(), digest, signature) == nil
	case *ecdsa.PublicKey:
		return ecdsa.VerifyASN1(p, digest, signature)
	case ed25519.PublicKey:
		return ed25519.Verify(p, digest, signature)
	}
	return false
}

func signsWell(t *testing.T, k *kms.Key, want crypto.Hash) {
	t.Helper()
	if k.Hash() != want {
		t.Errorf("it signs %v, want %v", k.Hash(), want)
	}
	digest, signature, err := sign(k, "hello")
	if err != nil || !good(k, digest, signature) {
		t.Errorf("a bad signature of %d bytes, %v", len(signature), err)
	}
	if _, err := k.Sign(nil, digest[1:], k.Hash()); err == nil {
		t.Error("it signs what has not the length of a digest")
	}
}

var googleKeys = map[kmspb.CryptoKeyVersion_CryptoKeyVersionAlgorithm]crypto.Hash{
	kmspb.CryptoKeyVersion_RSA_SIGN_PKCS1_2048_SHA256: crypto.SHA256,
	kmspb.CryptoKeyVersion_RSA_SIGN_PKCS1_3072_SHA256: crypto.SHA256,
	kmspb.CryptoKeyVersion_RSA_SIGN_PKCS1_4096_SHA512: crypto.SHA512,
	kmspb.CryptoKeyVersion_EC_SIGN_P256_SHA256:        crypto.SHA256,
	kmspb.CryptoKeyVersion_EC_SIGN_P384_SHA384:        crypto.SHA384,
	kmspb.CryptoKeyVersion_EC_SIGN_ED25519:            crypto.SHA512,
}

func TestGoogleSigns(t *testing.T) {
	g := kmstest.StartGoogle(t)
	for algorithm, hash := range googleKeys {
		t.Run(algorithm.String(), func(t *testing.T) { signsWell(t, open(t, g.URL(g.NewKey(algorithm))), hash) })
	}
}

var awsKeys = map[types.KeySpec]crypto.Hash{
	types.KeySpecRsa2048:             crypto.SHA512,
	types.KeySpecRsa3072:             crypto.SHA512,
	types.KeySpecRsa4096:             crypto.SHA512,
	types.KeySpecEccNistP256:         crypto.SHA256,
	types.KeySpecEccNistP384:         crypto.SHA384,
	types.KeySpecEccNistP521:         crypto.SHA512,
	types.KeySpecEccNistEdwards25519: crypto.SHA512,
}

// The fake is judged as well: what holds with it holds with ministack.
func TestAWSSigns(t *testing.T) {
	for name, start := range map[string]func(testing.TB) *kmstest.AWS{"fake": kmstest.StartAWS, "ministack": kmstest.Emulator} {
		t.Run(name, func(t *testing.T) {
			a := start(t)
			for spec, hash := range awsKeys {
				t.Run(string(spec), func(t *testing.T) { signsWell(t, open(t, a.URL(a.NewKey(spec))), hash) })
			}
			t.Run("by its other names", func(t *testing.T) { awsNames(t, a) })
			for _, tt := range []struct {
				name  string
				spec  types.KeySpec
				usage types.KeyUsageType
				want  string
			}{
				{"a symmetric key", types.KeySpecSymmetricDefault, types.KeyUsageTypeEncryptDecrypt, "--key-spec RSA_4096 --key-usage SIGN_VERIFY"},
				{"a key that decrypts", types.KeySpecRsa2048, types.KeyUsageTypeEncryptDecrypt, "it is RSA_2048 for ENCRYPT_DECRYPT"},
				{"a key of a curve that no client knows", types.KeySpecEccSecgP256k1, types.KeyUsageTypeSignVerify, "it is ECC_SECG_P256K1"},
			} {
				t.Run(tt.name, func(t *testing.T) { refused(t, a.URL(a.NewKeyFor(tt.spec, tt.usage)), tt.want) })
			}
			refused(t, a.URL("00000000-0000-4000-8000-00000000dead"), "there is no such key in this region")
			disabled := a.NewKey(types.KeySpecRsa2048)
			k := open(t, a.URL(disabled))
			awsDisable(t, a, disabled)
			if _, _, err := sign(k, "hello"); err == nil || !strings.Contains(err.Error(), "enable-key") {
				t.Errorf("a key that was disabled on the way: %v", err)
			}
		})
	}
}

func awsDisable(t *testing.T, a *kmstest.AWS, id string) {
	t.Helper()
	if _, err := a.Client.DisableKey(t.Context(), &awskms.DisableKeyInput{KeyId: aws.String(id)}); err != nil {
		t.Fatal(err)
	}
}

// awsNames: a key is the same by its ARN and its alias, and stays the same when the alias is moved.
func awsNames(t *testing.T, a *kmstest.AWS) {
	one, two := a.NewKey(types.KeySpecRsa2048), a.NewKey(types.KeySpecRsa2048)
	alias := aws.String("alias/repomill-releases")
	if _, err := a.Client.CreateAlias(t.Context(), &awskms.CreateAliasInput{AliasName: alias, TargetKeyId: &one}); err != nil {
		t.Fatal(err)
	}
	byID, byAlias, byARN := open(t, a.URL(one)), open(t, a.URL(*alias)), open(t, a.URL(kmstest.ARN(one)))
	for name, k := range map[string]*kms.Key{"alias": byAlias, "ARN": byARN} {
		if !byID.Public().(*rsa.PublicKey).Equal(k.Public()) {
			t.Errorf("the key of the %s is another one", name)
		}
	}
	if _, err := a.Client.UpdateAlias(t.Context(), &awskms.UpdateAliasInput{AliasName: alias, TargetKeyId: &two}); err != nil {
		t.Fatal(err)
	}
	signsWell(t, byAlias, crypto.SHA512)
}

// refused expects that a key cannot be opened, and why.
func refused(t *testing.T, url, want string) {
	t.Helper()
	k, err := kms.OpenWithin(t.Context(), url, 30*time.Second, 2*time.Minute)
	if err == nil {
		k.Close() //nolint:errcheck // it is not to be
	}
	if err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("open %s: %v, want %q", url, err, want)
	}
}

func TestGoogleRefusesKeysThatClientsCannotVerify(t *testing.T) {
	g := kmstest.StartGoogle(t)
	for _, algorithm := range []kmspb.CryptoKeyVersion_CryptoKeyVersionAlgorithm{
		kmspb.CryptoKeyVersion_RSA_SIGN_PSS_2048_SHA256, kmspb.CryptoKeyVersion_RSA_SIGN_RAW_PKCS1_2048,
	} {
		refused(t, g.URL(g.NewKey(algorithm)), "its algorithm is "+algorithm.String())
	}
	refused(t, g.URL(g.NewKey(kmspb.CryptoKeyVersion_GOOGLE_SYMMETRIC_ENCRYPTION)), "--purpose asymmetric-signing")
	refused(t, g.URL("projects/p/locations/l/keyRings/r/cryptoKeys/k/cryptoKeyVersions/9"), "there is no such key version")
}

func TestGoogleChecksums(t *testing.T) {
	g := kmstest.StartGoogle(t)
	for _, algorithm := range []kmspb.CryptoKeyVersion_CryptoKeyVersionAlgorithm{kmspb.CryptoKeyVersion_RSA_SIGN_PKCS1_2048_SHA256, kmspb.CryptoKeyVersion_EC_SIGN_ED25519} {
		name := g.NewKey(algorithm)
		k := open(t, g.URL(name))
		for _, fault := range []kmstest.Fault{kmstest.Damaged, kmstest.Unread, kmstest.Garbled} {
			before := g.Served(kmstest.Sign)
			g.Fail(kmstest.Sign, fault, 2)
			if digest, signature, err := sign(k, "hello"); err != nil || !good(k, digest, signature) || g.Served(kmstest.Sign)-before != 3 {
				t.Errorf("%v: two damaged answers are not asked for again: %v", algorithm, err)
			}
			g.Fail(kmstest.Sign, fault, 100)
			if _, signature, err := sign(k, "hello"); err == nil || signature != nil || !strings.Contains(err.Error(), "checksums") {
				t.Errorf("%v: damaged answers without end: %d bytes, %v", algorithm, len(signature), err)
			}
			g.Recover()
		}
		g.Fail(kmstest.GetPublicKey, kmstest.Damaged, 1)
		if again := open(t, g.URL(name)); !again.Public().(interface{ Equal(crypto.PublicKey) bool }).Equal(k.Public()) {
			t.Errorf("%v: a damaged public key was taken", algorithm)
		}
		g.Fail(kmstest.GetPublicKey, kmstest.Damaged, 100)
		refused(t, g.URL(name), "checksums")
		g.Recover()
	}
}

func TestGoogleDisabledKeys(t *testing.T) {
	g := kmstest.StartGoogle(t)
	name := g.NewKey(kmspb.CryptoKeyVersion_RSA_SIGN_PKCS1_2048_SHA256)
	k := open(t, g.URL(name))
	for state, want := range map[kmspb.CryptoKeyVersion_CryptoKeyVersionState]string{
		kmspb.CryptoKeyVersion_DISABLED: "gcloud kms keys versions enable", kmspb.CryptoKeyVersion_DESTROYED: "take it out of --signing-key",
	} {
		g.SetState(name, state)
		if _, _, err := sign(k, "hello"); err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), state.String()) {
			t.Errorf("%v: %v, want %q", state, err, want)
		}
		refused(t, g.URL(name), want)
	}
	g.SetState(name, kmspb.CryptoKeyVersion_ENABLED)
	signsWell(t, k, crypto.SHA256)
}
