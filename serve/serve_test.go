package serve_test

import (
	"bufio"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"repomill/schemas/catalog"
	"repomill/schemas/layout"
	"repomill/serve"
	"repomill/serve/cloudfront"
	"repomill/testdata/proctest"
)

const (
	keyID   = "K2JCJMDEHXQW5F"
	pool    = "acme/tools/ubuntu/pool/jammy/main/h/hello/"
	debKey  = pool + "hello_2.10+dfsg~rc1-3_amd64.deb"
	rpmKey  = "acme/tools/el/9/x86_64/hello++-2~rc1^git1-1.x86_64.rpm"
	debText = "0123456789"

	secretKey = "acme/secret/gpgkey"
	goodToken = "the token of somebody"
)

var noon = time.Date(2026, 7, 1, 12, 0, 0, 0, time.UTC)

// A bucket is objects in memory.
type bucket map[string]string

type body struct{ *strings.Reader }

func (body) Close() error { return nil }

func (b bucket) Open(_ context.Context, key string) (io.ReadSeekCloser, layout.Meta, error) {
	text, ok := b[key]
	if !ok {
		return nil, layout.Meta{}, fmt.Errorf("open %s: %w", key, fs.ErrNotExist)
	}
	return body{strings.NewReader(text)}, layout.Meta{Version: "v1", Size: int64(len(text)), Modified: noon.Add(-time.Hour)}, nil
}

func (b bucket) Get(ctx context.Context, key string) (io.ReadCloser, layout.Meta, error) {
	return b.Open(ctx, key)
}

func (b bucket) Stat(ctx context.Context, key string) (layout.Meta, error) {
	_, meta, err := b.Open(ctx, key)
	return meta, err
}

func newBucket() bucket {
	return bucket{
		".repomill/acme/tools.json":  `{"repository":{"owner":"acme","name":"tools"},"visibility":"public","tokens":[]}`,
		".repomill/acme/secret.json": privateSettings(catalog.Token{Name: "ci", SHA256: serve.TokenDigest(goodToken)}),
		debKey:                       debText,
		rpmKey:                       "rpm",
		"acme/tools/ubuntu/dists/jammy/InRelease": "signed",
		"acme/tools/gpgkey":                       "key",
		secretKey:                                 "secret",
	}
}

// privateSettings is the settings object of acme/secret.
func privateSettings(tokens ...catalog.Token) string {
	s, err := json.Marshal(catalog.Settings{
		Repository: catalog.Repository{Owner: "acme", Name: "secret"}, Visibility: catalog.Private, Tokens: tokens,
	})
	if err != nil {
		panic(err)
	}
	return string(s)
}

// newSettings is a cache of the settings in a bucket.
func newSettings(b serve.Bucket, log *slog.Logger, now func() time.Time) *serve.SettingsCache {
	return serve.NewSettingsCache(serve.SettingsConfig{Bucket: b, MaxAge: 10 * time.Second, MaxStale: time.Minute, Log: log, Now: now})
}

// A site is a resolver and an edge on real ports, with everything that they logged.
type site struct {
	resolver, edge *httptest.Server
	signer         *cloudfront.Signer
	log            *proctest.Output
}

func newSite(t testing.TB, objects bucket) *site {
	t.Helper()
	return newSiteWith(t, objects, newKey(t), func(*serve.ResolverConfig) {})
}

func newKey(t testing.TB) *ecdsa.PrivateKey {
	t.Helper()
	return mustKey()
}

// verifying is the public half of a key, as a verifier wants it.
func verifying(key crypto.Signer) map[string]crypto.PublicKey {
	return map[string]crypto.PublicKey{keyID: key.Public()}
}

func mustKey() *ecdsa.PrivateKey {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	return key
}

// newSiteWith is newSite with a key, and a configuration that may be changed.
func newSiteWith(t testing.TB, objects bucket, key crypto.Signer, change func(*serve.ResolverConfig)) *site {
	t.Helper()
	var err error
	s := &site{log: &proctest.Output{}}
	log := slog.New(slog.NewTextHandler(s.log, nil))
	now := func() time.Time { return noon }

	s.edge = httptest.NewUnstartedServer(nil)
	base := &url.URL{Scheme: "http", Host: s.edge.Listener.Addr().String()}
	verifier := cloudfront.NewVerifier(base, verifying(key))
	s.edge.Config.Handler = serve.NewEdge(serve.EdgeConfig{Verifier: verifier, Objects: objects, Log: log, Now: now})
	s.edge.Start()
	t.Cleanup(s.edge.Close)

	if s.signer, err = cloudfront.NewSigner(base, keyID, key); err != nil {
		t.Fatal(err)
	}
	cfg := serve.ResolverConfig{Signer: s.signer, Settings: newSettings(objects, log, now), Log: log, Now: now}
	change(&cfg)
	s.resolver = httptest.NewServer(serve.NewResolver(cfg))
	t.Cleanup(s.resolver.Close)
	return s
}

// raw sends one request, byte for byte, and returns the answer with its body.
func raw(t testing.TB, server *httptest.Server, method, target string, headers ...string) (*http.Response, string) {
	t.Helper()
	conn, err := net.Dial("tcp", server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	if !slices.ContainsFunc(headers, func(h string) bool { return strings.HasPrefix(h, "Host:") }) {
		headers = append(headers, "Host: packages.example.org")
	}
	fmt.Fprintf(conn, "%s %s HTTP/1.1\r\n%s\r\nConnection: close\r\n\r\n", method, target, strings.Join(headers, "\r\n"))
	resp, err := http.ReadResponse(bufio.NewReader(conn), &http.Request{Method: method})
	if err != nil {
		t.Fatalf("%s %q: %v", method, target, err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	if err != nil {
		t.Fatalf("%s %q: %v", method, target, err)
	}
	return resp, string(b)
}

// locationOf is where a client of a public repository is sent for an object at noon.
func (s *site) locationOf(t testing.TB, key string) string {
	t.Helper()
	location, err := s.signer.SignBelow(strings.Join(strings.SplitN(key, "/", 3)[:2], "/"), key, noon)
	if err != nil {
		t.Fatal(err)
	}
	return location
}

// edgePath is the request target of a URL that opens one object.
func (s *site) edgePath(t testing.TB, key string) string {
	t.Helper()
	location, err := s.signer.Sign(key, noon)
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimPrefix(location, s.edge.URL)
}
