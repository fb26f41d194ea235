package main_test

import (
	"database/sql"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	_ "modernc.org/sqlite"

	"repomill/testdata/proctest"
)

// copySite returns a copy of a stopped site's folder.
func copySite(t *testing.T, s *site) (data string) {
	t.Helper()
	data = proctest.OpenDir(t)
	if err := os.CopyFS(data, os.DirFS(s.data)); err != nil {
		t.Fatal(err)
	}
	return data
}

// spoil executes a statement on the catalog of a folder.
func spoil(t *testing.T, data, statement string) {
	t.Helper()
	db, err := sql.Open("sqlite", "file:"+data+"/catalog.db")
	if err != nil {
		t.Fatal(err)
	}
	res, err := db.Exec(statement)
	if err == nil {
		if n, _ := res.RowsAffected(); n == 0 {
			err = errors.New("no row has changed")
		}
	}
	if err = errors.Join(err, db.Close()); err != nil {
		t.Fatalf("%s: %v", statement, err)
	}
}

// match returns the files below a folder that a pattern names.
func match(t *testing.T, data, pattern string) []string {
	t.Helper()
	found, err := filepath.Glob(data + "/" + pattern)
	if err != nil || len(found) == 0 {
		t.Fatalf("%s: %v, %v", pattern, found, err)
	}
	return found
}

func remove(t *testing.T, paths []string) {
	t.Helper()
	for _, path := range paths {
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
	}
}

func overwrite(t *testing.T, path string, body []byte) {
	t.Helper()
	if err := errors.Join(os.Remove(path), os.WriteFile(path, body, 0o644)); err != nil {
		t.Fatal(err)
	}
}

// A reindex that fails reports the fault and its place, and changes nothing that clients see. The other releases are
// reindexed.
func TestReindexBadInput(t *testing.T) {
	t.Parallel()
	s := sitePublished(t, "acme/tools")
	const deb, rpm = "acme/tools/ubuntu/jammy", "acme/tools/el/9/x86_64"
	const pool, indexes = "bucket/acme/tools/ubuntu/pool/jammy/main/h/hello/", "bucket/acme/tools/el/9/x86_64/repodata/"
	for _, tt := range []struct {
		fact    string
		spoil   func(t *testing.T, data string)
		release string   // that fails
		says    []string // why
		helps   string   // what puts it right; nothing if only an operator can
	}{
		{"a corrupt row of DEB", func(t *testing.T, data string) {
			spoil(t, data, `UPDATE packages SET stanza = X'00112233' WHERE stanza <> X'' AND version = '2.0'`)
		}, deb, []string{"hello", "2.0"}, "--from=published"},
		{"a corrupt row of RPM", func(t *testing.T, data string) {
			spoil(t, data, `UPDATE packages SET primary_xml = X'00112233' WHERE primary_xml <> X'' AND version = '2.0-1'`)
		}, rpm, []string{"hello", "2.0-1"}, "--from=published"},
		{"a row without its fragments", func(t *testing.T, data string) {
			spoil(t, data, `UPDATE packages SET stanza = X'' WHERE stanza <> X'' AND version = '2.0'`)
		}, deb, []string{"hello", "2.0"}, "--from=published"},
		{"a package file that is missing", func(t *testing.T, data string) {
			remove(t, match(t, data, pool+"hello_2.0_*.deb"))
		}, deb, []string{"acme/tools/ubuntu/pool/jammy/main/h/hello/hello_2.0_all.deb"}, ""},
		{"a package file of another size", func(t *testing.T, data string) {
			overwrite(t, match(t, data, "bucket/acme/tools/el/9/x86_64/hello-2.0-1.*.rpm")[0], []byte("short"))
		}, rpm, []string{"acme/tools/el/9/x86_64/hello-2.0-1.x86_64.rpm", "5"}, ""},
		{"a pointer with another text", func(t *testing.T, data string) {
			path := match(t, data, "bucket/acme/tools/ubuntu/dists/jammy/InRelease")[0]
			body, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			overwrite(t, path, []byte(strings.Replace(string(body), "Origin: ", "Origin: x", 1)))
		}, deb, []string{"does not verify", "acme/tools/ubuntu/dists/jammy/InRelease"}, ""},
		{"a pointer without its signature", func(t *testing.T, data string) {
			overwrite(t, match(t, data, indexes+"repomd.xml")[0], []byte("<repomd/>\n"))
		}, rpm, []string{"repodata/repomd.xml"}, ""},
		{"an index file that is missing", func(t *testing.T, data string) {
			remove(t, match(t, data, indexes+"*-filelists.xml.gz"))
		}, rpm, []string{"does not verify", "-filelists.xml.gz", "missing", "--repair"}, "--repair"},
		{"an index file with other bytes", func(t *testing.T, data string) {
			all := match(t, data, indexes+"*-primary.xml.gz") // of all revisions: one is the published one
			for _, path := range all {
				body, err := os.ReadFile(path)
				if err != nil {
					t.Fatal(err)
				}
				body[len(body)-1] ^= 1
				overwrite(t, path, body)
			}
		}, rpm, []string{"does not verify", "-primary.xml.gz", "SHA-256", "--repair"}, "--repair"},
	} {
		t.Run(tt.fact, func(t *testing.T) {
			t.Parallel()
			data := copySite(t, s)
			tt.spoil(t, data)
			before := tree(t, data+"/bucket")
			for _, more := range []string{"--dry-run", "--parallel=2"} {
				a, releases, run := reindex(t, data, "--all", more)
				got := releases[tt.release]
				if a.Code != 1 || run.Failed != 1 || run.Identical != 3 || got.Outcome != "failed" {
					t.Fatalf("%s: want %s to fail, got %v", more, tt.release, a)
				}
				for _, want := range tt.says {
					if !strings.Contains(got.Error, want) {
						t.Errorf("%s: no %q in %q", more, want, got.Error)
					}
				}
				wantSame(t, "the bucket", before, tree(t, data+"/bucket"))
			}
			if tt.helps == "" {
				return
			}
			if a, _, run := reindex(t, data, "--all", tt.helps); a.Code != 0 || run.Failed > 0 || (run.Repaired > 0) != (tt.helps == "--repair") {
				t.Errorf("%s: %v", tt.helps, a)
			}
			if a, _, run := reindex(t, data, "--all"); a.Code != 0 || run.Identical != 4 {
				t.Errorf("after %s: %v", tt.helps, a)
			}
		})
	}
}

