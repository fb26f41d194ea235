package deploy_test

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"repomill/testdata/porttest"
	"repomill/testdata/proctest"
)

// nginx starts nginx with nginx.conf of this folder, and returns its URL, the file with the certificate that clients are to
// trust, and a client that does.
func (c *company) nginx(resolver, api string) (site, trusted string, client *http.Client) {
	c.t.Helper()
	program, err := exec.LookPath("nginx")
	if err != nil {
		if program, err = exec.LookPath("/usr/sbin/nginx"); err != nil { // which is not in the path of a user
			c.t.Skip("nginx is not installed")
		}
	}
	body, err := os.ReadFile("nginx.conf")
	if err != nil {
		c.t.Fatal(err)
	}
	trusted, key, client := certificate(c.t)
	address, dir := porttest.Free(c.t), proctest.OpenDir(c.t)
	values := []string{"127.0.0.1:8080", resolver, "127.0.0.1:8083", api, "443 ssl", address + " ssl",
		"/etc/ssl/packages.acme.example/fullchain.pem", trusted, "/etc/ssl/packages.acme.example/privkey.pem", key, "/var/log/nginx/repomill.log", filepath.Join(dir, "access.log")}
	for pair := range slices.Chunk(values, 2) {
		if !strings.Contains(string(body), pair[0]) {
			c.t.Errorf("nginx.conf does not have %q", pair[0])
		}
	}
	user := ""
	if os.Getuid() == 0 {
		user = "user root;"
	}
	config := fmt.Sprintf(`daemon off; master_process off; %s pid %[2]s/pid; error_log stderr warn;
events { worker_connections 64; }
http {
access_log off;
client_body_temp_path %[2]s/body; proxy_temp_path %[2]s/proxy; fastcgi_temp_path %[2]s/fastcgi; scgi_temp_path %[2]s/scgi; uwsgi_temp_path %[2]s/uwsgi;
%[3]s}`, user, dir, strings.NewReplacer(values...).Replace(string(body)))
	if err := os.WriteFile(filepath.Join(dir, "nginx.conf"), []byte(config), 0o644); err != nil {
		c.t.Fatal(err)
	}
	c.start("nginx", nil, []string{program, "-p", dir, "-e", "stderr", "-c", filepath.Join(dir, "nginx.conf")})
	proctest.Eventually(c.t, "nginx listens", func() bool {
		conn, err := net.DialTimeout("tcp", address, time.Second)
		if err == nil {
			conn.Close()
		}
		return err == nil
	})
	c.t.Cleanup(func() { // what is in the log of requests may be read by more people than tokens
		if log, err := os.ReadFile(filepath.Join(dir, "access.log")); err != nil || bytes.Contains(log, []byte("rmt_")) || bytes.Contains(log, []byte("rmj_")) || !bytes.Contains(log, []byte(" - - [")) {
			c.t.Errorf("the log of nginx has a token, or no request (%v): %s", err, log)
		}
	})
	return "https://" + address, trusted, client
}

// certificate returns files with a certificate for 127.0.0.1 and its key, and a client that trusts it.
func certificate(t testing.TB) (file, key string, client *http.Client) {
	t.Helper()
	server := httptest.NewTLSServer(http.NotFoundHandler()) // which has one
	t.Cleanup(server.Close)
	private, err := x509.MarshalPKCS8PrivateKey(server.TLS.Certificates[0].PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	file, key = filepath.Join(dir, "fullchain.pem"), filepath.Join(dir, "privkey.pem")
	for path, block := range map[string]*pem.Block{file: {Type: "CERTIFICATE", Bytes: server.Certificate().Raw}, key: {Type: "PRIVATE KEY", Bytes: private}} {
		if err := os.WriteFile(path, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return file, key, server.Client()
}
