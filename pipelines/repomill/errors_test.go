package main_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"repomill/testdata/proctest"
)

// What cannot be done is said once, without a prefix in a prefix, and with what to do.
func TestErrorsSayItOnce(t *testing.T) {
	t.Parallel()
	dir := proctest.OpenDir(t)
	junk := newFile(t, "junk", []byte(strings.Repeat("junk", 100))).path
	empty := newFile(t, "empty.db", nil).path
	away := "mysql://u@127.0.0.1:1/d"
	worker := []string{"--staging", "file://" + dir + "/s", "--events", "dir://", "--bucket", "file://" + dir + "/b", "--public-url", "http://x"}
	key, err := signingKey()
	if err == nil {
		err = errors.Join(os.WriteFile(dir+"/key.asc", key, 0o600), os.Mkdir(dir+"/s", 0o755), os.Mkdir(dir+"/b", 0o755))
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
		{"a key that is none", append([]string{"worker", "--signing-key", "file://" + junk, "--catalog", away}, worker...), 4, "signing key " + junk + ": no armoured key found; if the file was good before, restore it from its backup"},
		{"no folder of repomill up", []string{"status", "--data", dir + "/no"}, 4, "there is no catalog " + dir + "/no/catalog.db: name the folder of repomill up with --data, or the catalog with --catalog"},
		{"no catalog", []string{"ls", "acme/tools/el/9", "--catalog", "sqlite://" + dir + "/c.db"}, 4, "there is no catalog " + dir + "/c.db: create one with repomill migrate --catalog, or name another"},
		{"no catalog's path", []string{"status", "--catalog", "sqlite://"}, 2, "--catalog is no catalog's URL: use mysql://USER@HOST/DATABASE?password-file=/path or sqlite:///path/to/catalog.db"},
		{"a folder for a catalog", []string{"repo", "list", "--catalog", "sqlite://" + dir}, 4, dir + " is a folder, and a catalog is a file: name another with --catalog or --data"},
		{"a catalog without tables", []string{"status", "--catalog", "sqlite://" + empty}, 4, "the catalog's schema is older than this program, or there is none yet (SQL logic error: no such table: releases (1)): run repomill migrate with the same --catalog; repomill up does that at its start"},
		{"a file for a folder", []string{"status", "--data", junk}, 4, "there is no catalog " + junk + "/catalog.db: name the folder of repomill up with --data, or the catalog with --catalog"},
		{"migrate to a catalog in a file", []string{"migrate", "--catalog", "sqlite://" + junk + "/c.db"}, 4, junk + ", the folder of the catalog, is a file: name another with --catalog or --data"},
		{"a catalog where no file can be", []string{"migrate", "--catalog", "sqlite:///proc/c.db"}, 4, "no catalog can be opened or made at /proc/c.db: name another file with --catalog or --data"},
		{"a slash too many", []string{"status", "--catalog", "sqlite:///" + empty}, 4, "the catalog's schema is older than this program, or there is none yet (SQL logic error: no such table: releases (1)): run repomill migrate with the same --catalog; repomill up does that at its start"},
		{"migrate to no URL", []string{"migrate", "--catalog", "c.db"}, 2, "--catalog is no catalog's URL: use mysql://USER@HOST/DATABASE?password-file=/path or sqlite:///path/to/catalog.db"},
		{"a catalog in no folder", []string{"migrate", "--catalog", "sqlite://" + dir + "/no/c.db"}, 4, "there is no folder for the catalog " + dir + "/no/c.db: make it, or name another with --catalog or --data"},
		{"a catalog that is none", []string{"status", "--catalog", "sqlite://" + junk}, 4, junk + " is no SQLite database, or damaged: name another with --catalog or --data, or restore it (without a catalog, repomill up takes over what is published)"},
	} {
		a := repomill(t, tt.args...)
		if want := "repomill: " + tt.says + "\n"; a.Code != tt.code || !strings.HasSuffix(a.Stderr, want) || strings.Count(a.Stderr, "repomill: ") != 1 {
			t.Errorf("%s: got %v, want code %d and %q", tt.fact, a, tt.code, want)
		}
	}
	if a := repomill(t, "migrate", "--help"); strings.Count(a.Stdout, "Bring") != 1 {
		t.Errorf("migrate --help says twice what it does:\n%s", a.Stdout)
	}
}

// The error for a user who may not open the catalog names the user who may.
func TestCatalogOfAnotherUser(t *testing.T) {
	t.Parallel()
	if os.Getuid() != 0 {
		t.Skip("only root can become another user")
	}
	proctest.Need(t, "setpriv")
	data := filepath.Join(proctest.OpenDir(t), "data")
	if err := os.Mkdir(data, 0o755); err != nil {
		t.Fatal(err)
	}
	if a := repomill(t, "migrate", "--catalog", "sqlite://"+data+"/catalog.db"); a.Code != 0 {
		t.Fatal(a)
	}
	path, err := program()
	if err != nil {
		t.Fatal(err)
	}
	const owner = ": run the command as the user of repomill up or the worker (sudo -u)\n"
	catalog := data + "/catalog.db"
	for _, tt := range []struct {
		fact         string
		folder, file os.FileMode
		says         string
	}{
		{"a folder that cannot be entered", 0o700, 0o644, "this user may not enter the folder of the catalog " + catalog},
		{"a file that cannot be read", 0o755, 0o600, "this user may not read and write the catalog " + catalog + ", which is written to even by who only reads it"},
		{"a file that cannot be written to", 0o755, 0o644, "this user may not read and write the catalog " + catalog + ", which is written to even by who only reads it"},
		{"a folder that cannot be written to", 0o755, 0o666, "this user may not write to the folder of the catalog " + catalog + ", where SQLite keeps a log even for who only reads"},
	} {
		if err := errors.Join(os.Chmod(data, tt.folder), os.Chmod(catalog, tt.file)); err != nil {
			t.Fatal(err)
		}
		for _, command := range [][]string{{"status"}, {"ls", "acme/tools/el/9"}, {"reindex", "list"}, {"repo", "create", "acme/tools"}} {
			args := append(append([]string{"--reuid=65534", "--clear-groups", path}, command...), "--data", data)
			if a := proctest.Run(t, nil, "setpriv", args...); a.Code != 4 || a.Stderr != "repomill: "+tt.says+owner {
				t.Errorf("%s, %s: got %v, want %q", tt.fact, command, a, tt.says+owner)
			}
		}
	}
}
