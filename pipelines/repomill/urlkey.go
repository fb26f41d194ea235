package main

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
)

// urlKey returns the key that signs URLs and its id. It generates the key if the file does not exist.
func urlKey(path string) (key crypto.Signer, id string, err error) {
	body, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		body, err = newURLKey(path)
	}
	if err != nil {
		return nil, "", fmt.Errorf("URL key: %w", err)
	}
	block, _ := pem.Decode(body)
	if block == nil {
		return nil, "", fmt.Errorf("URL key %s is not PEM; remove it, and the next start generates a new one", path)
	}
	parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, "", fmt.Errorf("URL key %s: %w", path, err)
	}
	key, ok := parsed.(crypto.Signer)
	if !ok {
		return nil, "", fmt.Errorf("URL key %s cannot sign", path)
	}
	public, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		return nil, "", err
	}
	sum := sha256.Sum256(public)
	return key, "K" + strings.ToUpper(hex.EncodeToString(sum[:7])), nil
}

func newURLKey(path string) ([]byte, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, err
	}
	body := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
	return body, writeNew(path, body)
}
