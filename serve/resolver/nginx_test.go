package main

import (
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"repomill/publish/sign"
	"repomill/testdata/porttest"
	"repomill/testdata/proctest"
)

// cachingProxy starts an nginx that caches what a site answers, by its headers or by rules of its own,
// and returns its URL. It believes no client that asks for a fresh copy, as shared caches may.
func cachingProxy(t *testing.T, site, rules string) string {
	t.Helper()
	nginx, err := exec.LookPath("nginx")
	if err != nil {
		nginx, err = exec.LookPath("/usr/sbin/nginx") // which is not in the path of a user
	}
	if err != nil {
		t.Skip("nginx is not installed")
	}
	dir, address := proctest.OpenDir(t), porttest.Free(t)
	user := ""
	if os.Getuid() == 0 {
		user = "user root;"
	}
	config := fmt.Sprintf(`daemon off; %s worker_processes 1; pid %[2]s/pid; error_log stderr warn;
events { worker_connections 64; }
http {
  access_log off;
  client_body_temp_path %[2]s/body; proxy_temp_path %[2]s/proxy; fastcgi_temp_path %[2]s/fastcgi; scgi_temp_path %[2]s/scgi; uwsgi_temp_path %[2]s/uwsgi;
  proxy_cache_path %[2]s/cache keys_zone=test:1m max_size=16m use_temp_path=off;
  server {
    listen %[3]s;
    location / { proxy_pass %[4]s; proxy_http_version 1.1; proxy_set_header Connection ""; proxy_cache test; proxy_cache_key $uri; add_header X-Cache $upstream_cache_status always; %[5]s }
  }
}`, user, dir, address, strings.Replace(site, "localhost", "127.0.0.1", 1), rules)
	if err := os.WriteFile(filepath.Join(dir, "nginx.conf"), []byte(config), 0o644); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(nginx, "-p", dir, "-e", "stderr", "-c", filepath.Join(dir, "nginx.conf"))
	proctest.EndWithParent(cmd)
	server, err := proctest.Start(cmd)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Signal(os.Interrupt) // it may have ended by itself
		<-server.Done
	})
	proctest.Eventually(t, "nginx listens", func() bool {
		select {
		case <-server.Done:
			t.Fatalf("nginx ended: %v\n%s", server.Err, server.Stderr)
		default:
		}
		conn, err := net.Dial("tcp", address)
		if err == nil {
			conn.Close()
		}
		return err == nil
	})
	return "http://" + address
}

// asCached is what a pair would suffer from a rule as pointers of one file have it, for longer than a busy machine tests.
const asCached = "proxy_ignore_headers Cache-Control; proxy_cache_valid 200 1h;"

// A shared cache keeps what it may and nothing else.
func TestCaching(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.publishRPM("acme/public")
	w.publishDeb("acme/public")
	w.put("acme/private/gpgkey", []byte("a private key"))
	w.put("acme/public/index.html", []byte("a page"))
	w.put("acme/private/index.html", []byte("a private page"))
	w.put("acme/private/el/9/x86_64/a-1-1.x86_64.rpm", []byte("a private package"))
	proxy := cachingProxy(t, w.start("--serve-through", "metadata").url, "")
	const none = "X: y"
	for _, tt := range []struct {
		name, path, header string
		status             int
		first, second      string // what the cache says of two requests
	}{
		{"a pointer of one file is kept", "/acme/public/ubuntu/dists/jammy/InRelease", none, 200, "MISS", "HIT"},
		{"a pointer of two is not", "/acme/public/el/9/x86_64/repodata/repomd.xml", none, 200, "MISS", "MISS"},
		{"nor is its signature", "/acme/public/el/9/x86_64/repodata/repomd.xml.asc", none, 200, "MISS", "MISS"},
		{"a redirect is not", "/acme/public/ubuntu/pool/jammy/main/h/hello/hello_1.0+x_all.deb", none, 302, "MISS", "MISS"},
		{"what is absent is kept for a moment", "/acme/public/ubuntu/dists/noble/InRelease", none, 404, "MISS", "HIT"},
		{"a refusal is not kept", "/acme/private/gpgkey", none, 401, "MISS", "MISS"},
		{"what a token opened is not kept", "/acme/private/gpgkey", bearer(goodToken), 200, "MISS", "MISS"},
		{"so nobody else gets it", "/acme/private/gpgkey", none, 401, "MISS", "MISS"},
		{"nor a redirect to it", "/acme/private/el/9/x86_64/a-1-1.x86_64.rpm", bearer(goodToken), 302, "MISS", "MISS"},
		{"a page is kept", "/acme/public/", none, 200, "MISS", "HIT"},
		{"where a page has moved to is kept", "/acme/public", none, 301, "MISS", "HIT"},
		{"a page that a token opened is not", "/acme/private/", bearer(goodToken), 200, "MISS", "MISS"},
		{"so another client is asked for one", "/acme/private/", none, 401, "MISS", "MISS"},
		{"where a private page has moved to is not kept", "/acme/private", bearer(goodToken), 301, "MISS", "MISS"},
		{"nor a page by a token in its path", "/priv/" + goodToken + "/acme/private/", none, 200, "MISS", "MISS"},
		{"health is not kept", "/healthz", none, 200, "MISS", "MISS"},
	} {
		for i, want := range []string{tt.first, tt.second} {
			if resp, _ := get(t, proxy+tt.path, tt.header); resp.StatusCode != tt.status || resp.Header.Get("X-Cache") != want {
				t.Errorf("%s: request %d: got %d, %s, want %d, %s", tt.name, i+1, resp.StatusCode, resp.Header.Get("X-Cache"), tt.status, want)
			}
		}
	}
}

