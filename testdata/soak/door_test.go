package soak_test

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	mathrand "math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"repomill/publish/check"
	"repomill/schemas/layout"
	"repomill/serve"
	"repomill/serve/cloudfront"
	"repomill/testdata/porttest"
	"repomill/testdata/proctest"
)

// A door is how clients read the private repository: a resolver, which wants a token, and the edge to which it redirects, which verifies the
// signature of the URL. A read that meets a killed resolver is repeated; any other answer than the right one is a fault.
type door struct {
	check.Tree // what is public
	resolver   string
	edge       string // URL
	token      string
	client     *http.Client
	daemon     *daemon // the resolver, if it is a process of its own

	opened  atomic.Int64 // objects that were read through redirects
	refused atomic.Int64 // requests without the token, or with a forged URL, that were refused
	again   atomic.Int64 // requests that met a resolver that was down
	n       atomic.Int64
}

// private begins the keys of the private repository.
const private = "acme/vault/"

// newDoor returns a door to a resolver and an edge, and creates its token.
func newDoor(s *site, public check.Tree, resolver, edge string) *door {
	s.t.Helper()
	token := s.must(append([]string{"token", "create", "--no-wait", "acme/vault", "soak"}, s.catalogs...)...).Stdout
	client := &http.Client{
		Timeout: time.Minute, Transport: &http.Transport{DisableCompression: true, MaxIdleConnsPerHost: 8},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return &door{Tree: public, resolver: resolver, edge: edge, token: strings.TrimSpace(token), client: client}
}

// Open implements check.Tree.
func (d *door) Open(ctx context.Context, name string) (io.ReadCloser, error) {
	if !strings.HasPrefix(name, private) {
		return d.Tree.Open(ctx, name)
	}
	path := (&url.URL{Path: "/" + name}).EscapedPath()
	n := d.n.Add(1)
	if n%20 == 0 {
		if err := d.wantRefused(ctx, d.resolver+path, http.StatusUnauthorized); err != nil {
			return nil, err
		}
	}
	answer, _, err := d.ask(ctx, d.resolver+path, d.token)
	if err != nil {
		return nil, err
	}
	signed := answer.Header.Get("Location")
	if answer.StatusCode != http.StatusFound || !strings.HasPrefix(signed, d.edge+"/") || answer.Header.Get("Cache-Control") != "private, no-store" {
		return nil, fmt.Errorf("the resolver answers %s %v, want a redirect to %s", answer.Status, answer.Header, d.edge)
	}
	if n%20 == 10 {
		forged := strings.Replace(signed, "Signature=", "Signature=AAAA", 1)
		if err := d.wantRefused(ctx, forged, http.StatusForbidden); err != nil {
			return nil, err
		}
	}
	answer, body, err := d.ask(ctx, signed, "")
	switch {
	case err != nil:
		return nil, err
	case answer.StatusCode == http.StatusNotFound:
		return nil, fs.ErrNotExist
	case answer.StatusCode != http.StatusOK:
		return nil, fmt.Errorf("the edge answers %s to a signed URL", answer.Status)
	}
	d.opened.Add(1)
	return io.NopCloser(strings.NewReader(string(body))), nil
}

// wantRefused demands that a request without a token is refused.
func (d *door) wantRefused(ctx context.Context, target string, status int) error {
	answer, _, err := d.ask(ctx, target, "")
	if err == nil && answer.StatusCode != status {
		err = fmt.Errorf("without a token or with a forged signature, the answer is %s, want %d", answer.Status, status)
	}
	d.refused.Add(1)
	return err
}

// ask sends a request until it is answered: not by a connection that breaks, and not by 503, with which a resolver says that it cannot
// know yet.
func (d *door) ask(ctx context.Context, target, token string) (answer *http.Response, body []byte, err error) {
	for first := time.Now(); ; time.Sleep(50 * time.Millisecond) {
		answer, body, err = d.once(ctx, target, token)
		late := time.Since(first) > maxStart
		switch {
		case err == nil && answer.StatusCode != http.StatusServiceUnavailable:
			return answer, body, nil
		case err == nil && answer.Header.Get("Retry-After") == "":
			return nil, nil, fmt.Errorf("the resolver answers %s without Retry-After", answer.Status)
		case err == nil && late:
			return nil, nil, fmt.Errorf("the resolver answers %s for %s", answer.Status, maxStart)
		case ctx.Err() != nil, late:
			return nil, nil, err
		}
		d.again.Add(1)
	}
}

func (d *door) once(ctx context.Context, target, token string) (*http.Response, []byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, target, nil)
	if err != nil {
		return nil, nil, err
	}
	if token != "" {
		req.SetBasicAuth(token, "")
	}
	answer, err := d.client.Do(req)
	if err != nil {
		return nil, nil, err
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(io.LimitReader(answer.Body, maxObject))
	return answer, body, err
}

// await waits until the token opens the repository: a worker has published it, and the resolver has seen that.
func (d *door) await(ctx context.Context) error {
	for end := time.Now().Add(maxStart); ; pause(ctx, 100*time.Millisecond) {
		answer, _, err := d.ask(ctx, d.resolver+"/"+private+"ubuntu/dists/jammy/InRelease", d.token)
		if err == nil && answer.StatusCode == http.StatusFound || ctx.Err() != nil {
			return ctx.Err()
		}
		if time.Now().After(end) {
			return fmt.Errorf("the token does not open the private repository: %v, %w", answer, err)
		}
	}
}

// keyPairID is that of the edge of the site with S3.
const keyPairID = "K2JCJMDEHXQW5F"

// newProductionDoor starts a resolver, and in front of the bucket an edge of the test, as a CDN is one.
func newProductionDoor(s *site, bucket, data string) *door {
	s.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		s.t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err == nil {
		err = os.WriteFile(data+"/url-key.pem", pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), 0o600)
	}
	if err != nil {
		s.t.Fatal(err)
	}
	web := httptest.NewUnstartedServer(nil)
	base := &url.URL{Scheme: "http", Host: web.Listener.Addr().String()}
	web.Config.Handler = serve.NewEdge(serve.EdgeConfig{
		Verifier: cloudfront.NewVerifier(base, map[string]crypto.PublicKey{keyPairID: key.Public()}),
		Objects:  objectsOf{s.tree}, Log: slog.New(slog.DiscardHandler), Now: time.Now,
	})
	web.Start()
	s.t.Cleanup(web.Close)
	listen := porttest.Free(s.t)
	d := newDoor(s, s.tree, "http://"+listen, web.URL)
	d.daemon = newDaemon(s.t, &s.outages, "production-resolver", `"serving"`, "--bucket", bucket, "--public-url", "http://packages.example.org", "--cdn", web.URL,
		"--key-pair-id", keyPairID, "--key", "file://"+data+"/url-key.pem", "--listen", listen, "--ops-listen", "127.0.0.1:0")
	d.daemon.program = resolverProgram
	if err := errors.Join(d.daemon.start(), d.daemon.awaitReady()); err != nil {
		s.t.Fatal(err)
	}
	return d
}

