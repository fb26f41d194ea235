package deploy_test

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"

	"repomill/testdata/debtest"
	"repomill/testdata/gcstest"
	"repomill/testdata/proctest"
)

func TestDrillCorruptIndex(t *testing.T) {
	d := newDrill(t, "corrupt-index")
	const folder = "acme/tools/ubuntu/dists/jammy/main/binary-amd64/by-hash/SHA256/"
	list, err := d.s3.Client().ListObjectsV2(t.Context(), &awss3.ListObjectsV2Input{Bucket: aws.String("acme-packages"), Prefix: aws.String(folder)})
	if err != nil || len(list.Contents) < 2 {
		t.Fatalf("%d indexes, %v", len(list.Contents), err)
	}
	for i, o := range list.Contents {
		if i%2 == 0 {
			_, err = d.s3.Client().DeleteObject(t.Context(), &awss3.DeleteObjectInput{Bucket: aws.String("acme-packages"), Key: o.Key})
		} else {
			d.put(*o.Key, "not what its name says")
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	d.follow("## Find it", "## Mend an index")
	d.sees("hello")
	d.all("## Find it", "## Mend an index")
}

// put overwrites an object of the published bucket.
func (d *drill) put(key, body string) {
	d.t.Helper()
	_, err := d.s3.Client().PutObject(d.t.Context(), &awss3.PutObjectInput{Bucket: aws.String("acme-packages"), Key: aws.String(key), Body: strings.NewReader(body)})
	if err != nil {
		d.t.Fatal(err)
	}
}

func TestDrillRollBack(t *testing.T) {
	d := newDrill(t, "roll-back")
	const format = ".repomill/format.json"

	// A later version has added to the schema: this one runs on it.
	if out := d.do(`mysql repomill -e 'INSERT INTO goose_db_version (version_id, is_applied) VALUES (9999, 1)'`); out.Code != 0 {
		t.Fatal(out)
	}
	d.follow("## Roll back")
	d.push("after", "1.0")
	d.sees("hello", "after")

	// A later version has written what this one does not know: it writes nothing.
	d.put(format, `{"format":2}`)
	worker := d.processes["repomill-worker"]
	if out := worker.Wait(t); out.Code == 0 || !strings.Contains(worker.log.String(), "the bucket has format 2, and this version of repomill knows 1") {
		t.Errorf("the worker ended with %d", out.Code)
	}
	delete(d.processes, "repomill-worker")
	d.ok("push", "acme/tools/ubuntu/jammy", d.deb("waits", "1.0"))
	again, _ := d.company.worker()
	if out := again.Wait(t); out.Code == 0 {
		t.Error("a worker goes on behind a later version")
	}
	d.sees("hello", "after") // the resolver goes on

	// Forward: the version that knows the format is installed. Here the number is what this one knows.
	d.put(format, `{"format":1}`)
	d.follow("## If the format is newer")
	proctest.Eventually(t, "what waited is published", func() bool { return len(visible(d)) == 3 })
	d.sees("hello", "after", "waits")
	d.all("## Roll back", "## On one machine", "## If the format is newer") // TestOneMachine follows the second
}

func TestDrillBadClock(t *testing.T) {
	var ahead atomic.Int64 // of the bucket's clock
	d := newDrill(t, "bad-clock", func(c *company) {
		to, err := url.Parse(c.s3.Endpoint)
		if err != nil {
			t.Fatal(err)
		}
		proxy := &httputil.ReverseProxy{
			Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(to); r.Out.Host = r.In.Host }, // the host is signed
			ModifyResponse: func(r *http.Response) error {
				r.Header.Set("Date", time.Now().Add(time.Duration(ahead.Load())).UTC().Format(http.TimeFormat))
				return nil
			},
		}
		server := httptest.NewServer(proxy)
		t.Cleanup(server.Close)
		c.bucket = strings.Replace(c.bucket, url.QueryEscape(c.s3.Endpoint), url.QueryEscape(server.URL), 1)
	})
	clock := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { ahead.Store(0) }))
	defer clock.Close()
	d.shim("chronyc", `case $1 in makestep) exec curl -fsS `+clock.URL+`;; esac`)

	ahead.Store(int64(90 * time.Second))
	d.ok("push", "acme/tools/ubuntu/jammy", d.deb("waits", "1.0"))
	d.logs("repomill-worker", "this machine's clock is")
	if got := visible(d); len(got) != 1 {
		t.Errorf("clients see %q", got)
	}
	d.follow("## What to do")
	proctest.Eventually(t, "what waited is published", func() bool { return len(visible(d)) == 2 })
	d.sees("hello", "waits")
	d.all("## What to do")
}

