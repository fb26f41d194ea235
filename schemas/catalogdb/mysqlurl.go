package catalogdb

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"strings"
	"sync/atomic"
)

// A mysqlTarget is what the URL of a MySQL catalog says.
type mysqlTarget struct {
	user, database   string
	host             string // for people
	network, address string // as net.Dial takes them
	passwordFile     string // empty: no password
	tls              *tls.Config
	reached          atomic.Bool // once connected, a server that is away may come back
}

const mysqlForm = "use mysql://USER@HOST[:PORT]/DATABASE[?password-file=/path&tls=true|skip-verify|false&tls-ca=/path&socket=/path]"

// parseMySQL reads the URL of a MySQL catalog. Errors do not repeat it: it may hold a password.
func parseMySQL(rawURL string) (*mysqlTarget, error) {
	u, err := url.Parse(rawURL)
	if err != nil {
		return nil, errors.New("--catalog is not a URL: " + mysqlForm)
	}
	if _, secret := u.User.Password(); secret {
		return nil, errors.New("--catalog holds a password, which others could read: put it into a file and add password-file=/path/to/file to the URL")
	}
	t := &mysqlTarget{user: u.User.Username(), database: strings.TrimPrefix(u.Path, "/")}
	if t.user == "" || t.database == "" || strings.Contains(t.database, "/") || u.Fragment != "" {
		return nil, errors.New("--catalog: " + mysqlForm)
	}
	q, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return nil, errors.New("--catalog: what follows the question mark cannot be read: " + mysqlForm)
	}
	for name, values := range q {
		switch name {
		case "password-file", "tls", "tls-ca", "socket":
		default:
			return nil, fmt.Errorf("--catalog has an unknown parameter %.40q: %s", name, mysqlForm)
		}
		if len(values) != 1 || values[0] == "" {
			return nil, fmt.Errorf("--catalog: parameter %s needs one value", name)
		}
	}
	t.passwordFile = q.Get("password-file")
	if err := t.locate(u, q.Get("socket")); err != nil {
		return nil, err
	}
	t.tls, err = tlsConfig(q.Get("tls"), u.Hostname(), t.local(), q.Get("tls-ca"))
	return t, err
}

// locate finds where the server listens: at a host and port, or at a socket.
func (t *mysqlTarget) locate(u *url.URL, socket string) error {
	if socket != "" {
		if u.Port() != "" || u.Host != "" && !isLocal(u.Hostname()) {
			return errors.New("--catalog names a socket, which is on this machine, and a host that is not: leave one of them out")
		}
		t.network, t.address, t.host = "unix", socket, socket
		return nil
	}
	if u.Hostname() == "" {
		return errors.New("--catalog names no host: " + mysqlForm)
	}
	port := u.Port()
	if port == "" {
		port = "3306"
	}
	t.network, t.address = "tcp", net.JoinHostPort(u.Hostname(), port)
	t.host = t.address
	return nil
}

// local reports whether nothing that is said to the server leaves this machine.
func (t *mysqlTarget) local() bool {
	if t.network == "unix" {
		return true
	}
	host, _, _ := net.SplitHostPort(t.address) //nolint:errcheck // we joined it
	return isLocal(host)
}

func isLocal(host string) bool {
	ip := net.ParseIP(host)
	return strings.EqualFold(host, "localhost") || ip != nil && ip.IsLoopback()
}

// tlsConfig returns how to speak TLS with a host, or nil for not at all.
func tlsConfig(mode, host string, local bool, ca string) (*tls.Config, error) {
	if mode == "" {
		mode = "true"
		if local && ca == "" {
			mode = "false"
		}
	}
	if ca != "" && mode != "true" {
		return nil, errors.New("--catalog: tls-ca needs tls=true: otherwise the certificate is not verified")
	}
	c := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: host}
	switch mode {
	case "false":
		return nil, nil
	case "skip-verify":
		c.InsecureSkipVerify = true
		return c, nil
	case "true":
	default:
		return nil, errors.New("--catalog: tls is one of true, skip-verify and false")
	}
	if host == "" {
		c.ServerName = "localhost"
	}
	if ca == "" {
		return c, nil
	}
	pem, err := readSmall(ca)
	if err != nil {
		return nil, fmt.Errorf("--catalog: read tls-ca: %w", err)
	}
	c.RootCAs = x509.NewCertPool()
	if !c.RootCAs.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("--catalog: tls-ca: there is no PEM certificate in %s", ca)
	}
	return c, nil
}

// password reads the password, which may be another one than last time.
func (t *mysqlTarget) password() (string, error) {
	if t.passwordFile == "" {
		return "", nil
	}
	b, err := readSmall(t.passwordFile)
	if err != nil {
		return "", &connectError{detail: fmt.Sprintf("read password-file: %v", err), cause: err}
	}
	b = bytes.TrimSuffix(bytes.TrimSuffix(b, []byte("\n")), []byte("\r"))
	if len(b) == 0 {
		return "", &connectError{detail: fmt.Sprintf("password-file %s is empty", t.passwordFile)}
	}
	return string(b), nil
}

// maxFile bounds the files that a URL names, in bytes.
const maxFile = 1 << 20

func readSmall(name string) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err == nil && len(b) > maxFile {
		err = fmt.Errorf("%s has more than %d bytes", name, maxFile)
	}
	return b, err
}
