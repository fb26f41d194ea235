package doctor_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp/armor"
	"github.com/ProtonMail/go-crypto/openpgp/packet"
	openpgp "github.com/ProtonMail/go-crypto/openpgp/v2"

	"repomill/pipelines/client/doctor"
	"repomill/publish/sign"
	"repomill/schemas/layout"
)

const tokenOfTests = "0123456789abcdef-read"

// A mill answers for one repository as the product does, and remembers what it was asked.
type mill struct {
	mux  *http.ServeMux
	keys *sign.Signer

	mu       sync.Mutex
	requests []*http.Request
}

func newMill(t *testing.T) *mill {
	t.Helper()
	m := &mill{mux: http.NewServeMux(), keys: newKey(t)}
	release := m.release(t, time.Now(), "")
	m.file("/acme/tools/debian/dists/trixie/InRelease", release)
	m.file("/acme/tools/gpgkey", string(m.keys.Public()))
	return m
}

func newKey(t *testing.T) *sign.Signer {
	t.Helper()
	key, err := sign.Generate("doctor", sign.MinRSABits, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// release returns a signed release file, with more fields.
func (m *mill) release(t *testing.T, date time.Time, more string) string {
	t.Helper()
	text, err := m.keys.Clear([]byte("Codename: trixie\nDate: "+date.UTC().Format(http.TimeFormat)+"\nArchitectures: all amd64\nComponents: main\n"+more), time.Now())
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func (m *mill) file(path, text string) {
	m.mux.HandleFunc(path, func(w http.ResponseWriter, _ *http.Request) { w.Write([]byte(text)) }) //nolint:errcheck // the client's matter
}

func (m *mill) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	m.mu.Lock()
	m.requests = append(m.requests, r)
	m.mu.Unlock()
	m.mux.ServeHTTP(w, r)
}

// A host is the root of a Debian host that has a source for a server, and what it is examined with.
type host struct {
	dir string
	opt doctor.Options
}

func newHost(t *testing.T, server string, m *mill) *host {
	t.Helper()
	h := &host{dir: t.TempDir()}
	h.opt = doctor.Options{Root: h.dir, URL: server + "/acme/tools", Now: time.Now, Timeout: 10 * time.Second, Table: layout.DefaultTable(), Version: "test"}
	h.write(t, "etc/os-release", "PRETTY_NAME=\"Debian GNU/Linux 13 (trixie)\"\nID=debian\nVERSION_ID=\"13\"\nVERSION_CODENAME=trixie\n")
	h.write(t, "var/lib/dpkg/status", "Package: dpkg\nArchitecture: amd64\n")
	h.write(t, "etc/apt/keyrings/acme_tools.asc", string(m.keys.Public()))
	h.source(t, server)
	return h
}

func (h *host) source(t *testing.T, server string) {
	t.Helper()
	h.write(t, "etc/apt/sources.list.d/acme_tools.list", "deb [signed-by=/etc/apt/keyrings/acme_tools.asc] "+server+"/acme/tools/debian trixie main\n")
}

func (h *host) write(t *testing.T, name, text string) {
	t.Helper()
	path := filepath.Join(h.dir, name)
	err := os.MkdirAll(filepath.Dir(path), 0o755)
	if err == nil {
		err = os.WriteFile(path, []byte(text), 0o644)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// examine returns the report as text; the JSON must have no more secrets than it.
func (h *host) examine(t *testing.T) (doctor.Report, string) {
	t.Helper()
	r := doctor.Examine(t.Context(), h.opt)
	b, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	if text := r.Text() + string(b); strings.Contains(text, tokenOfTests) || strings.Contains(text, url.QueryEscape(tokenOfTests)) {
		t.Errorf("the token is printed:\n%s", text)
	}
	return r, r.Text()
}

// wants examines and looks for the level and a text in the report.
func (h *host) wants(t *testing.T, fact string, level doctor.Level, texts ...string) {
	t.Helper()
	r, text := h.examine(t)
	if r.Worst() != level {
		t.Errorf("%s: got %s, want %s:\n%s", fact, r.Worst(), level, text)
	}
	for _, want := range texts {
		if !strings.Contains(text, want) {
			t.Errorf("%s: want %q in\n%s", fact, want, text)
		}
	}
}

func serve(t *testing.T, h http.Handler) string {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s.URL
}

// Faults of TLS are explained.
func TestTLSFaultsAreExplained(t *testing.T) {
	t.Parallel()
	m := newMill(t)
	server := httptest.NewTLSServer(m)
	t.Cleanup(server.Close)
	authority := string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}))
	port := server.URL[strings.LastIndexByte(server.URL, ':'):]
	h := newHost(t, server.URL, m)
	h.wants(t, "no certificates of authorities", doctor.Problem, "problem  tls: the host has no certificates of authorities", "problem  tls: this host does not know who issued the certificate of 127.0.0.1")
	h.write(t, "etc/ssl/certs/ca-certificates.crt", authority)
	h.wants(t, "a certificate that the host trusts", doctor.OK, "ok       fetch: InRelease fetched")
	h.opt.Now = func() time.Time { return time.Date(2200, 1, 1, 0, 0, 0, 0, time.UTC) }
	h.wants(t, "a clock that is far ahead", doctor.Problem, "problem  tls: by the clock of this host the certificate of 127.0.0.1 is not valid: it is from 1970-01-01 until 2084-01-29", "check the clock of this host")
	h.opt.Now = time.Now
	h.opt.URL = "https://localhost" + port + "/acme/tools"
	h.source(t, "https://localhost"+port)
	h.wants(t, "a name that the certificate lacks", doctor.Problem, "problem  tls: the certificate of localhost is for example.com")
	h.write(t, "etc/apt/apt.conf.d/99ca", `Acquire::https::CaInfo "/etc/ssl/acme.pem";`)
	h.wants(t, "a file of certificates that is not there", doctor.Problem, "problem  tls: the file of certificates that Acquire::https::CaInfo names, /etc/ssl/acme.pem, cannot be read")
	h.write(t, "etc/apt/apt.conf.d/99ca", `Acquire::https::Verify-Peer "false";`)
	h.wants(t, "verification that is off", doctor.Problem, "warning  tls: the host is set up not to verify")
	plain := serve(t, m)
	h.source(t, "https"+strings.TrimPrefix(plain, "http"))
	h.opt.URL = "https" + strings.TrimPrefix(plain, "http") + "/acme/tools"
	h.wants(t, "https where http is spoken", doctor.Problem, "does not speak", "use http:// in the source")
	h.opt.URL = plain + "/acme/tools"
	h.wants(t, "another scheme than the URL's", doctor.Problem, "warning  sources: it has https://, and the repository is at http://")
}

// A clock is compared with the server's, and with the dates of the release.
func TestClock(t *testing.T) {
	t.Parallel()
	m := newMill(t)
	h := newHost(t, serve(t, m), m)
	for ahead, want := range map[time.Duration]string{
		0:                 "ok       clock: the host's clock agrees",
		4 * time.Minute:   "ok       clock: the host's clock agrees",
		7 * time.Minute:   "warning  clock: the host's clock is 7 minutes ahead of the server's",
		-90 * time.Minute: "problem  clock: by this host's clock the release is from the future",
		-40 * time.Minute: "warning  clock: the host's clock is 39 minutes behind the server's",
		75 * time.Hour:    "warning  clock: the host's clock is 3 days ahead of the server's",
	} {
		h.opt.Now = func() time.Time { return time.Now().Add(ahead + 30*time.Second) }
		if _, text := h.examine(t); !strings.Contains(text, want) {
			t.Errorf("%v ahead: want %q in\n%s", ahead, want, text)
		}
	}
	h.opt.Now = time.Now
	m.mux.HandleFunc("/acme/old/debian/dists/trixie/InRelease", func(w http.ResponseWriter, _ *http.Request) {
		w.Write([]byte(m.release(t, time.Now().Add(-time.Hour), "Valid-Until: "+time.Now().Add(-time.Minute).UTC().Format(http.TimeFormat)+"\n"))) //nolint:errcheck // the client's matter
	})
	old := strings.Replace(h.opt.URL, "/tools", "/old", 1)
	h.write(t, "etc/apt/sources.list.d/acme_tools.list", "deb [signed-by=/etc/apt/keyrings/acme_tools.asc] "+old+"/debian trixie main\n")
	h.opt.URL = old
	h.wants(t, "a release that has expired", doctor.Problem, "problem  clock: by this host's clock the release has expired on")
}

// A redirect is followed as apt follows it: no credentials go to another host, and each hop is shown.
func TestRedirects(t *testing.T) {
	t.Parallel()
	m := newMill(t)
	cdn := serve(t, m)
	to := cdn
	first := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if user, _, _ := r.BasicAuth(); user != tokenOfTests {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		http.Redirect(w, r, to+r.URL.Path+"?Signature="+tokenOfTests, http.StatusFound)
	}))
	h := newHost(t, first, m)
	h.write(t, "etc/apt/auth.conf.d/acme.conf", "# tokens\nmachine "+first+"/acme/tools/ login "+tokenOfTests+" password x\n")
	h.wants(t, "a redirect to another host", doctor.OK,
		"GET      "+first+"/acme/tools/debian/dists/trixie/InRelease: 302, with the token\n  GET      "+cdn+"/acme/tools/debian/dists/trixie/InRelease?...: 200\n",
		"to which the server redirects; the token was sent to the first host alone")
	for _, r := range m.requests {
		if r.Header.Get("Authorization") != "" {
			t.Errorf("%s was sent credentials", r.URL.Path)
		}
	}
	to = "http://127.0.0.1:1"
	h.wants(t, "a second host that cannot be reached", doctor.Problem, "problem  fetch: the server redirects to 127.0.0.1:1, and there: 127.0.0.1 refuses connections", "--serve-through")
	to = "http://cdn.invalid"
	h.wants(t, "a second host without an address", doctor.Problem, "problem  fetch: the server redirects to cdn.invalid, and there: the name cdn.invalid")
	to = "file:///srv"
	h.wants(t, "a redirect to a file", doctor.Problem, "problem  fetch: it redirects to a URL that is neither http nor https", "ask the operator of the server")
	to = first
	h.wants(t, "a redirect without end", doctor.Problem, "problem  fetch: the server redirects to ", "more than 6 redirects")
	to = serve(t, http.NotFoundHandler())
	h.wants(t, "a second host that has nothing", doctor.Problem, "problem  fetch: 404: there is no repository acme/tools at "+first)
	to = serve(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusForbidden) }))
	h.wants(t, "a second host that refuses", doctor.Problem, "problem  fetch: 403 of "+strings.TrimPrefix(to, "http://")+", to which the server redirects: it refuses the signed URL")
	h.write(t, "etc/apt/auth.conf.d/acme.conf", "")
	h.wants(t, "no token", doctor.Problem, `do:    put "machine `+first+`/acme/tools/ login TOKEN password x" into /etc/apt/auth.conf.d/acme_tools.conf`)
}

