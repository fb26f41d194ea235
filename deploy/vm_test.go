package deploy_test

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"repomill/testdata/debtest"
	"repomill/testdata/proctest"
	"repomill/testdata/rpmtest"
)

// From an empty machine to a package that apt installs, and out again: what machines.md describes.
func TestSingleMachine(t *testing.T) {
	t.Parallel()
	c := newCompany(t)
	worker, ops := c.worker()
	c.ok("repo", "create", "acme/tools", "--distribution", "ubuntu/jammy", "--distribution", "el/9", "--component", "extra")
	c.resolver()
	hello := c.file("hello.deb", debtest.Build(t, debtest.Spec{Name: "hello", Version: "1.0", Arch: "amd64"}))
	jammy := "acme/tools/ubuntu/jammy"

	t.Run("a push waits until clients can install it", func(t *testing.T) {
		out := c.ok("push", "--wait", "--timeout", "5m", jammy, hello)
		if !strings.Contains(out.Stdout, "published: hello 1.0 amd64") {
			t.Error(out)
		}
		out = c.ok("push", "--wait", "--timeout", "5m", "acme/tools/el/9", c.file("noarch.rpm", rpmtest.Build(t, rpmtest.Spec{Arch: "noarch"})))
		if !strings.Contains(out.Stdout, "published: ") {
			t.Error(out)
		}
		aptInstalls(t, c, "hello")
	})
	t.Run("a conflict says who pushed what is there", func(t *testing.T) {
		other := c.file("hello.deb", debtest.Build(t, debtest.Spec{Name: "hello", Version: "1.0", Arch: "amd64", Size: 10}))
		out := c.run("push", "--wait", "--timeout", "5m", jammy, other)
		if out.Code != 1 || !strings.Contains(out.Stderr, "conflict") || !strings.Contains(out.Stderr, "release-bot") || !strings.Contains(out.Stderr, "https://ci.example/42") {
			t.Error(out)
		}
	})
	t.Run("what is not declared is rejected", func(t *testing.T) {
		out := c.run("push", "--wait", "--timeout", "5m", "acme/tolls/ubuntu/jammy", hello)
		if out.Code != 1 || !strings.Contains(out.Stderr, "unknown-repository") || !strings.Contains(out.Stderr, "acme/tools") {
			t.Error(out)
		}
		out = c.run("push", "--wait", "--timeout", "5m", jammy+"/exrta", hello)
		if out.Code != 1 || !strings.Contains(out.Stderr, "unknown-component") || !strings.Contains(out.Stderr, "extra") {
			t.Error(out)
		}
	})
	t.Run("status says where a package is out", func(t *testing.T) {
		out := c.ok("status", "acme/tools", "hello=1.0*")
		if !regexp.MustCompile(`out: hello 1.0 amd64, since .* UTC\n  ubuntu/jammy@`).MatchString(out.Stdout) {
			t.Error(out)
		}
		if out := c.run("status", "acme/tools", "hello=2.0"); out.Code != 1 {
			t.Error(out)
		}
	})
	t.Run("the client for CI does the same", func(t *testing.T) {
		for _, args := range [][]string{
			{"push", "--wait", "--timeout", "1m", jammy, hello}, {"push", "--dry-run", jammy, hello}, {"status", "acme/tools", "hello=1.0*"},
			{"ls", jammy}, {"hint", "--public-url", c.public, jammy}, {"check", c.public + "/acme/tools/ubuntu/dists/jammy", "--keyring", c.trusted},
		} {
			want, got := c.ok(args...), c.runProgram("repomill-client", args...)
			if got != want || want.Stdout == "" {
				t.Errorf("%v: %s, want %s", args, got, want)
			}
		}
	})
	t.Run("a package is withdrawn and comes back", func(t *testing.T) { yankAndBack(t, c, jammy) })
	t.Run("a private repository opens to a token", func(t *testing.T) { privateRepository(t, c) })
	t.Run("it can be watched", func(t *testing.T) {
		for path, want := range map[string]string{
			"/metrics": `repomill_uploads_total{outcome="published",reason=""}`, "/healthz": "ok", "/readyz": "ok",
		} {
			if status, body := c.get("http://" + ops + path); status != http.StatusOK || !strings.Contains(body, want) {
				t.Errorf("%s: %d, without %q", path, status, want)
			}
		}
		log := worker.log.String()
		for _, line := range strings.Split(strings.TrimSpace(log), "\n") {
			if !strings.HasPrefix(line, "{") {
				t.Errorf("a line of the log is no JSON: %s", line)
			}
		}
	})
	if code := worker.stop(); code != 0 {
		t.Errorf("the worker ended with %d", code)
	}
	t.Run("reads go on without database, queue and workers", func(t *testing.T) { aptInstalls(t, c, "hello") })
}

