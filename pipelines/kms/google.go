package kms

import (
	"context"
	"crypto"
	"crypto/ed25519"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"hash/crc32"
	"net/url"
	"regexp"
	"strings"

	kms "cloud.google.com/go/kms/apiv1"
	"cloud.google.com/go/kms/apiv1/kmspb"
	"google.golang.org/api/option"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

const (
	googleForm    = "gcpkms://projects/P/locations/L/keyRings/R/cryptoKeys/K/cryptoKeyVersions/N[?endpoint=host:port][&insecure=true]"
	googleInstead = "such as with --purpose asymmetric-signing --default-algorithm rsa-sign-pkcs1-4096-sha512"
)

// googleAlgorithms are the supported algorithms, with the digest that each signs.
var googleAlgorithms = map[kmspb.CryptoKeyVersion_CryptoKeyVersionAlgorithm]crypto.Hash{
	kmspb.CryptoKeyVersion_RSA_SIGN_PKCS1_2048_SHA256: crypto.SHA256,
	kmspb.CryptoKeyVersion_RSA_SIGN_PKCS1_3072_SHA256: crypto.SHA256,
	kmspb.CryptoKeyVersion_RSA_SIGN_PKCS1_4096_SHA256: crypto.SHA256,
	kmspb.CryptoKeyVersion_RSA_SIGN_PKCS1_4096_SHA512: crypto.SHA512,
	kmspb.CryptoKeyVersion_EC_SIGN_P256_SHA256:        crypto.SHA256,
	kmspb.CryptoKeyVersion_EC_SIGN_P384_SHA384:        crypto.SHA384,
	kmspb.CryptoKeyVersion_EC_SIGN_ED25519:            crypto.SHA512, // the digest is the message, as OpenPGP requires
}

var googleName = regexp.MustCompile(`^projects/[^/?#]+/locations/[^/?#]+/keyRings/[^/?#]+/cryptoKeys/[^/?#]+/cryptoKeyVersions/[0-9]+$`)

// parseGoogle reads a gcpkms:// URL.
func parseGoogle(rawURL string) (name string, opts []option.ClientOption, err error) {
	rest, _ := strings.CutPrefix(rawURL, googleScheme+"://")
	name, rawQuery, _ := strings.Cut(rest, "?")
	if !googleName.MatchString(name) {
		return "", nil, errors.New("use " + googleForm)
	}
	query, err := url.ParseQuery(rawQuery)
	if err != nil {
		return "", nil, fmt.Errorf("read the URL's parameters: %w", err)
	}
	for key := range query {
		if key != "endpoint" && key != "insecure" {
			return "", nil, fmt.Errorf("parameter %q is unknown; use %s", key, googleForm)
		}
	}
	endpoint, plain := query.Get("endpoint"), query.Get("insecure")
	if plain != "" && plain != "true" && plain != "false" {
		return "", nil, fmt.Errorf("insecure is %q; use true or false", plain)
	}
	if endpoint != "" {
		opts = append(opts, option.WithEndpoint(endpoint))
	}
	if plain == "true" {
		if endpoint == "" {
			return "", nil, errors.New("insecure=true is for an emulator; name it with endpoint=host:port")
		}
		opts = append(opts, option.WithoutAuthentication(), option.WithGRPCDialOption(grpc.WithTransportCredentials(insecure.NewCredentials())))
	}
	return name, opts, nil
}

// A googleKey is a key version and its client.
type googleKey struct {
	client *kms.KeyManagementClient
	name   string
	limits limits
	whole  bool // it signs messages, not digests
}

// openGoogle opens a key version of Google Cloud KMS.
func (k *Key) openGoogle(ctx context.Context, rawURL string) error {
	name, opts, err := parseGoogle(rawURL)
	if err != nil {
		return err
	}
	client, err := kms.NewKeyManagementClient(context.WithoutCancel(ctx), opts...) // credentials may retain the context
	if err != nil {
		return fmt.Errorf("no Google credentials; set GOOGLE_APPLICATION_CREDENTIALS, run where a service account is attached, "+
			"or run \"gcloud auth application-default login\": %w", err)
	}
	client.CallOptions = &kms.KeyManagementCallOptions{} // [limits.ask] retries
	k.close = client.Close
	g := &googleKey{client: client, name: name, limits: k.limits}
	k.sign = g.sign
	return g.limits.ask(ctx, func(ctx context.Context) error { return g.getPublicKey(ctx, k) })
}

// getPublicKey requests the public key, and checks that the key version is supported.
func (g *googleKey) getPublicKey(ctx context.Context, k *Key) error {
	out, err := g.client.GetPublicKey(ctx, &kmspb.GetPublicKeyRequest{Name: g.name})
	if err != nil {
		return g.explain("get its public key", "cloudkms.cryptoKeyVersions.viewPublicKey", err)
	}
	if out.GetName() != g.name || out.GetPemCrc32C().GetValue() != checksum([]byte(out.GetPem())) {
		return fmt.Errorf("get its public key: %w", errDamaged)
	}
	hash, ok := googleAlgorithms[out.GetAlgorithm()]
	if !ok {
		return advice("its algorithm is "+out.GetAlgorithm().String()+unverifiable, googleInstead)
	}
	block, _ := pem.Decode([]byte(out.GetPem()))
	if block == nil {
		return errors.New("read its public key: it is not PEM")
	}
	if k.public, err = x509.ParsePKIXPublicKey(block.Bytes); err != nil {
		return fmt.Errorf("read its public key: %w", err)
	}
	k.hash = hash
	_, g.whole = k.public.(ed25519.PublicKey)
	return nil
}

func (g *googleKey) sign(ctx context.Context, digest []byte) (signature []byte, err error) {
	err = g.limits.ask(ctx, func(ctx context.Context) error {
		signature, err = g.signOnce(ctx, digest)
		return err
	})
	return signature, err
}

// signOnce makes one request. It compares the checksums of request and response, and returns [errDamaged] if they differ.
func (g *googleKey) signOnce(ctx context.Context, digest []byte) ([]byte, error) {
	req := &kmspb.AsymmetricSignRequest{Name: g.name}
	sum := wrapperspb.Int64(checksum(digest))
	switch {
	case g.whole:
		req.Data, req.DataCrc32C = digest, sum
	case len(digest) == crypto.SHA256.Size():
		req.Digest, req.DigestCrc32C = &kmspb.Digest{Digest: &kmspb.Digest_Sha256{Sha256: digest}}, sum
	case len(digest) == crypto.SHA384.Size():
		req.Digest, req.DigestCrc32C = &kmspb.Digest{Digest: &kmspb.Digest_Sha384{Sha384: digest}}, sum
	default:
		req.Digest, req.DigestCrc32C = &kmspb.Digest{Digest: &kmspb.Digest_Sha512{Sha512: digest}}, sum
	}
	out, err := g.client.AsymmetricSign(ctx, req)
	if err != nil {
		return nil, g.explain("sign", "cloudkms.cryptoKeyVersions.useToSign", err)
	}
	received := out.GetVerifiedDigestCrc32C()
	if g.whole {
		received = out.GetVerifiedDataCrc32C()
	}
	if !received || out.GetName() != g.name || out.GetSignatureCrc32C().GetValue() != checksum(out.GetSignature()) {
		return nil, fmt.Errorf("sign: %w", errDamaged)
	}
	return out.GetSignature(), nil
}

func checksum(b []byte) int64 { return int64(crc32.Checksum(b, crc32.MakeTable(crc32.Castagnoli))) }
