package upload_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"repomill/pipelines/objects/file"
	"repomill/schemas/catalog"
	"repomill/schemas/layout"
	"repomill/serve/api"
	"repomill/serve/api/upload"
)

// callers are known by their credential.
type callers map[string]api.Principal

func (c callers) Authenticate(_ context.Context, credential string) (api.Principal, error) {
	p, ok := c[credential]
	if !ok {
		return p, api.ErrUnknownCredential
	}
	return p, nil
}

var everybody = callers{
	"push":  {ID: "t1", Name: "token push", Job: "https://ci.example/1", Grants: []api.Grant{{Right: api.Push, Owner: "acme"}}},
	"push2": {ID: "t2", Name: "token push2", Grants: []api.Grant{{Right: api.Push, Owner: "acme"}}},
	"read":  {ID: "t3", Name: "token read", Grants: []api.Grant{{Right: api.Read, Owner: "acme", Name: "tools"}}},
	"other": {ID: "t4", Name: "token other", Grants: []api.Grant{{Right: api.Push, Owner: "other"}}},
}

// A fakeCatalog has the verdicts that a test sets.
type fakeCatalog struct {
	mu      sync.Mutex
	all     map[string]catalog.Verdict // by object
	err     error
	queries int
	most    int // uploads in one query
}

func (c *fakeCatalog) Verdicts(_ context.Context, uploads []catalog.Upload) (map[catalog.Upload]catalog.Verdict, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.queries++
	c.most = max(c.most, len(uploads))
	found := map[catalog.Upload]catalog.Verdict{}
	for _, u := range uploads {
		if v, ok := c.all[u.Object]; ok {
			found[u] = v
		}
	}
	return found, c.err
}

func (c *fakeCatalog) set(object string, v catalog.Verdict) {
	c.mu.Lock()
	defer c.mu.Unlock()
	v.Object = object
	c.all[object] = v
}

func (c *fakeCatalog) fail(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.err = err
}

// A door is a server of the API over a folder.
type door struct {
	url     string
	staging *file.Staging
	catalog *fakeCatalog
	handler *upload.Handler
	server  *httptest.Server
}

// open starts a door; change may alter its configuration.
func open(t *testing.T, change func(*upload.Config)) *door {
	t.Helper()
	staging, err := file.OpenStaging("file://" + filepath.Join(t.TempDir(), "staging"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { staging.Close() })
	d := &door{staging: staging, catalog: &fakeCatalog{all: map[string]catalog.Verdict{}}}
	d.start(t, change)
	return d
}

// start starts a server on what the door has; another one may have run before.
func (d *door) start(t *testing.T, change func(*upload.Config)) {
	t.Helper()
	c := upload.Config{Staging: d.staging, Catalog: d.catalog, Table: layout.DefaultTable(),
		PublicURL: "https://packages.example", Log: slog.New(slog.DiscardHandler), Now: time.Now}
	c.Gate = &api.Gate{Auth: everybody, Limits: api.NewLimits(api.LimitConfig{}, time.Now), Log: c.Log}
	if change != nil {
		change(&c)
	}
	d.handler = upload.New(c)
	d.server = httptest.NewUnstartedServer(d.handler)
	d.server.Config.ReadTimeout = 20 * time.Second
	d.server.Config.RegisterOnShutdown(d.handler.Stop)
	d.server.Start()
	t.Cleanup(d.server.Close)
	d.url = d.server.URL
}

const place = "/api/v1/upload/acme/tools/ubuntu/jammy/hello_1.0_amd64.deb"

// A reply is what a call was answered.
type reply struct {
	status int
	header http.Header
	body   string
}

// report decodes an answer about an upload.
func (r reply) report(t *testing.T) (v upload.Report) {
	t.Helper()
	d := json.NewDecoder(strings.NewReader(r.body))
	d.DisallowUnknownFields()
	if err := d.Decode(&v); err != nil {
		t.Fatalf("%d %s: %v", r.status, r.body, err)
	}
	return v
}

// call makes a call as the holder of the token "push", unless a header says otherwise. Headers are "Name: value".
func (d *door) call(t *testing.T, method, path string, body io.Reader, headers ...string) reply {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, d.url+path, body)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer push")
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		req.Header.Set(name, value)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return reply{resp.StatusCode, resp.Header, string(text)}
}

func (d *door) put(t *testing.T, path, body string, headers ...string) reply {
	t.Helper()
	return d.call(t, http.MethodPut, path, strings.NewReader(body), headers...)
}

// staged returns what is in staging, as the worker lists it.
func (d *door) staged(t *testing.T) (all []catalog.Upload) {
	t.Helper()
	if err := d.staging.List(t.Context(), time.Now().Add(time.Hour), func(u catalog.Upload) { all = append(all, u) }); err != nil {
		t.Fatal(err)
	}
	return all
}

// checkNothing fails if anything is in staging, hidden files of broken uploads included.
func (d *door) checkNothing(t *testing.T) {
	t.Helper()
	err := filepath.WalkDir(d.staging.Path(), func(path string, e fs.DirEntry, err error) error {
		if err == nil && !e.IsDir() && e.Name() != ".lock" {
			t.Errorf("%s is left", path)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

// checkOne fails unless one upload is in staging, with these bytes.
func (d *door) checkOne(t *testing.T, want string) catalog.Upload {
	t.Helper()
	all := d.staged(t)
	if len(all) != 1 {
		t.Fatalf("staged: %+v, want one", all)
	}
	r, _, err := d.staging.Open(t.Context(), all[0])
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if got, err := io.ReadAll(r); string(got) != want || err != nil {
		t.Errorf("staged: %d bytes, %v; want %d", len(got), err, len(want))
	}
	return all[0]
}

func sum(s string) string {
	b := sha256.Sum256([]byte(s))
	return hex.EncodeToString(b[:])
}

// A raw connection says exactly what a test wants.
type raw struct {
	net.Conn
	in *bufio.Reader
}

func (d *door) dial(t *testing.T, request string) *raw {
	t.Helper()
	conn, err := net.Dial("tcp", d.server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	conn.SetDeadline(time.Now().Add(time.Minute))
	if _, err := io.WriteString(conn, strings.ReplaceAll(request, "\n", "\r\n")); err != nil {
		t.Fatal(err)
	}
	return &raw{conn, bufio.NewReader(conn)}
}

// answer reads the next answer.
func (r *raw) answer(t *testing.T) reply {
	t.Helper()
	resp, err := http.ReadResponse(r.in, nil)
	if err != nil {
		t.Fatal(err)
	}
	var body bytes.Buffer
	if resp.ContentLength > 0 {
		_, err = io.CopyN(&body, resp.Body, resp.ContentLength)
	}
	if err != nil && !errors.Is(err, io.EOF) {
		t.Fatal(err)
	}
	return reply{resp.StatusCode, resp.Header, body.String()}
}
