// Package main_test runs the program as its users do: the real binary and real clients, on loopback
// and in temporary folders.
package main_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"repomill/publish/sign"
)

func TestMain(m *testing.M) {
	beProgram()
	code := m.Run()
	if err := tearDown(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = max(code, 1)
	}
	os.Exit(code)
}

// workshop is a folder for what all tests share.
var workshop = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "repomill-test-")
	if err != nil {
		return "", err
	}
	return dir, os.Chmod(dir, 0o755) // apt's sandbox user reads in it
})

// program builds the binary and returns its path.
var program = sync.OnceValues(func() (string, error) {
	dir, err := workshop()
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, "repomill")
	out, err := exec.Command("go", "build", "-o", path, ".").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("go build: %w\n%s", err, out)
	}
	return path, nil
})

// signingKey makes the key that all sites sign with: a new one each, of 4096 bits, would take seconds.
var signingKey = sync.OnceValues(func() ([]byte, error) {
	key, err := sign.Generate("test signing key", sign.MinRSABits, time.Now())
	if err != nil {
		return nil, err
	}
	return key.Private()
})

// sharedSite is a site for all tests that need none of their own. Each uses repositories of its own there.
var (
	sharedSite = sync.OnceValues(func() (*site, error) {
		dir, err := workshop()
		if err != nil {
			return nil, err
		}
		sharedStarted, err = startSite(filepath.Join(dir, "data"))
		return sharedStarted, err
	})
	sharedStarted *site
)

func shared(t *testing.T) *site {
	t.Helper()
	s, err := sharedSite()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.logIfFailed(t) })
	return s
}

// tearDown stops the shared site. What all tests together left on it must be sound.
func tearDown() (err error) {
	if s := sharedStarted; s != nil {
		err = errors.Join(s.stop(), s.checkBucket())
	}
	if dir, e := workshop(); e == nil {
		err = errors.Join(err, os.RemoveAll(dir))
	}
	return err
}

// An answer is what a command came to.
type answer struct {
	code           int
	stdout, stderr string
}

func (a answer) String() string {
	return fmt.Sprintf("exit code %d\n%s%s", a.code, a.stdout, a.stderr)
}

// run runs a command, with nothing in its environment but what it is given, and without input.
func run(t *testing.T, env []string, name string, args ...string) answer {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	var stdout, stderr bytes.Buffer
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Env = append([]string{"PATH=" + os.Getenv("PATH"), "LC_ALL=C.UTF-8", "HOME=/nonexistent"}, env...)
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	cmd.SysProcAttr = dieWithUs()
	cmd.WaitDelay = time.Minute
	err := cmd.Run()
	if _, ok := errors.AsType[*exec.ExitError](err); err != nil && !ok || ctx.Err() != nil {
		t.Fatalf("%s %q: %v, %v\n%s%s", name, args, err, ctx.Err(), stdout.String(), stderr.String())
	}
	return answer{cmd.ProcessState.ExitCode(), stdout.String(), stderr.String()}
}

// repomill runs the program.
func repomill(t *testing.T, args ...string) answer {
	t.Helper()
	path, err := program()
	if err != nil {
		t.Fatal(err)
	}
	return run(t, nil, path, args...)
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
