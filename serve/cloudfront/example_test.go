package cloudfront_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"fmt"
	"net/url"
	"strings"
	"time"

	"repomill/serve/cloudfront"
)

// A signed URL opens one object until it expires. The edge verifies it with the public half of the key alone.
func Example() {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	edge, err := url.Parse("https://d111111abcdef8.cloudfront.net")
	if err != nil {
		panic(err)
	}
	signer, err := cloudfront.NewSigner(edge, "K2JCJMDEHXQW5F", key)
	if err != nil {
		panic(err)
	}
	now := time.Date(2026, 8, 1, 12, 0, 0, 0, time.UTC)
	location, err := signer.Sign("acme/tools/el/9/x86_64/hello-1.0-1.x86_64.rpm", now)
	if err != nil {
		panic(err)
	}
	signed, err := url.Parse(location)
	if err != nil {
		panic(err)
	}
	fmt.Println(signed.Scheme, signed.Host, signed.Query().Get("Key-Pair-Id"))

	verifier := cloudfront.NewVerifier(edge, map[string]crypto.PublicKey{"K2JCJMDEHXQW5F": key.Public()})
	fmt.Println(verifier.Verify(signed.RequestURI(), now.Add(10*time.Minute)))
	_, err = verifier.Verify(signed.RequestURI(), now.Add(time.Hour))
	why, _, _ := strings.Cut(err.Error(), " at ")
	fmt.Println(why)
	// Output:
	// https d111111abcdef8.cloudfront.net K2JCJMDEHXQW5F
	// acme/tools/el/9/x86_64/hello-1.0-1.x86_64.rpm <nil>
	// refused: expired
}

// S3 reads a literal '+' as a blank, so it is encoded; '~' stays as it is.
func ExampleEscape() {
	fmt.Println(cloudfront.Escape("pool/jammy/main/h/hello/hello_1.0+x~rc1_all.deb"))
	// Output:
	// pool/jammy/main/h/hello/hello_1.0%2Bx~rc1_all.deb
}