func TestWhatIsNotHTTPIsNotShown(t *testing.T) {
	t.Parallel()
	m := newMill(t)
	h := newHost(t, serve(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		conn, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer conn.Close()
		io.WriteString(conn, "HTTP/1.1 302 Found\r\nLocation: http://cdn/\x1b?Signature=of-a-redirect\r\n\r\n")
	})), m)
	h.wants(t, "a redirect that cannot be read", doctor.Problem, "answers what is not HTTP")
	if _, said := h.examine(t); strings.Contains(said, "of-a-redirect") {
		t.Errorf("the signature is shown:\n%s", said)
	}
}

func TestNoClientFollowsFromHTTPSToHTTP(t *testing.T) {
	t.Parallel()
	m := newMill(t)
	plain := serve(t, m)
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, plain+r.URL.Path, http.StatusFound)
	}))
	t.Cleanup(server.Close)
	h := newHost(t, server.URL, m)
	h.write(t, "etc/ssl/certs/ca-certificates.crt", string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})))
	h.wants(t, "a downgrade", doctor.Problem, "problem  fetch: it redirects from https to http, which apt refuses")
	if len(m.requests) > 0 {
		t.Errorf("it was followed: %v", m.requests)
	}
}

// Proxies are found where each client looks for them, and used for the redirect as well.
func TestProxies(t *testing.T) {
	t.Parallel()
	m := newMill(t)
	var asked []string
	proxy := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked = append(asked, r.URL.Host)
		if user, _, _ := strings.Cut(r.Header.Get("Proxy-Authorization"), " "); strings.Contains(r.URL.Host, "closed") && user != "Basic" {
			w.WriteHeader(http.StatusProxyAuthRequired)
			return
		}
		if r.URL.Host == "mill.test" {
			http.Redirect(w, r, "http://cdn.test"+r.URL.Path, http.StatusFound)
			return
		}
		m.ServeHTTP(w, r)
	}))
	at := strings.TrimPrefix(proxy, "http://")
	h := newHost(t, "http://mill.test", m)
	h.opt.Env.HTTP = proxy
	h.wants(t, "a proxy of the environment", doctor.OK, "GET      http://mill.test/acme/tools/debian/dists/trixie/InRelease: 302, through "+proxy+" (the environment)\n  GET      http://cdn.test/")
	h.opt.Env.No = "example.org, .test"
	h.wants(t, "a host without a proxy", doctor.Problem, "the name mill.test")
	h.opt.Env = doctor.Proxies{}
	h.write(t, "etc/apt/apt.conf.d/95proxy", "Acquire { http { Proxy \"http://someone:"+tokenOfTests+"@"+at+"/\"; }; };\n")
	h.wants(t, "a proxy with a password", doctor.OK, "through http://***@"+at+"/ (Acquire::http::Proxy)")
	h.write(t, "etc/apt/apt.conf.d/95proxy", "Acquire::http::Proxy::closed.test \""+proxy+"\";\n")
	h.source(t, "http://closed.test")
	h.opt.URL = "http://closed.test"
	h.wants(t, "a proxy that wants a password", doctor.Problem, "problem  proxy: 407: the proxy wants a user and password")
	h.write(t, "etc/apt/apt.conf.d/95proxy", "Acquire::http::Proxy \"://x"+tokenOfTests+"\";\n")
	h.wants(t, "a proxy that is none", doctor.Problem, "the proxy that is set in Acquire::http::Proxy is not a URL")
	if len(asked) == 0 || asked[0] != "mill.test" {
		t.Errorf("the proxy was asked for %q", asked)
	}
}

