package main_test

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"repomill/testdata/pgptest"
	"repomill/testdata/proctest"
)

const (
	commands    = "testdata/restclient/commands.rb"
	commandsSay = `created acme/vault
listed acme/tools, public, last push: less than a minute ago, packages: 0 packages
listed acme/vault, private, last push: never, packages: 0 packages
master token hosts, of 53 characters
read token web-1, of 53 characters
token of a host, of 53 characters
listed hosts: 2 read tokens
read token destroyed: 204
key of repo, 40 digits, false
key of package, 40 digits, true
key destroyed: 204
the key of the repository stays
	name: has already been taken
master token destroyed: 204
`
)

// commandsSite is a site as the commands find it, a token that manages an owner, and the file of a key.
func commandsSite(t *testing.T) (s *site, token, keyFile string) {
	t.Helper()
	s = newSite(t)
	s.does(t, 0, "", "repo", "create", "acme/tools", "--distribution", "ubuntu/jammy")
	keyFile = filepath.Join(t.TempDir(), "key.asc")
	key := pgptest.New(t, pgptest.Options{Kind: pgptest.RSA, Made: time.Now().Add(-time.Hour)}).Package(t)
	if err := os.WriteFile(keyFile, []byte(key.Armor), 0o600); err != nil {
		t.Fatal(err)
	}
	return s, apiToken(t, s.data, "acme", "ci", "manage"), keyFile
}

// The commands of package_cloud work. RECORD=1 keeps their requests for TestRecordedCommands.
func TestCommandsOfPackageCloud(t *testing.T) {
	t.Parallel()
	proctest.Need(t, "ruby")
	if a := proctest.Run(t, nil, "ruby", "-e", `require "rest_client"`); a.Code != 0 {
		t.Skip("RestClient is not installed (ruby-rest-client)")
	}
	s, token, key := commandsSite(t)
	to := s.url
	if os.Getenv("RECORD") != "" {
		r := newRecorder(t, s.url, token)
		defer r.save(t)
		to = r.url
	}
	a := proctest.Run(t, nil, "ruby", commands, to, token, key)
	if diff := cmp.Diff(commandsSay, a.Stdout); a.Code != 0 || diff != "" {
		t.Errorf("%v\n(-want +got):\n%s", a, diff)
	}
}

// A recorder keeps requests as they arrive, with names in place of what differs each time.
type recorder struct {
	url, token string
	mu         sync.Mutex
	requests   [][]byte
}

func newRecorder(t *testing.T, to, token string) *recorder {
	t.Helper()
	target, err := url.Parse(to)
	if err != nil {
		t.Fatal(err)
	}
	r := &recorder{token: token}
	proxy := httputil.NewSingleHostReverseProxy(target)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		b, err := httputil.DumpRequest(req, true)
		if err != nil {
			t.Error(err)
		}
		r.mu.Lock()
		r.requests = append(r.requests, b)
		r.mu.Unlock()
		proxy.ServeHTTP(w, req)
	}))
	t.Cleanup(server.Close)
	r.url = server.URL
	return r
}

var (
	basicLine = regexp.MustCompile(`(?m)^Authorization: Basic ([^\r]*)\r\n`)
	hostLine  = regexp.MustCompile(`(?m)^Host: [^\r]*\r\n`)
	readID    = regexp.MustCompile(`read_tokens/\d+`)
	keyName   = regexp.MustCompile(`acme-vault-[0-9A-F]{16}`)
	keyBlock  = regexp.MustCompile(`(?s)-----BEGIN PGP.*END PGP PUBLIC KEY BLOCK-----`)
)

func (r *recorder) save(t *testing.T) {
	t.Helper()
	var all bytes.Buffer
	for _, b := range r.requests {
		who := "MASTER"
		if m := basicLine.FindSubmatch(b); m != nil && string(m[1]) == base64.StdEncoding.EncodeToString([]byte(r.token+":")) {
			who = "TOKEN"
		}
		b = basicLine.ReplaceAll(b, []byte("Authorization: Basic "+who+"\r\n"))
		b = hostLine.ReplaceAll(b, []byte("Host: packages.example\r\n"))
		b = keyBlock.ReplaceAll(readID.ReplaceAll(b, []byte("read_tokens/READ")), []byte("KEYDATA"))
		line, rest, _ := bytes.Cut(b, []byte("\r\n"))
		kind := "PACKAGEKEY"
		if n := bytes.Count(all.Bytes(), []byte("acme-vault-PACKAGEKEY")); n > 0 {
			kind = "RELEASEKEY"
		}
		line = keyName.ReplaceAll(line, []byte("acme-vault-"+kind))
		fmt.Fprintf(&all, "%s\r\n%s\n%s\n", line, rest, recordEnd)
	}
	if err := os.WriteFile(requestsFile, all.Bytes(), 0o644); err != nil {
		t.Error(err)
	}
}

