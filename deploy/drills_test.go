package deploy_test

import (
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"strings"
	"testing"

	"repomill/testdata/proctest"
)

func TestDrillLoseMySQL(t *testing.T) {
	d := newDrill(t, "lose-mysql")
	token := strings.TrimSpace(d.ok("token", "create", "acme/tools", "ci", "--scope", "push").Stdout)
	d.push("yanked", "1.0")
	d.ok("yank", "acme/tools/ubuntu/jammy", "yanked=1.0", "--reason", "broken")

	d.follow("## Backups")
	d.push("newer", "1.0")
	d.follow("## Restore a backup under a newer bucket")
	d.logs("repomill-worker", "ALARM")
	proctest.Eventually(t, "the worker has imported what the backup lacks", func() bool {
		return d.run("status", "acme/tools", "newer=1.0").Code == 0
	})
	d.sees("hello", "newer")
	if out := d.ok("token", "list", "acme/tools"); !strings.Contains(out.Stdout, "ci") {
		t.Errorf("the token of the backup: %s", out)
	}

	d.systemctl("stop", "repomill-worker")
	d.sees("hello", "newer") // clients do not notice
	d.follow("## Rebuild it without a backup")
	d.push("last", "1.0")
	d.sees("hello", "newer", "last")
	if out := d.run("push", "--wait", "--timeout", "5m", "acme/tools/ubuntu/jammy", d.deb("yanked", "1.0")); out.Code != 1 || !strings.Contains(out.Stderr, "yanked") {
		t.Errorf("what was withdrawn before is not any more: %s", out)
	}
	if out := d.run("token", "list", "acme/tools"); strings.Contains(out.Stdout, "ci") || token == "" {
		t.Errorf("the runbook says that tokens of the API are lost: %s", out)
	}
	d.all("## Backups", "## Restore a backup under a newer bucket", "## Rebuild it without a backup", "## On Kubernetes") // the last was not run
}

func TestDrillLoseStaging(t *testing.T) {
	d := newDrill(t, "lose-staging")
	d.systemctl("stop", "repomill-worker")
	lost := d.deb("lost", "1.0")
	d.save("lost_1.0_amd64.deb", d.read(lost))
	d.ok("push", "acme/tools/ubuntu/jammy", lost)
	d.gcs.Lose("acme-staging")
	d.sees("hello") // clients do not notice
	said := d.follow("## What to do")
	if got := said["repomill push --wait acme/tools/ubuntu/jammy lost_1.0_amd64.deb"]; !strings.Contains(got, "published: lost 1.0") {
		t.Errorf("the second push: %s", got)
	}
	d.sees("hello", "lost")
	d.all("## What to do")
}

func TestDrillLoseAWorker(t *testing.T) {
	d := newDrill(t, "lose-a-worker")
	want := []string{"hello"}
	for _, name := range []string{"one", "two", "three", "four", "five"} {
		d.ok("push", "acme/tools/ubuntu/jammy", d.deb(name, "1.0"))
		want = append(want, name)
	}
	kill(t, d.processes["repomill-worker"])
	delete(d.processes, "repomill-worker")
	d.ok("check", d.public+"/acme/tools", "--keyring", d.trusted) // what clients see is whole, however much it is
	d.follow("## What to do")
	proctest.Eventually(t, "all is published", func() bool { return len(visible(d)) == len(want) })
	d.sees(want...)
	d.all("## What to do")
}