// What a login page or a firewall answers is not taken for the release, nor for trouble of the server.
func TestAnswersThatAreNotTheRelease(t *testing.T) {
	t.Parallel()
	m := newMill(t)
	for _, tt := range []struct {
		fact   string
		answer http.HandlerFunc
		says   string
	}{
		{"a login page", func(w http.ResponseWriter, _ *http.Request) { w.Write([]byte("<!DOCTYPE html><p>Log in")) }, "problem  fetch: the answer for InRelease is not one: a page of another server"}, //nolint:errcheck // the client's matter
		{"a firewall", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(403) }, "problem  fetch: 403 of %HOST%: repomill does not answer so, something between does"},
		{"a server in trouble", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(503) }, "problem  fetch: %HOST% answers 503 Service Unavailable"},
		{"a server without the repository", http.NotFound, "problem  fetch: 404: there is no repository acme/tools at http://%HOST%"},
		{"a server that hangs", func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }, "problem  fetch: 127.0.0.1 does not answer in time"},
		{"a connection that is cut", func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, "problem  fetch: 127.0.0.1 closes the connection without an answer"},
		{"a body that is cut", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "1000")
			w.Write([]byte("-----BEGIN")) //nolint:errcheck // the client's matter
		}, "problem  fetch: 127.0.0.1 closes the connection"},
		{"a release that something changed", func(w http.ResponseWriter, _ *http.Request) {
			w.Write([]byte(strings.Replace(m.release(t, time.Now(), ""), "Components: main", "Components: mine", 1))) //nolint:errcheck // the client's matter
		}, "problem  key: neither /etc/apt/keyrings/acme_tools.asc nor the key that the repository publishes verifies the release"},
	} {
		mux := http.NewServeMux()
		mux.Handle("/", tt.answer)
		if strings.Contains(tt.says, "nor the key") {
			mux.HandleFunc("/acme/tools/gpgkey", func(w http.ResponseWriter, _ *http.Request) { w.Write(m.keys.Public()) }) //nolint:errcheck // the client's matter
		}
		server := serve(t, mux)
		h := newHost(t, server, m)
		if strings.HasSuffix(tt.says, "in time") {
			h.opt.Timeout = 300 * time.Millisecond
		}
		h.wants(t, tt.fact, doctor.Problem, strings.ReplaceAll(tt.says, "%HOST%", strings.TrimPrefix(server, "http://")))
	}
}

