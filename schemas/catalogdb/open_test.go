package catalogdb_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"repomill/schemas/catalogdb"
)

func TestOpenRefuses(t *testing.T) {
	dir := t.TempDir()
	noPEM := filepath.Join(dir, "ca")
	if err := os.WriteFile(noPEM, []byte("no certificate"), 0o600); err != nil {
		t.Fatal(err)
	}
	const form = "sqlite:///path/to/catalog.db"
	for _, tt := range []struct{ name, url, want string }{
		{"nothing", "", form},
		{"a file name", "catalog.db", form},
		{"a path", "/catalog.db", form},
		{"no path", "sqlite://", form},
		{"no slashes", "sqlite:catalog.db", form},
		{"another scheme", "file:///catalog.db", form},
		{"another database", "postgres://kim:hunter2@host/db", form},
		{"a password", "mysql://kim:hunter2@db.example.com/catalog", "password-file=/path"},
		{"an empty password", "mysql://kim:@db.example.com/catalog", "password-file=/path"},
		{"a password that breaks the URL", "mysql://kim:hunter2%zz@db.example.com/catalog", "mysql://USER@HOST"},
		{"a password in the wrong place", "mysql://hunter2/catalog", "mysql://USER@HOST"},
		{"no user", "mysql://db.example.com/catalog", "mysql://USER@HOST"},
		{"no database", "mysql://kim@db.example.com", "/DATABASE"},
		{"a slash for a database", "mysql://kim@db.example.com/", "/DATABASE"},
		{"two databases", "mysql://kim@db.example.com/a/b", "/DATABASE"},
		{"a fragment", "mysql://kim@db.example.com/a#b", "/DATABASE"},
		{"no host", "mysql://kim@/catalog", "no host"},
		{"an unknown parameter", "mysql://kim@db.example.com/catalog?pasword=hunter2", `"pasword"`},
		{"a parameter without value", "mysql://kim@db.example.com/catalog?password-file=", "password-file needs one value"},
		{"a parameter with two values", "mysql://kim@db.example.com/catalog?tls=true&tls=false", "tls needs one value"},
		{"a query that is none", "mysql://kim@db.example.com/catalog?a=%zz", "question mark"},
		{"an unknown way to speak TLS", "mysql://kim@db.example.com/catalog?tls=preferred", "skip-verify"},
		{"an authority for nothing", "mysql://kim@db.example.com/catalog?tls=false&tls-ca=/ca.pem", "tls-ca needs tls=true"},
		{"an authority that is not there", "mysql://kim@db.example.com/catalog?tls-ca=" + filepath.Join(dir, "none"), "tls-ca"},
		{"an authority that is no PEM file", "mysql://kim@db.example.com/catalog?tls-ca=" + noPEM, "no PEM certificate"},
		{"a socket elsewhere", "mysql://kim@db.example.com/catalog?socket=/run/mysql.sock", "socket"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			db, err := catalogdb.Open(tt.url)
			if err == nil {
				db.Close()
				t.Fatal("it was opened")
			}
			checkSentence(t, err, tt.want)
		})
	}
}

// checkSentence fails unless an error names the flag to check and what to do, and no secret.
func checkSentence(t *testing.T, err error, want string) {
	t.Helper()
	if err == nil {
		t.Fatalf("there is no error, want one with %q", want)
	}
	for _, part := range []string{"--catalog", want} {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("got %q, want %q in it", err, part)
		}
	}
	if strings.Contains(err.Error(), "hunter2") || strings.ContainsAny(err.Error(), "\n\t") {
		t.Errorf("got %q: a secret, or no sentence", err)
	}
}

func TestTLSIsVerifiedUnlessTheServerIsHere(t *testing.T) {
	for _, tt := range []struct {
		name, url  string
		tls        bool
		skip       bool
		serverName string
	}{
		{"a host", "mysql://kim@db.example.com/catalog", true, false, "db.example.com"},
		{"a host and port", "mysql://kim@db.example.com:3307/catalog", true, false, "db.example.com"},
		{"an address", "mysql://kim@192.0.2.7/catalog", true, false, "192.0.2.7"},
		{"an address of six", "mysql://kim@[2001:db8::7]:3307/catalog", true, false, "2001:db8::7"},
		{"a host that begins like this one", "mysql://kim@localhost.example.com/catalog", true, false, "localhost.example.com"},
		{"a host without verification", "mysql://kim@db.example.com/catalog?tls=skip-verify", true, true, "db.example.com"},
		{"a host without TLS", "mysql://kim@db.example.com/catalog?tls=false", false, false, ""},
		{"this machine", "mysql://kim@localhost/catalog", false, false, ""},
		{"a loopback address", "mysql://kim@127.0.0.2:3306/catalog", false, false, ""},
		{"a loopback address of six", "mysql://kim@[::1]/catalog", false, false, ""},
		{"a socket", "mysql://kim@localhost/catalog?socket=/run/mysql.sock", false, false, ""},
		{"a socket and no host", "mysql://kim@/catalog?socket=/run/mysql.sock", false, false, ""},
		{"this machine, if it is wanted", "mysql://kim@localhost/catalog?tls=true", true, false, "localhost"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c, err := catalogdb.TLSOf(tt.url)
			if err != nil {
				t.Fatal(err)
			}
			if (c != nil) != tt.tls || c != nil && (c.InsecureSkipVerify != tt.skip || c.ServerName != tt.serverName) {
				t.Errorf("got %+v, want TLS %v, to skip verification %v, server name %q", c, tt.tls, tt.skip, tt.serverName)
			}
		})
	}
}

// A program whose catalog was removed, or replaced by another file, writes to a file that is gone: it is not ready.
func TestSQLiteFileIsReplaced(t *testing.T) {
	path := filepath.Join(t.TempDir(), "catalog.db")
	db := openSQLite(t, path)
	if err := db.Ready(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(path, path+".old"); err != nil {
		t.Fatal(err)
	}
	checkReplaced(t, db)
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	checkReplaced(t, db)
}

func checkReplaced(t *testing.T, db *catalogdb.DB) {
	t.Helper()
	if err := db.Ready(t.Context()); err == nil || !strings.HasSuffix(err.Error(), "was removed or replaced while this process used it: start it again") {
		t.Errorf("ready: %v", err)
	}
}