const (
	requestsFile = "testdata/restclient/requests.txt"
	recordEnd    = "=== end of request ==="
)

// A replay sends recorded requests. names has what the placeholders in them are.
type replay struct {
	t     *testing.T
	url   string
	names map[string]string
}

// send sends one request, and returns "METHOD path status" with the body of the answer.
func (r *replay) send(request string) (line string, body []byte) {
	r.t.Helper()
	head, content, _ := strings.Cut(request, "\r\n\r\n") // whose length is that of what is filled in
	req, err := http.ReadRequest(bufio.NewReader(strings.NewReader(head + "\r\n\r\n")))
	if err != nil {
		r.t.Fatalf("%v: %s", err, request)
	}
	path := req.URL.Path
	sent, err := http.NewRequestWithContext(r.t.Context(), req.Method, r.url+fill(path, r.names), strings.NewReader(fill(content, r.names)))
	if err != nil {
		r.t.Fatal(err)
	}
	sent.Header = req.Header
	sent.Header.Set("Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte(r.names[strings.TrimPrefix(req.Header.Get("Authorization"), "Basic ")]+":")))
	sent.Header.Del("Content-Length")
	sent.Header.Del("Accept-Encoding") // or the client would not decode it
	res, err := client.Do(sent)
	if err != nil {
		r.t.Fatal(err)
	}
	defer res.Body.Close()
	if body, err = io.ReadAll(res.Body); err != nil {
		r.t.Fatal(err)
	}
	if late := res.Header.Get("X-Publish-Pending"); late != "" {
		r.t.Errorf("%s %s: clients do not see it: %s", req.Method, path, late)
	}
	return fmt.Sprintf("%s %s %d", req.Method, path, res.StatusCode), body
}

// learn takes the names that an answer has for the requests after it.
func (r *replay) learn(line string, body []byte) {
	var v struct {
		Name, Value string
		ID          int64
		Keys        []struct{ Name, KeyType string } `json:"gpg_keys"`
	}
	json.Unmarshal(body, &v) //nolint:errcheck // those that are lists have no name
	switch {
	case strings.HasSuffix(line, "/master_tokens 201"):
		r.names["MASTER"] = v.Value
	case strings.HasSuffix(line, "/read_tokens.json 201"):
		r.names["READ"] = fmt.Sprint(v.ID)
	}
	for _, k := range v.Keys {
		r.names[map[string]string{"repo": "RELEASEKEY", "package": "PACKAGEKEY"}[k.KeyType]] = strings.TrimSuffix(strings.TrimPrefix(k.Name, "acme-vault-"), ".pub.gpg")
	}
}

// Where there is no Ruby: the requests of the commands, as RestClient sent them.
func TestRecordedCommands(t *testing.T) {
	t.Parallel()
	s, token, keyFile := commandsSite(t)
	key, err := os.ReadFile(keyFile)
	if err != nil {
		t.Fatal(err)
	}
	all, err := os.ReadFile(requestsFile)
	if err != nil {
		t.Fatal(err)
	}
	r := &replay{t, s.url, map[string]string{"TOKEN": token, "KEYDATA": strings.TrimSpace(string(key))}}
	var got []string
	for request := range strings.SplitSeq(strings.TrimSuffix(string(all), "\n"+recordEnd+"\n"), "\n"+recordEnd+"\n") {
		line, body := r.send(request)
		r.learn(line, body)
		got = append(got, line)
	}
	want := []string{
		"POST /api/v1/repos.json 201", "GET /api/v1/repos.json 200", "GET /api/v1/repos/acme/vault.json 200",
		"POST /api/v1/repos/acme/vault/master_tokens 201", "POST /api/v1/repos/acme/vault/master_tokens/2/read_tokens.json 201",
		"POST /install/repositories/acme/vault/tokens.text 201", "GET /api/v1/repos/acme/vault/master_tokens 200",
		"DELETE /api/v1/repos/acme/vault/master_tokens/2/read_tokens/READ 204",
		"POST /api/v1/repos/acme/vault/gpg_keys.json 201", "GET /api/v1/repos/acme/vault/gpg_keys.json 200",
		"DELETE /api/v1/repos/acme/vault/gpg_keys/acme-vault-PACKAGEKEY.pub.gpg.json 204",
		"DELETE /api/v1/repos/acme/vault/gpg_keys/acme-vault-RELEASEKEY.pub.gpg.json 404",
		"POST /api/v1/repos/acme/vault/master_tokens 422", "DELETE /api/v1/repos/acme/vault/master_tokens/2 204",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("answers (-want +got):\n%s", diff)
	}
}