// The list of packages is compared with what the release file says of it.
func TestIndex(t *testing.T) {
	t.Parallel()
	m := newMill(t)
	const list = "the list of packages"
	sum := fmt.Sprintf("%x", sha256.Sum256([]byte(list)))
	m.file("/acme/plain/debian/dists/trixie/InRelease", m.release(t, time.Now(), "SHA256:\n "+sum+" 20 main/binary-amd64/Packages.gz\n"))
	m.file("/acme/plain/debian/dists/trixie/main/binary-amd64/Packages.gz", list)
	m.file("/acme/hash/debian/dists/trixie/InRelease", m.release(t, time.Now(), "Acquire-By-Hash: yes\nSHA256:\n "+sum+" 20 main/binary-amd64/Packages.gz\n"))
	m.file("/acme/hash/debian/dists/trixie/main/binary-amd64/by-hash/SHA256/"+sum, list)
	m.file("/acme/stale/debian/dists/trixie/InRelease", m.release(t, time.Now(), "SHA256:\n "+sum+" 20 main/binary-amd64/Packages.gz\n"))
	m.file("/acme/stale/debian/dists/trixie/main/binary-amd64/Packages.gz", "an old list")
	m.file("/acme/none/debian/dists/trixie/InRelease", m.release(t, time.Now(), "SHA256:\n "+sum+" 20 main/binary-amd64/Packages.gz\n"))
	server := serve(t, m)
	for repository, says := range map[string]string{
		"plain": "ok       index: main/binary-amd64/Packages.gz fetched, as the release lists it",
		"hash":  "ok       index: main/binary-amd64/Packages.gz fetched, as the release lists it",
		"stale": "problem  index: main/binary-amd64/Packages.gz has other bytes than the release file lists (11 of 20): apt calls that Hash Sum mismatch",
		"none":  "problem  index: the release file can be fetched, and main/binary-amd64/Packages.gz, which it lists, cannot: 404",
	} {
		h := newHost(t, server, m)
		h.opt.URL = server + "/acme/" + repository
		h.write(t, "etc/apt/sources.list.d/acme_tools.list", "deb [signed-by=/etc/apt/keyrings/acme_tools.asc] "+h.opt.URL+"/debian trixie main\n")
		level, _, _ := strings.Cut(says, " ")
		h.wants(t, repository, doctor.Level(level), says)
	}
}