func yankAndBack(t *testing.T, c *company, jammy string) {
	out := c.ok("yank", jammy, "hello=1.0", "--reason", "broken build")
	if !strings.Contains(out.Stdout, "yanked: hello 1.0 amd64") {
		t.Error(out)
	}
	if packages := c.index(t); strings.Contains(packages, "Package: hello\n") {
		t.Errorf("the index still has it:\n%s", packages)
	}
	const file = "/acme/tools/ubuntu/pool/jammy/main/h/hello/hello_1.0_amd64.deb"
	if status, _ := c.get(c.public + file); status != http.StatusOK {
		t.Errorf("its file answers %d within the retention period", status)
	}
	again := c.file("again.deb", debtest.Build(t, debtest.Spec{Name: "hello", Version: "1.0", Arch: "amd64"}))
	if out := c.run("push", "--wait", "--timeout", "5m", jammy, again); out.Code != 1 || !strings.Contains(out.Stderr, "yanked") || !strings.Contains(out.Stderr, "broken build") {
		t.Error(out)
	}
	c.ok("unyank", jammy, "hello=1.0")
	if packages := c.index(t); !strings.Contains(packages, "Package: hello\n") {
		t.Errorf("the index does not have it back:\n%s", packages)
	}
	doomed := c.file("doomed.deb", debtest.Build(t, debtest.Spec{Name: "doomed", Version: "1.0", Arch: "amd64"}))
	c.ok("push", "--wait", "--timeout", "5m", jammy, doomed)
	out = c.ok("yank", "--now", jammy, "doomed=1.0", "--reason", "leaked a key")
	const gone = "/acme/tools/ubuntu/pool/jammy/main/d/doomed/doomed_1.0_amd64.deb"
	if status, _ := c.get(c.public + gone); status != http.StatusNotFound || !strings.Contains(out.Stdout, "removed: "+gone[1:]) {
		t.Errorf("the file of a package that was removed at once answers %d\n%s", status, out)
	}
	if staged := "removed from staging: " + jammy + "/doomed.deb\n"; !strings.Contains(out.Stdout, staged) {
		t.Errorf("it does not say %q: %s", staged, out)
	}
	if out := c.run("unyank", jammy, "doomed=1.0"); out.Code != 1 || !strings.Contains(out.Stderr, "new version") {
		t.Error(out)
	}
}

// index returns the index of what clients see now.
func (c *company) index(t *testing.T) string {
	t.Helper()
	apt := newApt(t, c)
	apt.Update(t)
	return apt.Run(t, "apt-cache", "dumpavail").Stdout
}

