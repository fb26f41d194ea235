package main_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"repomill/publish/sign"
	"repomill/testdata/proctest"
)

// A site is a running `repomill up`.
type site struct {
	data string // its folder
	url  string // of the resolver
	*proctest.Process
}

// startSite starts the program on a folder, with the tests' signing key if it has none, and returns when it is ready.
func startSite(data string, args ...string) (*site, error) {
	return startSiteUnder(nil, data, args...)
}

// startSiteUnder does so by a command that runs the program as its last arguments.
func startSiteUnder(wrapper []string, data string, args ...string) (*site, error) {
	if err := seedKey(data); err != nil {
		return nil, err
	}
	path, err := program()
	if err != nil {
		return nil, err
	}
	line := append(append(slices.Clone(wrapper), path), proctest.UpArgs(data, args...)...)
	cmd := exec.Command(line[0], line[1:]...)
	cmd.Env = []string{"LC_ALL=C.UTF-8"}
	s := &site{data: data}
	s.Process, s.url, err = proctest.Up(cmd)
	return s, err
}

// seedKey puts the tests' key in a folder that no program was started on yet.
func seedKey(data string) error {
	for _, name := range []string{"/catalog.db", "/signing-key.asc"} {
		if _, err := os.Stat(data + name); err == nil {
			return nil
		}
	}
	key, err := signingKey()
	if err != nil {
		return err
	}
	return errors.Join(os.MkdirAll(data, 0o755), os.WriteFile(data+"/signing-key.asc", key, 0o600))
}

// newSite starts a site of the test's own.
func newSite(t *testing.T, args ...string) *site {
	t.Helper()
	return restart(t, proctest.OpenDir(t), args...)
}

// restart starts a site on a folder that may have been used before.
func restart(t *testing.T, data string, args ...string) *site {
	t.Helper()
	return restartUnder(t, nil, data, args...)
}

func restartUnder(t *testing.T, wrapper []string, data string, args ...string) *site {
	t.Helper()
	s, err := startSiteUnder(wrapper, data, args...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Stop(); err != nil {
			t.Error(err)
		}
		s.logIfFailed(t)
	})
	return s
}

func (s *site) logIfFailed(t *testing.T) {
	if t.Failed() {
		log := s.Stderr.String()
		var failures []string
		for line := range strings.Lines(log) {
			if strings.Contains(line, "level=ERROR") {
				failures = append(failures, line)
			}
		}
		t.Logf("up of %s said\n%s\nits last errors were\n%s", s.data, log[max(0, len(log)-8000):], strings.Join(failures[max(0, len(failures)-20):], ""))
	}
}

// logs waits for a sentence in the log: a program logs beside what it answers.
func (s *site) logs(t *testing.T, sentence string) {
	t.Helper()
	proctest.Eventually(t, fmt.Sprintf("the log says %q", sentence), func() bool { return strings.Contains(s.Stderr.String(), sentence) })
}

func (s *site) staging() string { return "file://" + s.data + "/staging" }

// ownKeyring writes a file with the public keys that a site signs with, armoured, and returns its path.
func (s *site) ownKeyring() (string, error) {
	private, err := os.ReadFile(s.data + "/signing-key.asc")
	if err != nil {
		return "", err
	}
	key, err := sign.Read(private)
	if err != nil {
		return "", err
	}
	path := s.data + "/.test-keyring.asc"
	return path, os.WriteFile(path, key.Public(), 0o644)
}

// checkBucket returns what `repomill check` finds wrong in a repository of the published folder, or in all of it, if nothing is going on
// there: other tests may be at work in a shared site.
func (s *site) checkBucket(repository ...string) error {
	path, err := program()
	if err != nil {
		return err
	}
	ring, err := s.ownKeyring()
	if err != nil {
		return err
	}
	if entries, err := os.ReadDir(s.data + "/bucket"); err == nil && !slices.ContainsFunc(entries, visible) {
		return nil // the tests that ran published nothing
	}
	out, err := exec.Command(path, "check", filepath.Join(append([]string{s.data, "bucket"}, repository...)...), "--keyring", ring).CombinedOutput()
	if err != nil {
		return fmt.Errorf("check %s: %w\n%s", s.data, err, out)
	}
	return nil
}

func visible(e fs.DirEntry) bool { return !strings.HasPrefix(e.Name(), ".") }