// endingKey makes a key that ends at a time, and returns its public part, and the same key as it was extended without an end.
func endingKey(t *testing.T, now, end time.Time) (public string, extended *sign.Signer) {
	t.Helper()
	made := now.Add(-time.Hour).Truncate(time.Second)
	e, err := openpgp.NewEntity("ending", "", "", &packet.Config{RSABits: 2048, Time: func() time.Time { return made }, KeyLifetimeSecs: uint32(end.Sub(made) / time.Second)})
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	w, err := armor.Encode(&b, openpgp.PrivateKeyType, nil)
	if err == nil {
		err = errors.Join(e.SerializePrivate(w, nil), w.Close())
	}
	if err != nil {
		t.Fatal(err)
	}
	old, err := sign.Read(b.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	file, _, err := sign.Extend(b.Bytes(), nil, old.Fingerprints()[0], time.Time{}, now)
	if err != nil {
		t.Fatal(err)
	}
	if extended, err = sign.Read(file); err != nil {
		t.Fatal(err)
	}
	return string(old.Public()), extended
}

// The end of a key is foreseen, and an old copy of one that was extended differs from a key that was replaced.
func TestKeys(t *testing.T) {
	t.Parallel()
	m := newMill(t)
	now := time.Now()
	near := now.Add(10 * 24 * time.Hour).Truncate(time.Second)
	var ending string
	ending, m.keys = endingKey(t, now, near)
	published := m.keys.Public()
	m.mux.HandleFunc("/acme/keys/gpgkey", func(w http.ResponseWriter, _ *http.Request) { w.Write(published) }) //nolint:errcheck // the client's matter
	m.file("/acme/keys/debian/dists/trixie/InRelease", m.release(t, now.Add(-time.Hour), ""))
	server := serve(t, m)
	h := newHost(t, server, m)
	h.opt.URL = server + "/acme/keys"
	const ring = "etc/apt/keyrings/acme_keys.asc"
	h.write(t, "etc/apt/sources.list.d/acme_tools.list", "deb [signed-by=/"+ring+"] "+h.opt.URL+"/debian trixie main\n")
	fetch := "fetch it: sudo curl -fsSLo /" + ring + " " + h.opt.URL + "/gpgkey"

	h.write(t, ring, ending)
	h.wants(t, "a copy that ends, of a key that was extended", doctor.Warning, "warning  key: the key in /"+ring+" ends on "+near.UTC().Format("2006-01-02"), "do:    the repository has extended it; "+fetch)
	published = []byte(ending)
	h.wants(t, "a key that ends", doctor.Warning, "the operator has to extend or replace it")
	published = m.keys.Public()
	h.opt.Now = func() time.Time { return now.Add(20 * 24 * time.Hour) }
	h.wants(t, "a copy that has ended", doctor.Problem, "problem  key: the copy of key "+m.keys.Fingerprints()[0]+" in /"+ring+" cannot be used any more (it expired at ", "the repository publishes one that can", "do:    "+fetch)
	h.opt.Now = time.Now
	other := newKey(t)
	both, err := sign.JoinPublic(m.keys.Public(), other.Public())
	if err != nil {
		t.Fatal(err)
	}
	published = both
	h.write(t, ring, string(m.keys.Public()))
	h.wants(t, "a key that will sign later", doctor.Warning, "warning  key: the repository publishes key "+other.Fingerprints()[0]+" too, which /"+ring+" lacks")
	h.write(t, ring, string(both))
	h.wants(t, "both keys", doctor.OK)
	h.write(t, "etc/passwd", "_apt:x:4242:65534::/nonexistent:/bin/false\n")
	for name, mode := range map[string]os.FileMode{ring: 0o600, "etc/apt/keyrings": 0o700} {
		path := filepath.Join(h.dir, name)
		info, err := os.Stat(path)
		if err == nil {
			err = os.Chmod(path, mode)
		}
		if err != nil {
			t.Fatal(err)
		}
		h.wants(t, "a key that _apt cannot read", doctor.Problem, "problem  key: /"+name+" cannot be read by the user _apt, as whom apt verifies", "do:    sudo chmod a+r")
		if err := os.Chmod(path, info.Mode()); err != nil {
			t.Fatal(err)
		}
	}
	h.write(t, ring, "12345678KBXf\x00\x00\x00\x00")
	h.wants(t, "a keybox", doctor.Problem, "is a keybox of GnuPG, which apt does not read")
}

// A root is a folder: links in it lead to where they would on the host, and never out of it.
func TestLinksStayInTheRoot(t *testing.T) {
	t.Parallel()
	m := newMill(t)
	server := serve(t, m)
	h := newHost(t, server, m)
	if err := os.Rename(filepath.Join(h.dir, "etc/apt/keyrings"), filepath.Join(h.dir, "keys")); err != nil {
		t.Fatal(err)
	}
	for name, target := range map[string]string{"etc/apt/keyrings": "/keys", "etc/apt/preferences": "../../../../../../../../etc/passwd"} {
		if err := os.Symlink(target, filepath.Join(h.dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	h.wants(t, "an absolute link", doctor.OK, "ok       key: /etc/apt/keyrings/acme_tools.asc has the key that signs")
	outside := filepath.Join(t.TempDir(), "outside.list")
	if err := os.WriteFile(outside, []byte("deb "+server+"/acme/tools/debian trixie main\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(outside, filepath.Join(h.dir, "etc/apt/sources.list.d/outside.list")); err != nil {
		t.Fatal(err)
	}
	h.wants(t, "a link out of the root", doctor.Warning, "ok       sources: 1 source for", "warning  files: /etc/apt/sources.list.d/outside.list cannot be read")
}