func privateRepository(t *testing.T, c *company) {
	c.ok("repo", "create", "acme/secret", "--visibility", "private", "--distribution", "ubuntu/jammy")
	token := strings.TrimSpace(c.ok("token", "create", "acme/secret", "ci", "--expires", "90d").Stdout)
	c.ok("push", "--wait", "--timeout", "5m", "acme/secret/ubuntu/jammy", c.file("s.deb", debtest.Build(t, debtest.Spec{Name: "hush", Arch: "amd64"})))
	pointer := "/acme/secret/ubuntu/dists/jammy/InRelease"
	withToken := strings.Replace(c.public, "http://", "http://"+token+":@", 1)
	proctest.Eventually(t, "the token opens it", func() bool { status, _ := c.get(withToken + pointer); return status == http.StatusOK })
	for what, path := range map[string]string{"what is there": pointer, "what is not": "/acme/secret/ubuntu/dists/jammy/Release.nothing"} {
		if status, _ := c.get(c.public + path); status != http.StatusUnauthorized && !(what == "what is not" && status == http.StatusNotFound) {
			t.Errorf("%s answers %d without a token", what, status)
		}
	}
	c.ok("token", "revoke", "acme/secret", "ci")
	proctest.Eventually(t, "the token is dead", func() bool { status, _ := c.get(withToken + pointer); return status == http.StatusUnauthorized })
	if out := c.ok("token", "list", "acme/secret"); strings.Contains(out.Stdout, "ci") || strings.Contains(out.Said(), token) {
		t.Error(out)
	}
}

// Workers that are killed at any moment lose nothing, whichever worker continues.
func TestWorkersAreKilled(t *testing.T) {
	t.Parallel()
	c := newCompany(t)
	first, _ := c.worker()
	c.ok("repo", "create", "acme/tools", "--distribution", "ubuntu/jammy")
	var files []string
	for i := range 30 {
		files = append(files, c.file(fmt.Sprintf("p%02d.deb", i), debtest.Build(t, debtest.Spec{Name: fmt.Sprintf("p%02d", i), Version: "1.0", Arch: "amd64"})))
	}
	c.resolver()
	second, _ := c.worker()
	c.ok(append([]string{"push", "acme/tools/ubuntu/jammy"}, files[:15]...)...)
	kill(t, first)
	c.ok(append([]string{"push", "acme/tools/ubuntu/jammy"}, files[15:]...)...)
	time.Sleep(300 * time.Millisecond)
	kill(t, second)
	third, _ := c.worker()
	var last proctest.Answer
	deadline := time.Now().Add(6 * time.Minute) // leases run out after one
	for {
		if last = c.run("status", "acme/tools"); strings.Contains(last.Stdout, "backlog: 0 ") && strings.Count(last.Stdout, "published") >= 20 && strings.Count(c.index(t), "\nPackage: ")+1 >= 30 {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("not all is published: %s", last)
		}
		time.Sleep(500 * time.Millisecond)
	}
	if got := strings.Count("\n"+c.index(t), "\nPackage: p"); got != 30 {
		t.Errorf("clients see %d packages, want 30", got)
	}
	if out := c.ok("check", c.public+"/acme/tools/ubuntu/dists/jammy", "--keyring", c.trusted); !strings.Contains(out.Stdout, "30 packages") {
		t.Error(out)
	}
	if code := third.stop(); code != 0 {
		t.Errorf("the worker ended with %d", code)
	}
}

func kill(t *testing.T, p *process) {
	t.Helper()
	if err := p.Kill(); err != nil {
		t.Fatal(err)
	}
}

// A worker that runs once publishes what waits, and ends.
func TestOnce(t *testing.T) {
	t.Parallel()
	c := newCompany(t)
	c.ok("migrate")
	c.ok("repo", "create", "--no-wait", "acme/tools", "--distribution", "ubuntu/jammy")
	for i := range 3 {
		c.ok("push", "acme/tools/ubuntu/jammy", c.file(fmt.Sprintf("%d.deb", i), debtest.Build(t, debtest.Spec{Name: fmt.Sprintf("once%d", i), Arch: "amd64"})))
	}
	p, _ := c.worker("--once")
	if out := p.Wait(t); out.Code != 0 {
		t.Errorf("exit %d", out.Code)
	}
	c.resolver()
	if out := c.ok("check", c.public+"/acme/tools/ubuntu/dists/jammy", "--keyring", c.trusted); !strings.Contains(out.Stdout, "3 packages") {
		t.Error(out)
	}
}

