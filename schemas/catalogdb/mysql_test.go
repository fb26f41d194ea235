package catalogdb_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"repomill/schemas/catalogdb"
	"repomill/testdata/mysqltest"
)

// ping opens a catalog and asks whether it answers.
func ping(t *testing.T, url string) error {
	t.Helper()
	db, err := catalogdb.Open(url)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	return db.Ping(t.Context())
}

func write(t *testing.T, name, content string) {
	t.Helper()
	if err := os.WriteFile(name, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestMySQLSaysWhyItCannotConnect(t *testing.T) {
	s := mysqltest.NewServer(t)
	url := s.Database(t)
	password := filepath.Join(t.TempDir(), "password")
	write(t, password, "hunter2\n")
	s.Exec(t, "CREATE USER kim@localhost IDENTIFIED BY 'other'", "CREATE USER lee@localhost IDENTIFIED BY 'hunter2'")
	user := func(name string) string {
		return strings.Replace(url, "root@", name+"@", 1) + "&password-file=" + password
	}
	for _, tt := range []struct{ name, url, want string }{
		{"the wrong password", user("kim"), "password-file"},
		{"no password", strings.Replace(url, "root@", "kim@", 1), "password-file"},
		{"a user without rights", user("lee"), "GRANT"},
		{"an unknown database", s.URL("none"), `no database "none"`},
		{"no one listens", "mysql://root@127.0.0.1:1/catalog", "cannot reach 127.0.0.1:1"},
		{"no such socket", "mysql://root@/catalog?socket=/nowhere/mysql.sock", "cannot reach /nowhere/mysql.sock"},
		{"no such name", "mysql://root@db.invalid/catalog", "cannot reach db.invalid:3306"},
		{"no such password file", url + "&password-file=/nowhere/password", "password-file: open /nowhere/password"},
		{"an empty password file", url + "&password-file=" + os.DevNull, "is empty"},
		{"no TLS over there", url + "&tls=true", "does not speak TLS"},
	} {
		t.Run(tt.name, func(t *testing.T) { checkSentence(t, ping(t, tt.url), tt.want) })
	}
}

func TestMySQLReadsThePasswordForEachConnection(t *testing.T) {
	s := mysqltest.NewServer(t)
	url := s.Database(t)
	password := filepath.Join(t.TempDir(), "password")
	write(t, password, "first pass:word@/?\r\n")
	s.Exec(t, "CREATE USER kim@localhost IDENTIFIED BY 'first pass:word@/?'", "GRANT ALL ON *.* TO kim@localhost")
	url = strings.Replace(url, "root@", "kim@", 1) + "&password-file=" + password
	db := open(t, url)
	declare(t, db, jammy)
	s.Exec(t, "ALTER USER kim@localhost IDENTIFIED BY 'second'")
	write(t, password, "second")
	s.Stop(t) // ends the connections that know the old one
	s.Restart(t)
	declare(t, db, noble)
	checkRevision(t, db, noble, 1)
}

func TestMySQLOverTLS(t *testing.T) {
	dir := t.TempDir()
	ca := certify(t, dir)
	s := mysqltest.NewServer(t, "--ssl-cert="+filepath.Join(dir, "server.pem"), "--ssl-key="+filepath.Join(dir, "server.key"), "--require-secure-transport=OFF")
	s.Exec(t, "CREATE DATABASE catalog", "CREATE USER kim@localhost REQUIRE SSL", "GRANT ALL ON catalog.* TO kim@localhost")
	p := newProxy(t, s.Socket())
	base := "mysql://kim@localhost:" + p.port + "/catalog"
	for _, tt := range []struct{ name, query, want string }{
		{"a certificate of the authority", "?tls=true&tls-ca=" + ca, ""},
		{"an authority says that TLS is wanted", "?tls-ca=" + ca, ""},
		{"an authority that no one knows", "?tls=true", "tls-ca=/path/to/ca.pem"},
		{"not verified", "?tls=skip-verify", ""},
		{"not at all", "", "refuses user"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if err := ping(t, base+tt.query); err != nil || tt.want != "" {
				checkSentence(t, err, tt.want)
			}
		})
	}
	err := ping(t, strings.Replace(base, "localhost", "127.0.0.1", 1)+"?tls=true&tls-ca="+ca) // the certificate is for localhost
	checkSentence(t, err, "certificate of 127.0.0.1:"+p.port)
}

// certify makes an authority and a certificate for localhost, and returns the file of the authority.
func certify(t *testing.T, dir string) (ca string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	root := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test authority"}, NotBefore: time.Now().Add(-time.Hour),
		NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}
	server := &x509.Certificate{SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "localhost"}, NotBefore: root.NotBefore,
		NotAfter: root.NotAfter, DNSNames: []string{"localhost"}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}}
	for name, c := range map[string]*x509.Certificate{"ca.pem": root, "server.pem": server} {
		der, err := x509.CreateCertificate(rand.Reader, c, root, &key.PublicKey, key)
		if err != nil {
			t.Fatal(err)
		}
		write(t, filepath.Join(dir, name), string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})))
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, "server.key"), string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})))
	return filepath.Join(dir, "ca.pem")
}

func TestMySQLWantsRoomForLargeRows(t *testing.T) {
	s := mysqltest.NewServer(t, "--max-allowed-packet=16M") // MariaDB's default
	db, err := catalogdb.Open(s.Database(t))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for name, f := range map[string]error{"migrate": db.Migrate(t.Context()), "ready": db.Ready(t.Context())} {
		t.Run(name, func(t *testing.T) { checkSentence(t, f, "max_allowed_packet = 64M") })
	}
}

// Several processes have a pool each.
func TestMySQLForTwoProcesses(t *testing.T) {
	url := mysqltest.Start(t)
	writeFromTwo(t, open(t, url), open(t, url))
}

// A server without a strict mode would cut a name to what its column holds, and give it to another package.
func TestMySQLCutsNothing(t *testing.T) {
	db := open(t, mysqltest.Start(t))
	declare(t, db, jammy)
	k := deb(jammy, strings.Repeat("x", 300), "1")
	if _, claimed, err := db.Claim(t.Context(), k, uploadOf(k)); err == nil || claimed {
		t.Errorf("a name of 300 bytes was claimed: %v, %v", claimed, err)
	}
	k = deb(jammy, "hello", "1")
	k.Pusher.User, k.Pusher.Job = strings.Repeat("é", 200), strings.Repeat("j", 3000) // only shown: these are cut
	claim(t, db, k)
	found, err := db.Find(t.Context(), k)
	if err != nil || found.Pusher.User != strings.Repeat("é", 127) || len(found.Pusher.Job) != 2048 {
		t.Errorf("got %+v, %v", found.Pusher, err)
	}
}