// resolverProgram returns the path of the resolver.
var resolverProgram = sync.OnceValues(func() (string, error) {
	path := filepath.Join(work, "repomill-resolver")
	return path, proctest.Build(path, "repomill/serve/resolver")
})

// objectsOf gives what clients can read to an edge.
type objectsOf struct{ check.Tree }

// Open implements serve.Objects.
func (o objectsOf) Open(ctx context.Context, key string) (io.ReadSeekCloser, layout.Meta, error) {
	body, err := read(ctx, o.Tree, key)
	if err != nil {
		return nil, layout.Meta{}, err
	}
	return seekable{strings.NewReader(string(body))}, layout.Meta{Size: int64(len(body))}, nil
}

type seekable struct{ *strings.Reader }

func (seekable) Close() error { return nil }

// killResolver kills the resolver, if it is a process of its own, and starts it again, until ctx ends.
func (k *soaking) killResolver(ctx context.Context, r *mathrand.Rand) error {
	d := k.site.door.daemon
	if d == nil {
		return nil // it is killed with the rest
	}
	for {
		pause(ctx, time.Duration(300+r.IntN(6000))*time.Millisecond)
		if ctx.Err() != nil {
			return d.awaitReady()
		}
		if r.IntN(3) > 0 { // else it may not be ready yet
			if err := d.awaitReady(); err != nil {
				return err
			}
		}
		if err := errors.Join(d.kill(), d.start()); err != nil {
			return err
		}
		k.resolverKills.Add(1)
	}
}
