package clients_test

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"repomill/publish/sign"
	"repomill/testdata/corpus"
)

var binary = flag.String("clients.binary", "", "the repomill that publishes; built if empty")

// packages is what the releases are made of.
var packages = corpus.Corpus{Seed: 5}

// size returns how many rows a release begins with.
func size() int {
	if testing.Short() {
		return 2000
	}
	return 20_000
}

// work is the folder of what all tests share.
var work string

func TestMain(m *testing.M) {
	code, err := run(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, "clients:", err)
		code = 1
	}
	os.Exit(code)
}

func run(m *testing.M) (code int, err error) {
	if work, err = os.MkdirTemp("", "repomill-clients-"); err != nil {
		return 0, err
	}
	defer os.RemoveAll(work)
	return m.Run(), nil
}

// program returns the path of the binary.
var program = sync.OnceValues(func() (string, error) {
	if *binary != "" {
		return *binary, nil
	}
	path := filepath.Join(work, "repomill")
	out, err := exec.Command("go", "build", "-o", path, "repomill/pipelines/repomill").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("go build: %w\n%s", err, out)
	}
	return path, nil
})

// signingKey makes the key that all sites sign with.
var signingKey = sync.OnceValues(func() (*sign.Signer, error) {
	return sign.Generate("test signing key", sign.MinRSABits, time.Now())
})

// openDir returns a temporary folder that other users can read, as apt's sandbox user must. Its name
// is free of the test's, whose commas and spaces dnf would take for separators.
func openDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "repomill-clients-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) }) //nolint:errcheck // best effort
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}

// write writes a file below a folder and returns its path.
func write(t *testing.T, dir, name, text string) string {
	t.Helper()
	path := filepath.Join(dir, name)
	err := os.MkdirAll(filepath.Dir(path), 0o755)
	if err = errors.Join(err, os.WriteFile(path, []byte(text), 0o644)); err != nil {
		t.Fatal(err)
	}
	return path
}

// need skips a test that lacks one of its judges.
func need(t *testing.T, programs ...string) {
	t.Helper()
	for _, p := range programs {
		if _, err := exec.LookPath(p); err != nil {
			t.Skipf("%s is not installed", p)
		}
	}
}

// An answer is the result of a command.
type answer struct {
	code           int
	stdout, stderr string
}

// String shows what is worth showing of an answer: its ends may be megabytes apart.
func (a answer) String() string {
	return fmt.Sprintf("exit code %d\n%s%s", a.code, end(a.stdout), end(a.stderr))
}

func end(s string) string { return s[max(0, len(s)-4000):] }

// ask runs a command, with nothing in its environment but what it is given, and without input.
func ask(t *testing.T, env []string, name string, args ...string) answer {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
	defer cancel()
	var stdout, stderr bytes.Buffer
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Env = append([]string{"PATH=" + os.Getenv("PATH"), "LC_ALL=C.UTF-8", "HOME=/nonexistent"}, env...)
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	cmd.SysProcAttr = dieWithUs()
	cmd.WaitDelay = time.Minute
	err := cmd.Run()
	a := answer{cmd.ProcessState.ExitCode(), stdout.String(), stderr.String()}
	if _, ok := errors.AsType[*exec.ExitError](err); err != nil && !ok || ctx.Err() != nil {
		t.Fatalf("%s %.500q: %v, %v\n%v", name, args, err, ctx.Err(), a)
	}
	return a
}

// must runs a command that must succeed and returns its standard output.
func must(t *testing.T, env []string, name string, args ...string) string {
	t.Helper()
	a := ask(t, env, name, args...)
	if a.code != 0 {
		t.Fatalf("%s %.500q: %v", name, args, a)
	}
	return a.stdout
}