func TestDrillDeadLetters(t *testing.T) {
	d := newDrill(t, "dead-letters")
	d.pubsub.Publish([]byte("of another program"), map[string]string{"from": "elsewhere"})
	body := debtest.Build(t, debtest.Spec{Name: "unnoticed", Version: "1.0", Arch: "amd64"})
	d.gcs.Create(gcstest.Object{Bucket: "acme-staging", Name: "acme/tools/ubuntu/jammy/unnoticed_1.0_amd64.deb"}, body) // without an event
	d.logs("repomill-worker", "messages are not notifications of the staging bucket")
	if _, metrics := d.get("http://" + d.ops + "/metrics"); !strings.Contains(metrics, "repomill_foreign_events_total 1") {
		t.Errorf("the message is not counted: %s", proctest.Tail(metrics))
	}
	d.follow("## Is an upload missing")
	proctest.Eventually(t, "the upload without an event is published", func() bool { return len(visible(d)) == 2 })
	if out := d.ok("status"); !strings.Contains(out.Stdout, "backlog: 0 ") {
		t.Error(out)
	}
	d.sees("hello", "unnoticed")
	d.all("## Is an upload missing", "## At Google") // the second was not run
}

func TestDrillExpiringKey(t *testing.T) {
	proctest.Need(t, "gpg")
	d := newDrill(t, "expiring-key", func(c *company) {
		home := t.TempDir()
		gpg := func(args ...string) []byte {
			cmd := exec.Command("gpg", append([]string{"--homedir", home, "--batch", "--armor", "--passphrase", ""}, args...)...)
			var said bytes.Buffer
			cmd.Stderr = &said
			out, err := cmd.Output()
			if err != nil {
				t.Fatalf("gpg %q: %v %s", args, err, said.Bytes())
			}
			return out
		}
		t.Cleanup(func() { exec.Command("gpgconf", "--homedir", home, "--kill", "all").Run() }) //nolint:errcheck // it ends by itself
		gpg("--quick-generate-key", "ACME packages <packages@acme.example>", "rsa3072", "sign", "20d")
		gpg("--quick-generate-key", "ACME packages, next <packages-next@acme.example>", "rsa3072", "sign", "never")
		c.signing = append(gpg("--export-secret-keys", "packages@acme.example"), gpg("--export-secret-keys", "packages-next@acme.example")...)
		if err := os.WriteFile(c.trusted, gpg("--export"), 0o644); err != nil {
			t.Fatal(err)
		}
	})
	d.follow("## Which key, and when", "## Extend it", "## Hosts")
	d.push("after", "1.0")
	d.sees("hello", "after")
	if _, err := os.Stat(filepath.Join(d.dir, "signing-key.asc.old")); err != nil {
		t.Errorf("the file of before is not kept: %v", err)
	}
	d.all("## Which key, and when", "## Extend it", "## Hosts")
}

func TestDrillCutOver(t *testing.T) {
	proctest.Need(t, "dpkg-deb")
	d := newDrill(t, "cut-over")
	old := filepath.Join(d.dir, "old/ubuntu/jammy")
	if err := os.MkdirAll(old, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"hello", "second", "third"} { // the first was pushed to both
		from, err := os.Open(d.deb(name, "1.0"))
		if err != nil {
			t.Fatal(err)
		}
		defer from.Close()
		body, err := io.ReadAll(from)
		if err == nil {
			err = os.WriteFile(filepath.Join(old, fmt.Sprintf("%s_1.0_amd64.deb", name)), body, 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	d.follow("## Before", "## Compare")
	d.sees("hello", "second", "third")
	if got := strings.Count(string(d.read(filepath.Join(d.dir, "new.txt"))), "\n"); got != 3 {
		t.Errorf("%d packages were compared, want 3", got)
	}
	d.push("only-new", "1.0")
	for _, command := range section(t, d.file, "## Compare")[:2] {
		d.do(command)
	}
	if out := d.do("diff old.txt new.txt"); out.Code != 1 || !strings.Contains(out.Stdout, "only-new") {
		t.Errorf("the comparison does not see a difference: %s", out)
	}
	d.all("## Before", "## Compare")
}
