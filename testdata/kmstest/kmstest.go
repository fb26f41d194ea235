// Package kmstest runs fakes of AWS KMS and of Google Cloud KMS on loopback ports, and counts what they are asked. They
// make and keep keys, check what they are sent as the services do, and get wrong what a test wants.
//
// The fake of AWS KMS answers as ministack does, which [Emulator] runs where it is installed: tests use either by the
// same client.
package kmstest

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"fmt"
	"sync"
)

// A Fault is what goes wrong with a request.
type Fault int

// The faults.
const (
	Refused   Fault = iota + 1 // the permission is missing
	Wrong                      // a signature of something else is answered
	Slow                       // no answer comes
	Busy                       // the service is overloaded
	Throttled                  // the quota is exhausted
	Damaged                    // a bit of the answer is flipped
	Unread                     // the checksum of the request was not looked at
	Garbled                    // the request arrives damaged, which its checksum shows
)

// Operations, as [faulty.Fail] and [faulty.Served] name them for both services.
const (
	GetPublicKey = "GetPublicKey"
	Sign         = "Sign"
)

// faulty counts requests, and knows what goes wrong with the next ones.
type faulty struct {
	mu     sync.Mutex
	faults []*planned
	served map[string]int
	closed chan struct{}
}

type planned struct {
	operation string
	fault     Fault
	times     int
}

// Fail makes something go wrong with the next requests of an operation, as often as said.
func (f *faulty) Fail(operation string, fault Fault, times int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.faults = append(f.faults, &planned{operation, fault, times})
}

// Recover forgets the faults that have not happened.
func (f *faulty) Recover() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.faults = nil
}

// Served returns how many requests of an operation came, faults included.
func (f *faulty) Served(operation string) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.served[operation]
}

// take counts a request and returns what goes wrong with it.
func (f *faulty) take(operation string) Fault {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.served == nil {
		f.served = map[string]int{}
	}
	f.served[operation]++
	for _, p := range f.faults {
		if p.operation == operation && p.times > 0 {
			p.times--
			return p.fault
		}
	}
	return 0
}

// A key is a private key, and what may be done with it.
type key struct {
	crypto.Signer
	kind string // of the service's own names
	hash crypto.Hash
	pss  bool
}

// makeKey makes a key of a kind such as "rsa2048", "p256" or "ed25519".
func makeKey(kind string) (s crypto.Signer, err error) {
	switch kind {
	case "rsa2048":
		return rsa.GenerateKey(rand.Reader, 2048)
	case "rsa3072":
		return rsa.GenerateKey(rand.Reader, 3072)
	case "rsa4096":
		return rsa.GenerateKey(rand.Reader, 4096)
	case "p256":
		return ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	case "p384":
		return ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	case "p521":
		return ecdsa.GenerateKey(elliptic.P521(), rand.Reader)
	case "ed25519":
		_, s, err = ed25519.GenerateKey(rand.Reader)
		return s, err
	}
	return nil, fmt.Errorf("kmstest makes no keys of kind %q", kind)
}

// signature signs a digest, or, with Ed25519, a message; or something else, if that is the fault.
func (k key) signature(digest []byte, fault Fault) ([]byte, error) {
	if fault == Wrong {
		digest = append([]byte{^digest[0]}, digest[1:]...)
	}
	opts := crypto.SignerOpts(k.hash)
	if _, ok := k.Signer.(ed25519.PrivateKey); ok {
		opts = crypto.Hash(0)
	}
	if k.pss {
		opts = &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash, Hash: k.hash}
	}
	return k.Sign(rand.Reader, digest, opts)
}
