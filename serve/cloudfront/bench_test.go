package cloudfront_test

import (
	"crypto"
	"fmt"
	"testing"
)

// BenchmarkSign compares URLs that must be signed (another object each time) with those that share
// one signature of their repository, and with those of the current bucket (the same object).
func BenchmarkSign(b *testing.B) {
	for _, kind := range []struct {
		name string
		key  crypto.Signer
	}{{"P-256", ecdsaKey(b)}, {"RSA-2048", rsaKey(b)}} {
		s := newSigner(b, edge, kind.key)
		b.Run(kind.name+"/signed", func(b *testing.B) {
			for i := 0; b.Loop(); i++ {
				if _, err := s.Sign(fmt.Sprintf("acme/tools/el/9/x86_64/hello-%d-1.x86_64.rpm", i), noon); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(kind.name+"/of a repository", func(b *testing.B) {
			for i := 0; b.Loop(); i++ {
				if _, err := s.SignBelow("acme/tools", fmt.Sprintf("acme/tools/el/9/x86_64/hello-%d-1.x86_64.rpm", i), noon); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(kind.name+"/same bucket", func(b *testing.B) {
			for b.Loop() {
				if _, err := s.Sign(plusKey, noon); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkVerify(b *testing.B) {
	key := ecdsaKey(b)
	uri := requestURI(b, sign(b, newSigner(b, edge, key), plusKey, noon))
	v := newVerifier(b, edge, key)
	for b.Loop() {
		if _, err := v.Verify(uri, noon); err != nil {
			b.Fatal(err)
		}
	}
}
