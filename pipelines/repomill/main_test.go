// Package main_test runs the program as its users do: the real binary and real clients, on loopback
// and in temporary folders.
package main_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"repomill/publish/sign"
	"repomill/testdata/proctest"
)

func TestMain(m *testing.M) {
	proctest.WaitTogether(2)
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
	return path, proctest.Build(path, "repomill/pipelines/repomill")
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
		err = errors.Join(s.Stop(), s.checkBucket())
	}
	if dir, e := workshop(); e == nil {
		err = errors.Join(err, os.RemoveAll(dir))
	}
	return err
}

// repomill runs the program.
func repomill(t *testing.T, args ...string) proctest.Answer {
	t.Helper()
	path, err := program()
	if err != nil {
		t.Fatal(err)
	}
	return proctest.Run(t, nil, path, args...)
}
