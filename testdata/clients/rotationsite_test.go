package clients_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"repomill/publish/sign"
	"repomill/testdata/debtest"
	"repomill/testdata/proctest"
	"repomill/testdata/rpmtest"
)

// A rotationSite serves public and private repositories to every kind of subscriber: some that packages are pushed to, and
// some that stay as they are.
type rotationSite struct {
	site
	repositories []string
	tokens       map[string]string // files with the tokens of private repositories
	keys         []string          // fingerprints, as they were when the site began
	version      int               // that was pushed last
}

// The repositories of a site, by what becomes of them: those named secret are private.
var (
	publicOnes = []string{"busy", "quiet"}
	allOnes    = []string{"busy", "quiet", "secretbusy", "secretquiet"}
)

// newRotationSite starts a site that signs with the first of some private keys, and keeps the others on standby.
func newRotationSite(t *testing.T, repositories []string, private ...[]byte) *rotationSite {
	t.Helper()
	s := &rotationSite{site: site{data: proctest.OpenDir(t)}, repositories: repositories, tokens: map[string]string{}}
	all := bytes.Join(private, nil)
	if err := os.Chmod(write(t, s.data, "signing-key.asc", string(all)), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, one := range private {
		key, err := sign.Read(one)
		if err != nil {
			t.Fatal(err)
		}
		s.keys = append(s.keys, key.Fingerprints()...)
	}
	var err error
	if s.program, err = program(); err != nil {
		t.Fatal(err)
	}
	s.start(t)
	for _, repository := range s.repositories {
		visibility := "public"
		if strings.HasPrefix(repository, "secret") {
			visibility = "private"
		}
		create := []string{"repo", "create", "--data", s.data, "acme/" + repository, "--visibility", visibility}
		for target := range s.targets() {
			create = append(create, "--distribution", target)
		}
		proctest.Must(t, nil, s.program, create...)
		if visibility == "private" {
			token := proctest.Must(t, nil, s.program, "token", "create", "--data", s.data, "acme/"+repository, "host")
			s.tokens[repository] = write(t, s.data, "tokens/"+repository, token)
		}
		s.push(t, repository)
	}
	return s
}

// targets returns what is pushed to, and the file for it.
func (s *rotationSite) targets() map[string]string {
	all := map[string]string{}
	for _, kind := range subscribers {
		all[kind.target] = "rpm"
		if kind.program == "apt-get" {
			all[kind.target] = "deb"
		}
	}
	return all
}

// push publishes a package in a repository, for every target.
func (s *rotationSite) push(t *testing.T, repository string) {
	t.Helper()
	version := fmt.Sprintf("%d.0", s.version+1)
	dir := t.TempDir()
	files := map[string]string{
		"deb": write(t, dir, "hello.deb", string(debtest.Build(t, debtest.Spec{Name: "hello-mill", Version: version, Control: "gz", Data: "gz"}))),
		"rpm": write(t, dir, "hello.rpm", string(rpmtest.Build(t, rpmtest.Spec{Name: "hello-mill", Version: version, Arch: "noarch"}))),
	}
	for target, kind := range s.targets() {
		proctest.Must(t, nil, s.program, "push", "--wait", "--timeout", "5m", "--staging", "file://"+s.data+"/staging", "acme/"+repository+"/"+target, files[kind])
	}
}

// release publishes the next version in the repositories that packages are pushed to.
func (s *rotationSite) release(t *testing.T) {
	t.Helper()
	s.version++
	for _, repository := range s.repositories {
		if strings.HasSuffix(repository, "busy") {
			s.push(t, repository)
		}
	}
}

// lines returns the printed lines that set a client up for a repository.
func (s *rotationSite) lines(t *testing.T, repository, target string) string {
	t.Helper()
	args := []string{"hint", "--data", s.data}
	if token, ok := s.tokens[repository]; ok {
		args = append(args, "--token-file", token)
	}
	_, lines, ok := strings.Cut(proctest.Must(t, nil, s.program, append(args, "acme/"+repository+"/"+target)...), "\n")
	if !ok || !strings.Contains(lines, s.url) {
		t.Fatalf("hint printed %q", lines)
	}
	return lines
}

// published returns an object as it is published now.
func (s *rotationSite) published(t *testing.T, key string) []byte {
	t.Helper()
	body, err := os.ReadFile(filepath.Join(s.data, "bucket", key))
	if err != nil {
		t.Fatal(err)
	}
	return body
}

// key runs a command about keys, which must succeed.
func (s *rotationSite) key(t *testing.T, args ...string) string {
	t.Helper()
	return strings.TrimSpace(proctest.Must(t, nil, s.program, append([]string{"key", args[0], "--data", s.data}, args[1:]...)...))
}

// awaitExpired waits until a key has expired, and everything is signed again by the others.
func (s *rotationSite) awaitExpired(t *testing.T, key string) {
	t.Helper()
	var a proctest.Answer
	for end := time.Now().Add(10 * time.Minute); time.Now().Before(end); {
		if a = proctest.Run(t, nil, s.program, "key", "status", "--data", s.data); strings.Contains(a.Stdout, key+" (signing) cannot sign: it expired") && !strings.Contains(a.Stdout, "to be signed again") {
			return
		}
		time.Sleep(time.Second)
	}
	t.Fatalf("not everything is signed without key %s: %v", key, a)
}