// Each wrong setting is named, in one sentence, and the worker ends.
func TestWrongSettings(t *testing.T) {
	t.Parallel()
	c := newCompany(t)
	c.ok("migrate")
	missing := filepath.Join(t.TempDir(), "missing.asc")
	key := filepath.Join(t.TempDir(), "key.asc")
	if err := os.WriteFile(key, c.signing, 0o600); err != nil {
		t.Fatal(err)
	}
	good := map[string]string{
		"--staging": c.staging, "--events": c.events, "--catalog": c.catalog, "--bucket": c.bucket,
		"--signing-key": "file://" + key, "--public-url": c.public, "--ops-listen": "",
	}
	const dead = "127.0.0.1:1" // where nothing listens
	for _, tt := range []struct {
		name, flag, value string
		code              int
		says              []string
	}{
		{"a staging bucket that is not there", "--staging", c.gcs.URLOf("nowhere"), 4, []string{"--staging", "nowhere"}},
		{"no URL of a staging bucket", "--staging", "ftp://x", 2, []string{"staging", "gs://"}},
		{"a subscription that is not there", "--events", c.pubsub.URLOf("nowhere"), 4, []string{"--events", "nowhere"}},
		{"no URL of a bucket", "--bucket", "http://x", 2, []string{"--bucket", "s3://"}},
		{"a bucket that is not there", "--bucket", strings.Replace(c.bucket, "acme-packages", "nowhere", 1), 4, []string{"--bucket", "nowhere"}},
		{"an S3 that does not answer", "--bucket", "s3://b?region=us-east-1&path-style=true&endpoint=http://" + dead, 4, []string{"--bucket", dead}},
		{"a database that does not answer", "--catalog", "mysql://u@" + dead + "/db", 4, []string{"--catalog", dead}},
		{"a password in the URL", "--catalog", "mysql://u:geheim@localhost/db", 2, []string{"password-file"}},
		{"a signing key that is not there", "--signing-key", "file://" + missing, 4, []string{"signing key", missing}},
		{"a public URL that is none", "--public-url", "packages", 2, []string{"--public-url"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			args := []string{"worker"}
			for flag, value := range good {
				if flag == tt.flag {
					value = tt.value
				}
				args = append(args, flag, value)
			}
			out := c.run(args...)
			var message []string
			for line := range strings.Lines(out.Stderr) {
				if strings.HasPrefix(line, "repomill: ") {
					message = append(message, line)
				}
			}
			if out.Code != tt.code || len(message) != 1 {
				t.Fatalf("%d messages, want one and exit %d: %s", len(message), tt.code, out)
			}
			for _, s := range tt.says {
				if !strings.Contains(message[0], s) {
					t.Errorf("it does not say %q: %s", s, message[0])
				}
			}
			if strings.Contains(out.Stderr, "geheim") {
				t.Error("a secret is printed")
			}
		})
	}
}

// newApt returns an apt whose one source is the public repository.
func newApt(t *testing.T, c *company) proctest.Apt {
	t.Helper()
	status, sources := c.get(c.public + "/acme/tools/ubuntu/jammy.sources")
	if status != http.StatusOK {
		t.Fatalf("the configuration of apt answers %d", status)
	}
	a := proctest.NewApt(t, "amd64")
	a.Source(t, "sources", sources)
	return a
}

// aptInstalls downloads a package as apt-get install would.
func aptInstalls(t *testing.T, c *company, name string) {
	t.Helper()
	a := newApt(t, c)
	a.Update(t)
	if found := a.Download(t, name); len(found) != 1 || !strings.HasPrefix(filepath.Base(found[0]), name+"_") {
		t.Errorf("downloaded %q", found)
	}
}