func TestDrillRotateURLKey(t *testing.T) {
	d := newDrill(t, "rotate-url-key")
	d.save("resolver.env", []byte("REPOMILL_KEY_PAIR_ID="+keyPairID+"\n"))
	d.follow("## Make the key")
	block, _ := pem.Decode(d.read(filepath.Join(d.dir, "url-key-new.pub")))
	key, err := x509.ParsePKIXPublicKey(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	old := redirect(t, d)
	d.keyGroup.set("K3NEWKEYID", key)
	said := d.follow("## Sign with it")
	for command, text := range said {
		if strings.Contains(command, "-D -") && !strings.Contains(text, "Key-Pair-Id=K3NEWKEYID") || strings.Contains(command, "http_code") && text != "200\n" {
			t.Errorf("%s: %s", command, text)
		}
	}
	d.sees("hello")
	if status, _ := d.get(old); status != http.StatusOK {
		t.Errorf("a URL that was signed before answers %d", status)
	}
	d.keyGroup.set(keyPairID, nil)
	if status, _ := d.get(old); status != http.StatusForbidden {
		t.Errorf("a URL of the key that was removed answers %d", status)
	}
	d.sees("hello")
	d.all("## Make the key", "## Sign with it", "## On Kubernetes") // the last was not run
}

// redirect returns where the resolver leads a client now.
func redirect(t *testing.T, d *drill) string {
	t.Helper()
	resp, err := http.DefaultTransport.RoundTrip(httptest.NewRequest(http.MethodGet, d.public+"/acme/tools/ubuntu/dists/jammy/InRelease", nil))
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	return resp.Header.Get("Location")
}

// visible are the packages that clients see.
func visible(d *drill) (names []string) {
	for line := range strings.Lines(d.index(d.t)) {
		if name, ok := strings.CutPrefix(strings.TrimSpace(line), "Package: "); ok {
			names = append(names, name)
		}
	}
	return names
}

func TestDrillLeakedToken(t *testing.T) {
	d := newDrill(t, "leaked-token")
	d.ok("repo", "create", "acme/secret", "--visibility", "private", "--distribution", "ubuntu/jammy")
	token := strings.TrimSpace(d.ok("token", "create", "acme/secret", "customer-42").Stdout)
	d.ok("token", "create", "acme/tools", "ci", "--scope", "push")
	const see = `curl -s -o /dev/null -w '%{http_code}\n' -u "$TOKEN:" https://packages.acme.example/acme/secret/ubuntu/dists/jammy/InRelease`
	d.env = append(d.env, "TOKEN="+token)
	proctest.Eventually(t, "the token opens it", func() bool { return d.do(see).Stdout == "302\n" })
	said := d.follow("## What to do")
	for command, text := range said {
		if strings.HasPrefix(command, "repomill log") && !strings.Contains(text, "in a public log") {
			t.Errorf("the log does not have the revocation: %s", text)
		}
	}
	proctest.Eventually(t, "the token is refused", func() bool { return d.follow("## See that it is closed")[see] == "401\n" })
	d.all("## What to do", "## See that it is closed")
}

func TestDrillBadPackage(t *testing.T) {
	var invalidated proctest.Output
	cdn := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintln(&invalidated, r.Method, r.URL.Path)
		if _, err := io.Copy(&invalidated, r.Body); err != nil {
			t.Error(err)
		}
		w.Header().Set("Content-Type", "text/xml")
		w.WriteHeader(http.StatusCreated)
		io.WriteString(w, `<Invalidation><Id>I1</Id><Status>InProgress</Status><CreateTime>2026-11-29T00:00:00Z</CreateTime></Invalidation>`) //nolint:errcheck // the client reads it
	}))
	defer cdn.Close()
	d := newDrill(t, "bad-package")
	d.names = append(d.names, "cloudfront://E2QWRUHAPOMQZL", "'cloudfront://E2QWRUHAPOMQZL?endpoint="+url.QueryEscape(cdn.URL)+"'")
	d.push("bad", "1.0")
	d.sees("hello", "bad")
	d.follow("## Is it out, and where", "## Withdraw it")
	if got := invalidated.String(); !strings.Contains(got, "/distribution/E2QWRUHAPOMQZL/invalidation") || !strings.Contains(got, "/acme/tools/ubuntu/pool/jammy/main/b/bad/bad_1.0_amd64.deb") {
		t.Errorf("the CDN was asked for %q", got)
	}
	for command, text := range d.follow("## See that it is gone") {
		if strings.HasPrefix(command, "curl") && text != "404\n" {
			t.Errorf("its file answers %s", text)
		}
	}
	d.sees("hello")
	if out := d.run("push", "--wait", "--timeout", "5m", "acme/tools/ubuntu/jammy", d.deb("bad", "1.0")); out.Code != 1 {
		t.Errorf("its number can be used again: %s", out)
	}
	d.all("## Is it out, and where", "## Withdraw it", "## On Kubernetes", "## See that it is gone") // the third was not run
}
