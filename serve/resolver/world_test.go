package main

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"repomill/pipelines/objects/file"
	"repomill/publish/sign"
	"repomill/schemas/catalog"
	"repomill/schemas/layout"
	"repomill/serve"
	"repomill/serve/cloudfront"
	"repomill/testdata/proctest"
)

const (
	keyPairID = "K2JCJMDEHXQW5F"
	goodToken = "rmt_test"
)

// A world is a bucket in a folder and an edge that stands for its CDN.
type world struct {
	t    testing.TB
	dir  string // of the bucket
	edge *httptest.Server
	key  string // file of the private key

	revision int // of the last RPM release

	mu     sync.Mutex
	tokens []string // Authorization headers that the edge was sent
}

func newWorld(t testing.TB) *world {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	w := &world{t: t, dir: proctest.OpenDir(t), key: filepath.Join(t.TempDir(), "key.pem")}
	if err := os.WriteFile(w.key, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
	bucket, err := file.OpenBucket("file://" + w.dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { bucket.Close() })
	w.edge = httptest.NewUnstartedServer(nil)
	base := &url.URL{Scheme: "http", Host: w.edge.Listener.Addr().String()}
	edge := serve.NewEdge(serve.EdgeConfig{
		Verifier: cloudfront.NewVerifier(base, map[string]crypto.PublicKey{keyPairID: private.Public()}),
		Objects:  bucket, Log: slog.New(slog.DiscardHandler), Now: time.Now,
	})
	w.edge.Config.Handler = http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if a := r.Header.Get("Authorization"); a != "" {
			w.mu.Lock()
			w.tokens = append(w.tokens, a)
			w.mu.Unlock()
		}
		edge.ServeHTTP(rw, r)
	})
	w.edge.Start()
	t.Cleanup(w.edge.Close)
	w.declare("public")
	w.declare("private", catalog.Token{Name: "test", SHA256: serve.TokenDigest(goodToken)})
	return w
}

// declare writes the settings of acme/<visibility>.
func (w *world) declare(v catalog.Visibility, tokens ...catalog.Token) {
	w.t.Helper()
	r := catalog.Repository{Owner: "acme", Name: string(v)}
	body, err := json.Marshal(catalog.Settings{Repository: r, Visibility: v, Tokens: tokens})
	if err != nil {
		w.t.Fatal(err)
	}
	w.put(layout.SettingsKey(r), body)
}

// put replaces an object at once, as a swap does.
func (w *world) put(key string, body []byte) {
	w.t.Helper()
	path := filepath.Join(w.dir, key)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		w.t.Fatal(err)
	}
	if err := os.WriteFile(path+".new", body, 0o644); err != nil {
		w.t.Fatal(err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		w.t.Fatal(err)
	}
}

// flags are those of a resolver for this world, on free ports.
func (w *world) flags(more ...string) []string {
	return append([]string{
		"--bucket", "file://" + w.dir, "--public-url", "http://localhost:8080", "--cdn", w.edge.URL, "--key-pair-id", keyPairID,
		"--key", "file://" + w.key, "--listen", "127.0.0.1:0", "--ops-listen", "127.0.0.1:0",
	}, more...)
}

// A running is a resolver that runs in this process.
type running struct {
	url, ops string
	log      *proctest.Output
	stop     func() int // ends it and returns its exit code
}

// start runs a resolver until the test ends or stops it.
func (w *world) start(more ...string) *running {
	w.t.Helper()
	ctx, cancel := contextOf(w.t)
	r := &running{log: &proctest.Output{}}
	code := make(chan int, 1)
	go func() { code <- resolve(ctx, w.flags(more...), io.Discard, r.log) }()
	r.stop = sync.OnceValue(func() int { cancel(); return <-code })
	w.t.Cleanup(func() { r.stop() })
	proctest.Eventually(w.t, "the resolver serves", func() bool {
		listen, ops, ok := serving(r.log.String())
		_, port, _ := strings.Cut(listen, ":")
		r.url, r.ops = "http://localhost:"+port, "http://"+ops // another name than the edge has
		return ok
	})
	return r
}

// releaseKey signs the releases of all tests: making a key takes long.
var releaseKey = sync.OnceValue(func() *sign.Signer {
	s, err := sign.Generate("acme", sign.MinRSABits, time.Now().Add(-time.Hour))
	if err != nil {
		panic(err)
	}
	return s
})

// get sends one request, follows no redirect, and returns the answer with its body.
func get(t testing.TB, url string, headers ...string) (*http.Response, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		req.Header.Set(name, value)
	}
	c := http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	resp, err := c.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	if err != nil {
		t.Fatal(err)
	}
	return resp, string(body)
}

// bearer is the header with a token.
func bearer(token string) string { return fmt.Sprintf("Authorization: Bearer %s", token) }
