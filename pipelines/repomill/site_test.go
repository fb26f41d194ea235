package main_test

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"repomill/publish/sign"
)

// A site is a running `repomill up`.
type site struct {
	data string // its folder
	url  string // of the resolver

	out, log *output // standard output and error
	cmd      *exec.Cmd
	done     chan struct{} // closed when the process has ended,
	err      error         // with this
}

// An output collects what a process prints.
type output struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.String()
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
	for _, flag := range []string{"--listen", "--edge-listen", "--ops-listen"} {
		if !slices.Contains(args, flag) {
			args = append(args, flag, "127.0.0.1:0")
		}
	}
	s := &site{data: data, out: new(output), log: new(output), done: make(chan struct{})}
	line := append(append(slices.Clone(wrapper), path, "up", "--data", data), args...)
	s.cmd = exec.Command(line[0], line[1:]...)
	s.cmd.Env = []string{"LC_ALL=C.UTF-8"}
	s.cmd.Stdout, s.cmd.Stderr = s.out, s.log
	s.cmd.SysProcAttr = dieWithUs()
	if err := s.cmd.Start(); err != nil {
		return nil, err
	}
	go func() { s.err = s.cmd.Wait(); close(s.done) }()
	return s, s.ready()
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

var clientsLine = regexp.MustCompile(`(?m)^repomill ready\n  clients: +(http://\S+)$`)

func (s *site) ready() error {
	for end := time.Now().Add(3 * time.Minute); time.Now().Before(end); {
		if m := clientsLine.FindStringSubmatch(s.out.String()); m != nil {
			s.url = m[1]
			return nil
		}
		select {
		case <-s.done:
			return fmt.Errorf("up ended: %w\n%s", s.err, s.log)
		case <-time.After(10 * time.Millisecond):
		}
	}
	return errors.Join(fmt.Errorf("up is not ready after three minutes\n%s\n%s", s.out, s.log), s.kill())
}

// newSite starts a site of the test's own.
func newSite(t *testing.T, args ...string) *site {
	t.Helper()
	return restart(t, openDir(t), args...)
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
		if err := s.stop(); err != nil {
			t.Error(err)
		}
		s.logIfFailed(t)
	})
	return s
}

// openDir returns a temporary folder that other users can read, as apt's sandbox user must. Its name
// is free of the test's, whose commas and spaces dnf would take for separators.
func openDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "repomill-test-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) }) //nolint:errcheck // best effort
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}

// stop ends the site with SIGTERM; it must end well. A site that has ended stays so.
func (s *site) stop() error {
	select {
	case <-s.done:
		return nil
	default:
	}
	if err := s.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	select {
	case <-s.done:
	case <-time.After(2 * time.Minute): // longer than work may go on
		return errors.Join(errors.New("up goes on two minutes after SIGTERM"), s.kill())
	}
	if s.err != nil {
		return fmt.Errorf("up after SIGTERM: %w\n%s", s.err, s.log)
	}
	return nil
}

// kill ends the site with SIGKILL.
func (s *site) kill() error {
	err := s.cmd.Process.Kill()
	<-s.done
	if errors.Is(err, os.ErrProcessDone) {
		return nil
	}
	return err
}

func (s *site) logIfFailed(t *testing.T) {
	if t.Failed() {
		log := s.log.String()
		t.Logf("up of %s said\n%s", s.data, log[max(0, len(log)-8000):])
	}
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

// checkBucket returns what `repomill check` finds wrong in the published folder, in which nothing is going on.
func (s *site) checkBucket() error {
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
	out, err := exec.Command(path, "check", s.data+"/bucket", "--keyring", ring).CombinedOutput()
	if err != nil {
		return fmt.Errorf("check %s: %w\n%s", s.data, err, out)
	}
	return nil
}

func visible(e fs.DirEntry) bool { return !strings.HasPrefix(e.Name(), ".") }