// A full disk: the release fails, and the command says that the bucket is full (exit 4). With room, it publishes it.
func TestReindexFullDisk(t *testing.T) {
	t.Parallel()
	proctest.Need(t, "unshare", "sh")
	if a := proctest.Run(t, nil, "unshare", "-rm", "sh", "-c", "mount -t tmpfs -o size=64k tmpfs /mnt"); a.Code != 0 {
		t.Skipf("no file system can be mounted here: %v", a)
	}
	path, err := program()
	if err != nil {
		t.Fatal(err)
	}
	s := sitePublished(t, "acme/tools")
	yank(t, s, "acme/tools/el/9", "hello=1.0-1")
	// In a mount namespace of its own, the bucket is on a small disk that is filled up.
	const script = `
		set -e
		mkdir "$1/small" && mount -t tmpfs -o size=2m tmpfs "$1/small"
		cp -a "$1/bucket/." "$1/small" && mount --bind "$1/small" "$1/bucket"
		cp -a "$1/small" "$1/before"
		dd if=/dev/zero of="$1/small/.filler" bs=4k 2>/dev/null || true
		code=0; "$2" reindex --data "$1" acme/tools/el/9 || code=$?
		rm "$1/small/.filler"; diff -r -x .tmp -x .lock "$1/small" "$1/before" && echo "code $code, unchanged"
		"$2" reindex --data "$1" acme/tools/el/9`
	a := proctest.Run(t, nil, "unshare", "-rm", "sh", "-c", script, "sh", s.data, path)
	if a.Code != 0 || !strings.Contains(a.Stderr, "acme/tools/el/9/x86_64: failed: ") || !strings.Contains(a.Stderr, "no space left on device") ||
		!strings.Contains(a.Stdout, "\ncode 4, unchanged\n") || !strings.Contains(a.Stdout, "\nacme/tools/el/9/x86_64: published: ") {
		t.Errorf("got %v", a)
	}
}
