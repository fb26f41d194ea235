package oidc

import (
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"time"

	goidc "github.com/coreos/go-oidc/v3/oidc"
	"github.com/go-jose/go-jose/v4"
)

// Bounds of what an issuer answers.
const (
	fetchTimeout = 10 * time.Second // for its configuration and its keys together
	maxBody      = 1 << 20          // bytes
	maxKeys      = 50
)

// newClient returns a client for issuers: https, public addresses and those of the networks, no redirects, no proxy
// (which would resolve names itself), bodies up to a size.
func newClient(networks []netip.Prefix, roots *x509.CertPool) *http.Client {
	dialer := &net.Dialer{Timeout: 5 * time.Second, Control: checkAddress(networks)}
	return &http.Client{
		Timeout: fetchTimeout,
		CheckRedirect: func(*http.Request, []*http.Request) error {
			return errors.New("it redirects; an issuer has to answer at its own URL")
		},
		Transport: bounded{&http.Transport{
			DialContext:            dialer.DialContext,
			TLSClientConfig:        &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12},
			TLSHandshakeTimeout:    5 * time.Second,
			ResponseHeaderTimeout:  5 * time.Second,
			MaxResponseHeaderBytes: 64 << 10,
			DisableKeepAlives:      true, // there are hours between two requests
			DisableCompression:     true,
		}},
	}
}

// bounded is a transport that speaks https only and cuts bodies off with an error.
type bounded struct{ next http.RoundTripper }

// RoundTrip implements [http.RoundTripper].
func (b bounded) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.URL.Scheme != "https" {
		return nil, errors.New("it is not an https URL")
	}
	res, err := b.next.RoundTrip(r)
	if err == nil {
		res.Body = http.MaxBytesReader(nil, res.Body, maxBody)
	}
	return res, err
}

// fetchKeys asks an issuer where its keys are (OpenID Connect Discovery 1.0, section 4), and for the keys.
func fetchKeys(ctx context.Context, client *http.Client, issuer string) ([]jose.JSONWebKey, error) {
	ctx, cancel := context.WithTimeout(ctx, fetchTimeout)
	defer cancel()
	provider, err := goidc.NewProvider(goidc.ClientContext(ctx, client), issuer)
	if err != nil {
		return nil, fmt.Errorf("its configuration: %w", err)
	}
	var configuration struct {
		Keys string `json:"jwks_uri"`
	}
	if err := provider.Claims(&configuration); err != nil {
		return nil, fmt.Errorf("its configuration: %w", err)
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, configuration.Keys, nil)
	if err != nil {
		return nil, fmt.Errorf("its keys: %w", err)
	}
	res, err := client.Do(request)
	if err != nil {
		return nil, fmt.Errorf("its keys: %w", err)
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("its keys: %s answers %s", configuration.Keys, res.Status)
	}
	body, err := io.ReadAll(res.Body)
	if err != nil {
		return nil, fmt.Errorf("its keys: %w", err)
	}
	return parseKeys(body)
}

// parseKeys returns the keys of a JWK set (RFC 7517) that verify signatures. It omits others, and those of kinds that
// it does not know.
func parseKeys(body []byte) (keys []jose.JSONWebKey, err error) {
	var set struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if err := json.Unmarshal(body, &set); err != nil {
		return nil, fmt.Errorf("its keys: %w", err)
	}
	if len(set.Keys) > maxKeys {
		return nil, fmt.Errorf("its keys: there are %d, and at most %d are read", len(set.Keys), maxKeys)
	}
	for _, raw := range set.Keys {
		var k jose.JSONWebKey
		if k.UnmarshalJSON(raw) == nil && (k.Use == "" || k.Use == "sig") && k.Valid() && verifies(k.Key) {
			keys = append(keys, k)
		}
	}
	if len(keys) == 0 {
		return nil, errors.New("its keys: there is none that signatures can be verified with")
	}
	return keys, nil
}

// verifies reports whether a key is a public key, and neither too weak nor of a size that costs time.
func verifies(key any) bool {
	switch k := key.(type) {
	case *rsa.PublicKey:
		return k.N.BitLen() >= 2048 && k.N.BitLen() <= 8192
	case *ecdsa.PublicKey, ed25519.PublicKey:
		return true
	}
	return false // HMAC: a secret that is published
}
