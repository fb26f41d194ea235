package main_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// What cannot be done is said once, without a prefix in a prefix, and with what to do.
func TestErrorsSayItOnce(t *testing.T) {
	t.Parallel()
	dir := openDir(t)
	junk := newFile(t, "junk", []byte(strings.Repeat("junk", 100))).path
	away := "mysql://u@127.0.0.1:1/d"
	worker := []string{"--staging", "file://" + dir + "/s", "--events", "dir://", "--bucket", "file://" + dir + "/b", "--public-url", "http://x"}
	key, err := signingKey()
	if err == nil {
		err = os.WriteFile(dir+"/key.asc", key, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		fact string
		args []string
		code int
		says string // all of it
	}{
		{"a server that is away, migrate", []string{"migrate", "--catalog", away}, 4, "--catalog: cannot reach 127.0.0.1:1: dial tcp 127.0.0.1:1: connect: connection refused"},
		{"status", []string{"status", "--catalog", away}, 4, "--catalog: cannot reach 127.0.0.1:1: dial tcp 127.0.0.1:1: connect: connection refused"},
		{"repo create", []string{"repo", "create", "acme/tools", "--catalog", away}, 4, "--catalog: cannot reach 127.0.0.1:1: dial tcp 127.0.0.1:1: connect: connection refused"},
		{"worker", append([]string{"worker", "--signing-key", "file://" + dir + "/key.asc", "--catalog", away}, worker...), 4, "--catalog: cannot reach 127.0.0.1:1: dial tcp 127.0.0.1:1: connect: connection refused"},
		{"reindex", []string{"reindex", "--all", "--catalog", away, "--bucket", "file://" + dir + "/b", "--signing-key", "file://" + dir + "/key.asc", "--public-url", "http://x"}, 4, "--catalog: cannot reach 127.0.0.1:1: dial tcp 127.0.0.1:1: connect: connection refused"},
		{"a key that is none", append([]string{"worker", "--signing-key", "file://" + junk, "--catalog", away}, worker...), 4, "signing key " + junk + ": no armoured key found"},
		{"a catalog in no folder", []string{"migrate", "--catalog", "sqlite://" + dir + "/no/c.db"}, 4, "there is no folder for the catalog " + dir + "/no/c.db: make it, or name another with --catalog or --data"},
		{"a catalog that is none", []string{"status", "--catalog", "sqlite://" + junk}, 4, junk + " is no SQLite database, or damaged: name another with --catalog or --data, or restore it (without a catalog, repomill up takes over what is published)"},
	} {
		a := repomill(t, tt.args...)
		if want := "repomill: " + tt.says + "\n"; a.code != tt.code || !strings.HasSuffix(a.stderr, want) || strings.Count(a.stderr, "repomill: ") != 1 {
			t.Errorf("%s: got %v, want code %d and %q", tt.fact, a, tt.code, want)
		}
	}
	if a := repomill(t, "migrate", "--help"); strings.Count(a.stdout, "Bring") != 1 {
		t.Errorf("migrate --help says twice what it does:\n%s", a.stdout)
	}
}

// A user who may not open the catalog is told whose command it is.
func TestCatalogOfAnotherUser(t *testing.T) {
	t.Parallel()
	if os.Getuid() != 0 {
		t.Skip("only root can become another user")
	}
	need(t, "setpriv")
	data := filepath.Join(openDir(t), "data")
	if err := os.Mkdir(data, 0o755); err != nil {
		t.Fatal(err)
	}
	if a := repomill(t, "migrate", "--catalog", "sqlite://"+data+"/catalog.db"); a.code != 0 {
		t.Fatal(a)
	}
	path, err := program()
	if err != nil {
		t.Fatal(err)
	}
	for fact, mode := range map[string]os.FileMode{"a folder that cannot be entered": 0o700, "a folder that cannot be written to": 0o755} {
		if err := os.Chmod(data, mode); err != nil {
			t.Fatal(err)
		}
		a := run(t, nil, "setpriv", "--reuid=65534", "--clear-groups", path, "status", "--data", data)
		if a.code != 4 || !strings.Contains(a.stderr, "run the command as the user of repomill up or the worker") || strings.Contains(a.stderr, "(14)") {
			t.Errorf("%s: %v", fact, a)
		}
	}
}