// A pair is repomd.xml and its signature as a client got them, and when.
type pair struct {
	began, ended time.Time
	torn         bool
}

// readPair reads a pair as librepo does.
func readPair(t *testing.T, ring sign.Keyring, base string) pair {
	t.Helper()
	p := pair{began: time.Now()}
	const fresh = "Cache-Control: no-cache"
	r1, body := get(t, base+"/repodata/repomd.xml", fresh)
	r2, sig := get(t, base+"/repodata/repomd.xml.asc", fresh)
	p.ended = time.Now()
	if r1.StatusCode != http.StatusOK || r2.StatusCode != http.StatusOK {
		t.Fatalf("got %d and %d", r1.StatusCode, r2.StatusCode)
	}
	p.torn = ring.VerifyDetached([]byte(body), []byte(sig)) != nil
	return p
}

// republish publishes a release again and again until stop, and returns from when to when each time.
func (w *world) republish(repository string, stop <-chan struct{}, published *atomic.Int32) (windows []pair) {
	for {
		select {
		case <-stop:
			return windows
		case <-time.After(100 * time.Millisecond):
		}
		p := pair{began: time.Now()}
		w.publishRPM(repository)
		p.ended = time.Now()
		windows = append(windows, p)
		published.Add(1)
	}
}

// watchPairs reads pairs through a proxy while they are published, and returns how many were torn
// although nothing was published in between, and how many were read.
func watchPairs(t *testing.T, w *world, proxy string, d time.Duration) (torn, read int) {
	t.Helper()
	ring, err := sign.ReadKeyring(releaseKey().Public())
	if err != nil {
		t.Fatal(err)
	}
	base := proxy + "/acme/public/el/9/x86_64"
	get(t, base+"/repodata/repomd.xml") // a client has asked for one of the two,
	w.publishRPM("acme/public")         // and then it was published again
	stop := make(chan struct{})
	var windows []pair
	var wg sync.WaitGroup
	var published atomic.Int32
	wg.Go(func() { windows = w.republish("acme/public", stop, &published) })
	var pairs []pair
	enough := func() bool { return published.Load() >= 5 && len(pairs) >= 50 }
	for began := time.Now(); time.Since(began) < d || !enough() && time.Since(began) < 60*d; time.Sleep(5 * time.Millisecond) { // a busy machine takes longer
		pairs = append(pairs, readPair(t, ring, base))
	}
	close(stop)
	wg.Wait()
	if !enough() {
		t.Fatalf("%d publishes and %d reads prove nothing", len(windows), len(pairs))
	}
	for _, p := range pairs {
		if p.torn && !overlaps(p, windows) {
			torn++
		}
	}
	return torn, len(pairs)
}

func overlaps(p pair, windows []pair) bool {
	for _, w := range windows {
		if p.began.Before(w.ended) && w.began.Before(p.ended) {
			return true
		}
	}
	return false
}

// Behind a caching proxy a client gets a repomd.xml with its own signature, except while one is being
// written. With a rule that lets caches keep each of the two for itself, it would not: the test can fail.
func TestPairsBehindACachingProxy(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.publishRPM("acme/public")
	site := w.start("--serve-through", "metadata").url
	if torn, read := watchPairs(t, w, cachingProxy(t, site, ""), 2*time.Second); torn > 0 {
		t.Errorf("%d of %d pairs are torn", torn, read)
	}
	if torn, read := watchPairs(t, w, cachingProxy(t, site, asCached), 2*time.Second); torn < read/2 {
		t.Errorf("with caching, only %d of %d pairs are torn: the test does not see what it should", torn, read)
	}
}

// Real dnf sees each release behind a caching proxy as soon as it is published, and would see "Bad GPG
// signature" if caches kept repomd.xml.
func TestDnfBehindACachingProxy(t *testing.T) {
	t.Parallel()
	proctest.Need(t, "dnf")
	w := newWorld(t)
	w.publishRPM("acme/public")
	site := w.start("--serve-through", "metadata").url
	good, bad := cachingProxy(t, site, ""), cachingProxy(t, site, asCached)
	get(t, bad+"/acme/public/el/9/x86_64/repodata/repomd.xml")
	dir := proctest.OpenDir(t)
	for range 3 {
		w.publishRPM("acme/public")
		res := dnf(t, dir, repoFile(dir, good+"/acme/public", ""), "--refresh", "makecache")
		if res.Code != 0 {
			t.Fatalf("dnf makecache: %v", res)
		}
		res = dnf(t, dir, repoFile(dir, good+"/acme/public", ""), "--cacheonly", "repoinfo")
		if !strings.Contains(strings.Join(strings.Fields(res.Said()), " "), fmt.Sprintf("Repo-revision : %d ", w.revision)) {
			t.Errorf("dnf does not see revision %d: %s", w.revision, res.Said())
		}
	}
	dir = proctest.OpenDir(t)
	if res := dnf(t, dir, repoFile(dir, bad+"/acme/public", ""), "makecache"); res.Code == 0 || !strings.Contains(res.Said(), "GPG") {
		t.Errorf("with caching, dnf is content: the test does not see what it should: %v", res)
	}
}
