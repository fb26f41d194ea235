package deploy_test

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"repomill/pipelines/objects/s3"
	"repomill/publish/keys"
	"repomill/publish/sign"
	"repomill/testdata/debtest"
	"repomill/testdata/proctest"
)

// runbook returns the commands of machines.md that follow a paragraph, up to the next one.
func runbook(t testing.TB, paragraph string) (commands []string) {
	t.Helper()
	body, err := os.ReadFile("machines.md")
	if err != nil {
		t.Fatal(err)
	}
	_, after, ok := strings.Cut(string(body), "\n"+paragraph)
	if !ok {
		t.Fatalf("machines.md has no paragraph that begins with %s", paragraph)
	}
	_, after, _ = strings.Cut(after, "\n\n")
	for line := range strings.Lines(after) {
		command, ok := strings.CutPrefix(line, "    ")
		if !ok {
			break
		}
		commands = append(commands, strings.TrimSpace(command))
	}
	if len(commands) == 0 {
		t.Fatalf("machines.md has no commands after %s", paragraph)
	}
	return commands
}

// An operator follows the runbooks about keys.
type operator struct {
	*company
	file      string // with the private keys
	worker    *process
	old, next string       // fingerprints
	client    proctest.Apt // that was set up before anything was done
	released  int
}

// TestRunbooksOfKeys follows what machines.md says of another signing key, while a client goes on.
func TestRunbooksOfKeys(t *testing.T) {
	t.Parallel()
	c := newCompany(t)
	next, err := sign.Generate("next key", sign.MinRSABits, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	private, err := next.Private()
	if err != nil {
		t.Fatal(err)
	}
	o := &operator{company: c, file: filepath.Join(t.TempDir(), "signing-key.asc")}
	o.save(t, slices.Concat(c.signing, private))
	o.restart(t)
	c.ok("repo", "create", "acme/tools", "--distribution", "ubuntu/jammy")
	c.resolver()
	o.release(t)
	for _, paragraph := range []string{"**To replace a key**", "**If a key has leaked:**"} {
		o.read(t)
		o.client = newApt(t, c) // apt learns of no other keys than those of its setup
		o.sees(t)
		for _, line := range append(runbook(t, paragraph), runbook(t, "**In both cases**")...) {
			o.follow(t, line)
			o.sees(t)
		}
		o.release(t)
		o.sees(t)
		if out := c.ok("key", "list"); strings.Contains(out.Stdout, o.old+"  signing") || !strings.Contains(out.Stdout, o.next+"  signing") {
			t.Errorf("after %s: %s", paragraph, out)
		}
		if out := c.ok("key", "status"); !strings.Contains(out.Stdout, "all releases are signed by") {
			t.Errorf("after %s: %s", paragraph, out)
		}
	}
}

// follow does what a line says.
func (o *operator) follow(t *testing.T, line string) {
	t.Helper()
	t.Log(line)
	words := strings.Fields(strings.NewReplacer("OLD", o.old, "NEXT", o.next, "/etc/repomill/signing-key.asc", o.file).Replace(line))
	switch {
	case words[0] == "repomill":
		if strings.Contains(line, "promote NEXT") { // it refuses while NEXT is younger
			if out := o.run(words[1:]...); out.Code != 1 || !strings.Contains(out.Stderr, "promote it from") {
				t.Errorf("%s, too early: %s", line, out)
			}
			o.pass(t, 30*24*time.Hour)
		}
		o.ok(words[1:]...)
	case line == "# 30 days later":
		o.pass(t, 30*24*time.Hour)
	case line == "sudoedit /etc/repomill/signing-key.asc":
		o.remove(t, o.old)
	case line == "sudo systemctl restart repomill-worker":
		o.restart(t)
	default:
		t.Fatalf("the test does not know how to do %q", line)
	}
}

// pass has all that happened to keys have happened earlier.
func (o *operator) pass(t *testing.T, d time.Duration) {
	t.Helper()
	bucket, err := s3.OpenBucket(t.Context(), o.bucket)
	if err != nil {
		t.Fatal(err)
	}
	defer bucket.Close() //nolint:errcheck // at the end
	_, err = keys.Change(t.Context(), bucket, func(set *keys.Set) error {
		for i := range set.Keys {
			k := &set.Keys[i]
			k.Added = k.Added.Add(-d)
			for _, at := range []*time.Time{k.Promoted, k.Retired} {
				if at != nil {
					*at = at.Add(-d)
				}
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// read finds out which key signs, and which is on standby.
func (o *operator) read(t *testing.T) {
	t.Helper()
	o.old, o.next = "", ""
	for line := range strings.Lines(o.ok("key", "list").Stdout) {
		switch f := strings.Fields(line); {
		case len(f) > 1 && f[1] == "signing":
			o.old = f[0]
		case len(f) > 1 && f[1] == "standby":
			o.next = f[0]
		}
	}
	if o.old == "" || o.next == "" {
		t.Fatalf("no key signs, or none is on standby: %s", o.run("key", "list"))
	}
}

// save writes the file of private keys.
func (o *operator) save(t *testing.T, private []byte) {
	t.Helper()
	if err := os.WriteFile(o.file, private, 0o600); err != nil {
		t.Fatal(err)
	}
}

// remove takes a key out of the file of private keys.
func (o *operator) remove(t *testing.T, fingerprint string) {
	t.Helper()
	all, err := os.ReadFile(o.file)
	if err != nil {
		t.Fatal(err)
	}
	const end = "-----END PGP PRIVATE KEY BLOCK-----\n"
	var kept [][]byte
	for _, block := range bytes.SplitAfter(all, []byte(end)) {
		if len(bytes.TrimSpace(block)) == 0 {
			continue
		}
		key, err := sign.Read(block)
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Contains(key.Fingerprints(), fingerprint) {
			kept = append(kept, block)
		}
	}
	o.save(t, bytes.Join(kept, nil))
}

// restart has the worker start with the file of private keys as it is.
func (o *operator) restart(t *testing.T) {
	t.Helper()
	if o.worker != nil {
		if code := o.worker.stop(); code != 0 {
			t.Errorf("the worker ended with %d", code)
		}
	}
	var err error
	if o.signing, err = os.ReadFile(o.file); err != nil {
		t.Fatal(err)
	}
	o.worker, _ = o.company.worker()
}

// release publishes a package with a name of its own.
func (o *operator) release(t *testing.T) {
	t.Helper()
	o.released++
	name := strings.Repeat("x", o.released) + "-tool"
	o.ok("push", "--wait", "--timeout", "5m", "acme/tools/ubuntu/jammy", o.company.file(name+".deb", debtest.Build(t, debtest.Spec{Name: name, Arch: "amd64"})))
}

// sees fails unless the client, to which nothing was done, and one that is set up now see all that is published.
func (o *operator) sees(t *testing.T) {
	t.Helper()
	for _, a := range []proctest.Apt{o.client, newApt(t, o.company)} {
		a.Update(t)
		if got := strings.Count("\n"+a.Run(t, "apt-cache", "dumpavail").Stdout, "\nPackage: "); got != o.released {
			t.Errorf("a client sees %d packages, want %d", got, o.released)
		}
	}
}
