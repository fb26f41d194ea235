package kmstest

import (
	"context"
	"crypto"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"hash/crc32"
	"net"
	"testing"

	"cloud.google.com/go/kms/apiv1/kmspb"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

// A Google is a server that speaks Google Cloud KMS's protocol. It is for this process and its children.
type Google struct {
	faulty
	kmspb.UnimplementedKeyManagementServiceServer
	t       testing.TB
	address string
	keys    map[string]*googleKey // by name; guarded by mu
}

type googleKey struct {
	key
	algorithm kmspb.CryptoKeyVersion_CryptoKeyVersionAlgorithm
	state     kmspb.CryptoKeyVersion_CryptoKeyVersionState
}

// StartGoogle runs a fake until the test ends.
func StartGoogle(t testing.TB) *Google {
	t.Helper()
	g := &Google{t: t, keys: map[string]*googleKey{}}
	g.closed = make(chan struct{})
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	g.address = l.Addr().String()
	server := grpc.NewServer()
	kmspb.RegisterKeyManagementServiceServer(server, g)
	go server.Serve(l) //nolint:errcheck // it ends with Stop
	t.Cleanup(func() {
		close(g.closed)
		server.Stop()
	})
	return g
}

// googleKinds are the algorithms that the fake makes keys of.
var googleKinds = map[kmspb.CryptoKeyVersion_CryptoKeyVersionAlgorithm]struct {
	kind string
	hash crypto.Hash
}{
	kmspb.CryptoKeyVersion_RSA_SIGN_PKCS1_2048_SHA256: {"rsa2048", crypto.SHA256},
	kmspb.CryptoKeyVersion_RSA_SIGN_PKCS1_3072_SHA256: {"rsa3072", crypto.SHA256},
	kmspb.CryptoKeyVersion_RSA_SIGN_PKCS1_4096_SHA256: {"rsa4096", crypto.SHA256},
	kmspb.CryptoKeyVersion_RSA_SIGN_PKCS1_4096_SHA512: {"rsa4096", crypto.SHA512},
	kmspb.CryptoKeyVersion_RSA_SIGN_PSS_2048_SHA256:   {"rsa2048", crypto.SHA256},
	kmspb.CryptoKeyVersion_RSA_SIGN_RAW_PKCS1_2048:    {"rsa2048", crypto.SHA256},
	kmspb.CryptoKeyVersion_EC_SIGN_P256_SHA256:        {"p256", crypto.SHA256},
	kmspb.CryptoKeyVersion_EC_SIGN_P384_SHA384:        {"p384", crypto.SHA384},
	kmspb.CryptoKeyVersion_EC_SIGN_ED25519:            {"ed25519", 0},
}

// NewKey makes a key version and returns its name. One with an algorithm that is for no signatures only has a name.
func (g *Google) NewKey(a kmspb.CryptoKeyVersion_CryptoKeyVersionAlgorithm) string {
	g.t.Helper()
	k := &googleKey{algorithm: a, state: kmspb.CryptoKeyVersion_ENABLED}
	if made, ok := googleKinds[a]; ok {
		var err error
		if k.Signer, err = makeKey(made.kind); err != nil {
			g.t.Fatal(err)
		}
		k.hash = made.hash
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	name := fmt.Sprintf("projects/test-project/locations/europe-west1/keyRings/acme/cryptoKeys/releases-%d/cryptoKeyVersions/1", len(g.keys)+1)
	g.keys[name] = k
	return name
}

// SetState enables, disables or destroys a key version.
func (g *Google) SetState(name string, s kmspb.CryptoKeyVersion_CryptoKeyVersionState) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.keys[name].state = s
}

// URL returns the URL of a key version.
func (g *Google) URL(name string) string {
	return "gcpkms://" + name + "?endpoint=" + g.address + "&insecure=true"
}

// begin counts a request, and finds its key.
func (g *Google) begin(ctx context.Context, operation, permission, name string) (googleKey, Fault, error) {
	fault := g.take(operation)
	switch fault {
	case Refused:
		return googleKey{}, 0, status.Errorf(codes.PermissionDenied, "Permission '%s' denied on resource '%s' (or it may not exist).", permission, name)
	case Busy:
		return googleKey{}, 0, status.Error(codes.Unavailable, "The service is currently unavailable.")
	case Throttled:
		return googleKey{}, 0, status.Error(codes.ResourceExhausted, "Quota exceeded for quota metric 'Cryptographic requests'.")
	case Slow:
		select {
		case <-ctx.Done():
		case <-g.closed:
		}
		return googleKey{}, 0, status.FromContextError(ctx.Err()).Err()
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	k, ok := g.keys[name]
	switch {
	case !ok:
		return googleKey{}, 0, status.Errorf(codes.NotFound, "CryptoKeyVersion '%s' not found.", name)
	case k.state != kmspb.CryptoKeyVersion_ENABLED:
		return googleKey{}, 0, status.Errorf(codes.FailedPrecondition, "%s is not enabled, current state is: %s.", name, k.state)
	case k.Signer == nil:
		return googleKey{}, 0, status.Errorf(codes.InvalidArgument, "%s has algorithm %s, which is not asymmetric.", name, k.algorithm)
	}
	return *k, fault, nil
}

// GetPublicKey implements kmspb.KeyManagementServiceServer.
func (g *Google) GetPublicKey(ctx context.Context, in *kmspb.GetPublicKeyRequest) (*kmspb.PublicKey, error) {
	k, fault, err := g.begin(ctx, GetPublicKey, "cloudkms.cryptoKeyVersions.viewPublicKey", in.GetName())
	if err != nil {
		return nil, err
	}
	der, err := x509.MarshalPKIXPublicKey(k.Public())
	if err != nil {
		return nil, status.Error(codes.Internal, err.Error())
	}
	text := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
	sum := wrapperspb.Int64(crc(text))
	if fault == Damaged {
		text[len(text)/2] ^= 1
	}
	return &kmspb.PublicKey{Name: in.GetName(), Algorithm: k.algorithm, Pem: string(text), PemCrc32C: sum}, nil
}

// AsymmetricSign implements kmspb.KeyManagementServiceServer.
func (g *Google) AsymmetricSign(ctx context.Context, in *kmspb.AsymmetricSignRequest) (*kmspb.AsymmetricSignResponse, error) {
	k, fault, err := g.begin(ctx, Sign, "cloudkms.cryptoKeyVersions.useToSign", in.GetName())
	if err != nil {
		return nil, err
	}
	var message []byte
	claimed := in.GetDigestCrc32C()
	switch k.hash {
	case crypto.SHA256:
		message = in.GetDigest().GetSha256()
	case crypto.SHA384:
		message = in.GetDigest().GetSha384()
	case crypto.SHA512:
		message = in.GetDigest().GetSha512()
	default:
		message, claimed = in.GetData(), in.GetDataCrc32C()
	}
	if len(message) == 0 || k.hash != 0 && len(message) != k.hash.Size() {
		return nil, status.Errorf(codes.InvalidArgument, "Digest type for %s does not match algorithm %s.", in.GetName(), k.algorithm)
	}
	if fault == Garbled {
		message = append([]byte{message[0] ^ 1}, message[1:]...)
	}
	if claimed != nil && claimed.GetValue() != crc(message) {
		return nil, status.Error(codes.InvalidArgument, "The checksum in field digest_crc32c did not match the data in field digest.")
	}
	if claimed == nil {
		g.t.Errorf("kmstest: a request to sign with %s has no checksum", in.GetName())
	}
	signature, err := k.signature(message, fault)
	if err != nil {
		return nil, status.Error(codes.Internal, err.Error())
	}
	out := &kmspb.AsymmetricSignResponse{Name: in.GetName(), SignatureCrc32C: wrapperspb.Int64(crc(signature)), Signature: signature}
	out.VerifiedDigestCrc32C = k.hash != 0 && claimed != nil && fault != Unread
	out.VerifiedDataCrc32C = k.hash == 0 && claimed != nil && fault != Unread
	if fault == Damaged {
		signature[len(signature)/2] ^= 1
	}
	return out, nil
}

func crc(b []byte) int64 { return int64(crc32.Checksum(b, crc32.MakeTable(crc32.Castagnoli))) }
