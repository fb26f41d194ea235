package main

import (
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"repomill/pipelines/command"
	"repomill/schemas/catalog"
	"repomill/serve"
	"repomill/testdata/porttest"
	"repomill/testdata/proctest"
)

// The program has no code in it that could ask a database, a queue or a worker.
func TestI11ServingLinksNoDatabaseQueueOrWorker(t *testing.T) {
	t.Parallel()
	proctest.Need(t, "go")
	out, err := exec.CommandContext(t.Context(), "go", "list", "-deps", ".").Output()
	if err != nil {
		t.Fatal(err)
	}
	packages := strings.Fields(string(out))
	for _, p := range packages {
		for _, part := range []string{"database/sql", "mysql", "sqlite", "pubsub", "beam", "schemas/catalogdb", "pipelines/queue", "repomill/ingest", "repomill/publish"} {
			if strings.Contains(p, part) {
				t.Errorf("it links %s", p)
			}
		}
	}
	if len(packages) < 100 {
		t.Errorf("%q are not all packages", packages)
	}
}

// deadEnds is where a database, a queue and workers would be, if anybody asked: a listener that counts
// who comes and never answers.
func deadEnds(t *testing.T) (env []string, asked func() int) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	came := make(chan net.Conn, 1000)
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			came <- conn
		}
	}()
	a := l.Addr().String()
	return []string{
		"REPOMILL_CATALOG=mysql://root@" + a + "/repomill", "REPOMILL_EVENTS=pubsub://p/s", "PUBSUB_EMULATOR_HOST=" + a, "REPOMILL_STAGING=gs://staging", "STORAGE_EMULATOR_HOST=" + a,
		"HTTP_PROXY=http://" + a, "HTTPS_PROXY=http://" + a,
	}, func() int { return len(came) }
}

// A reading is what clients are answered, the second that signatures are of apart.
func (w *world) reading(t *testing.T, site string) string {
	t.Helper()
	var all strings.Builder
	for _, tt := range []struct{ path, header string }{
		{"/acme/public/ubuntu/dists/jammy/InRelease", "X: y"},
		{"/acme/public/ubuntu/pool/jammy/main/h/hello/hello_1.0+x_all.deb", "X: y"},
		{"/acme/public/ubuntu/pool/jammy/main/h/hello/hello_2_all.deb", "X: y"},
		{"/acme/private/ubuntu/dists/jammy/InRelease", bearer(goodToken)},
		{"/acme/private/ubuntu/dists/jammy/InRelease", bearer("wrong")},
		{"/acme/private/ubuntu/pool/jammy/main/h/hello/hello_1.0+x_all.deb", bearer(goodToken)},
		{"/acme/nothing/gpgkey", "X: y"},
		{"/", "X: y"},
		{"/readyz", "X: y"},
	} {
		resp, body := get(t, site+tt.path, tt.header)
		resp.Header.Del("Date")
		if location := resp.Header.Get("Location"); location != "" {
			u, err := url.Parse(location)
			if err != nil {
				t.Fatal(err)
			}
			got, file := get(t, location)
			body += fmt.Sprint(got.StatusCode, got.Header.Get("ETag"), file)
			u.RawQuery = ""
			resp.Header.Set("Location", u.String())
		}
		fmt.Fprintln(&all, tt.path, resp.Status, resp.Header, body)
	}
	return all.String()
}

// With nothing up but the bucket and the CDN, clients read what they read before, and so they do after the
// resolver itself was killed and started again. No other server is asked for anything.
func TestI11ReadsContinueAfterAKillWithTheBucketAlone(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, repository := range []string{"acme/public", "acme/private"} {
		w.publishDeb(repository)
	}
	env, asked := deadEnds(t)
	for _, through := range []string{"none", "metadata"} {
		address := porttest.Free(t)
		before := w.spawn(t, address, nil, "--serve-through", through)
		want := w.reading(t, before.url)
		for run := range 3 {
			before.Kill() //nolint:errcheck // it may have ended
			after := w.spawn(t, address, env, "--serve-through", through)
			if got := w.reading(t, after.url); got != want {
				t.Errorf("through %s, start %d: got\n%s\nwant\n%s", through, run+2, got, want)
			}
			before = after
		}
		if strings.Contains(before.Stderr.String(), goodToken) || strings.Count(before.Stderr.String(), "\n") != 1 {
			t.Errorf("the log has\n%s", before.Stderr)
		}
		before.Kill() //nolint:errcheck // it may have ended
	}
	if n := asked(); n != 0 {
		t.Errorf("somebody else was asked %d times", n)
	}
}

// The bucket is what serving does depend on. While it is away, what is known goes on; a resolver that
// starts then says which setting to look at, and one that starts afterwards is as before.
func TestI11TheBucketAloneIsNeeded(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.publishDeb("acme/public")
	address := porttest.Free(t)
	p := w.spawn(t, address, nil)
	const path = "/acme/public/ubuntu/dists/jammy/InRelease"
	status := func() int { resp, _ := get(t, p.url+path); return resp.StatusCode }
	if status() != http.StatusFound {
		t.Fatal("the repository is not served at first")
	}
	settings, away := filepath.Join(w.dir, ".repomill"), filepath.Join(w.dir, ".away")
	if err := os.Rename(settings, away); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(".repomill", settings); err != nil { // which leads to itself: a read is a fault, and not absence
		t.Fatal(err)
	}
	proctest.Eventually(t, "the log says that cached settings stay in use", func() bool { // they are read again after five seconds
		if got := status(); got != http.StatusFound {
			t.Fatalf("with the bucket away: got %d\n%s", got, p.Stderr)
		}
		return strings.Contains(p.Stderr.String(), "cached settings stay in use")
	})
	if err := p.Kill(); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(os.Args[0], w.flags("--listen", address)...)
	cmd.Env = []string{asCommand + "=1"}
	if out, err := proctest.Finish(cmd); err != nil || out.Code != command.Unreachable || !strings.Contains(out.Stderr, "--bucket") {
		t.Errorf("started without the bucket: %v, %s", err, out)
	}
	if err := os.Remove(settings); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(away, settings); err != nil {
		t.Fatal(err)
	}
	w.declare("private", catalog.Token{Name: "test", SHA256: serve.TokenDigest("new")})
	p = w.spawn(t, address, nil)
	if status() != http.StatusFound {
		t.Error("the repository is not served at the end")
	}
}
