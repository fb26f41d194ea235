package client

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"repomill/pipelines/command"
	"repomill/pipelines/objects"
	"repomill/schemas/catalog"
	"repomill/schemas/layout"
	"repomill/serve/api"
	"repomill/serve/api/upload"
	"repomill/testdata/debtest"
)

// A testServer is the API over a staging. A worker that is faster than light gives each upload a verdict.
type testServer struct {
	*httptest.Server
	staging objects.Staging
	mu      sync.Mutex
	before  []http.HandlerFunc // what the next calls meet; nil lets one through and loses the answer
	calls   []string
	verdict catalog.Verdict
	job     string
	down    bool // the catalog

	received atomic.Int64 // bytes of uploads
}

func (s *testServer) Authenticate(_ context.Context, credential string) (api.Principal, error) {
	if credential != "secret" {
		return api.Principal{}, api.ErrUnknownCredential
	}
	return api.Principal{ID: "t1", Grants: []api.Grant{{Right: api.Push, Owner: "acme"}}}, nil
}

func (s *testServer) Verdicts(_ context.Context, uploads []catalog.Upload) (map[catalog.Upload]catalog.Verdict, error) {
	all := map[catalog.Upload]catalog.Verdict{}
	for _, u := range uploads {
		v := s.verdict
		v.Object, v.Generation = u.Object, u.Generation
		all[u] = v
	}
	if s.down {
		return nil, errors.New("down")
	}
	return all, nil
}

func serveAPI(t *testing.T, before ...http.HandlerFunc) *testServer {
	t.Helper()
	staging, err := objects.OpenStaging(t.Context(), "file://"+filepath.Join(t.TempDir(), "staging"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { staging.Close() })
	return serveAPIOver(t, staging, before...)
}

func serveAPIOver(t *testing.T, staging objects.Staging, before ...http.HandlerFunc) *testServer {
	t.Helper()
	s := &testServer{staging: staging, before: before, verdict: catalog.Verdict{State: catalog.Published, Package: "hello 1.0 amd64"}}
	h := upload.New(upload.Config{Staging: staging, Catalog: s, Gate: &api.Gate{Auth: s, Limits: api.NewLimits(api.LimitConfig{}, time.Now), Log: slog.New(slog.DiscardHandler)}, Table: layout.DefaultTable(), Log: slog.New(slog.DiscardHandler), Now: time.Now,
		Observe: func(a upload.Answer) { s.received.Add(a.Bytes) }})
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		s.calls, s.job = append(s.calls, r.Method), r.Header.Get("Repomill-Job")
		meets := h.ServeHTTP
		if r.Method == http.MethodPut && len(s.before) > 0 {
			if meets = s.before[0]; meets == nil {
				meets = lost(h)
			}
			s.before = s.before[1:]
		}
		s.mu.Unlock()
		meets(w, r)
	}))
	t.Cleanup(s.Close)
	return s
}

// lost serves a call, and breaks the connection off in place of the answer.
func lost(h http.Handler) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		h.ServeHTTP(httptest.NewRecorder(), r)
		panic(http.ErrAbortHandler)
	}
}

func failing(status int, body string, headers ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		for _, h := range headers {
			name, value, _ := strings.Cut(h, ": ")
			w.Header().Set(name, value)
		}
		w.WriteHeader(status)
		io.WriteString(w, body)
	}
}

// pushTo pushes one package, and returns the exit code and what was printed.
func pushTo(t *testing.T, s *testServer, change func(*Push)) (code int, out, said string) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "hello.deb")
	if err := os.WriteFile(file, debtest.Build(t, debtest.Spec{Name: "hello"}), 0o644); err != nil {
		t.Fatal(err)
	}
	c := &Push{Target: "acme/tools/ubuntu/jammy", Files: []string{file}, Server: s.URL, Token: "secret", Staging: defaultStaging, Job: "https://ci/1",
		Retries: 1, Timeout: 20 * time.Second, Wait: true}
	if change != nil {
		change(c)
	}
	var o, e bytes.Buffer
	err := c.Run(t.Context(), Stdio{Out: &o, Err: &e})
	if err != nil {
		fmt.Fprint(&e, err)
	}
	return command.CodeOf(err), o.String(), e.String()
}

func (s *testServer) staged(t *testing.T) (n int) {
	t.Helper()
	if err := s.staging.List(t.Context(), time.Now().Add(time.Hour), func(catalog.Upload) { n++ }); err != nil {
		t.Fatal(err)
	}
	return n
}

func TestPushToAServer(t *testing.T) {
	wait := func(c *Push) { c.Wait = false }
	for _, tt := range []struct {
		name      string
		before    []http.HandlerFunc
		change    func(*Push)
		code      int
		out, said string
		staged    int
	}{
		{"and wait", nil, nil, 0, "hello.deb: published: hello 1.0 amd64", "", 1},
		{"and leave", nil, wait, 0, "hello.deb: stored in staging as acme/tools/ubuntu/jammy/hello.deb", "", 1},
		{"whose answer is lost, is one upload", []http.HandlerFunc{nil}, nil, 0, "published", "trying again", 1},
		{"that is down for a moment", []http.HandlerFunc{failing(503, `{"error":"later"}`)}, nil, 0, "published", "later; trying again", 1},
		{"that is full", []http.HandlerFunc{failing(507, `{"error":"no room"}`), failing(507, `{"error":"no room"}`)}, nil, 4, "", "no room", 0},
		{"that rejects the place", []http.HandlerFunc{failing(422, `{"path":["no such place"]}`, "Repomill-Reason: bad-path")}, nil, 1, "", "rejected: bad-path: no such place", 0},
		{"that takes no file so large", []http.HandlerFunc{failing(413, `{"error":"larger than 5 bytes"}`)}, nil, 1, "", "rejected: too-large: larger than 5 bytes", 0},
		{"behind a proxy that takes none so large", []http.HandlerFunc{failing(413, `<html>`)}, nil, 4, "", "client_max_body_size", 0},
		{"behind a proxy that is lost", []http.HandlerFunc{failing(502, `<html>`), failing(200, `<html>`)}, nil, 4, "", "does not answer as repomill does", 0},
		{"that has moved", []http.HandlerFunc{failing(301, "", "Location: https://new.example/x?secret")}, nil, 4, "", "redirects to https://new.example/x: name that one", 0},
		{"with a wrong token", nil, func(c *Push) { c.Token = "other" }, 4, "", "not known here", 0},
		{"that shows what it was sent", []http.HandlerFunc{failing(401, `{"error":"not known: Bearer secret"}`)}, nil, 4, "", "not known: Bearer ***", 0},
		{"with a token that is none", nil, func(c *Push) { c.Token = "a b" }, 2, "", "REPOMILL_TOKEN has no token in it", 0},
		{"and to staging", nil, func(c *Push) { c.Staging = "file:///x" }, 2, "", "name one of them", 0},
		{"of no URL", nil, func(c *Push) { c.Server = "packages" }, 2, "", "--server", 0},
		{"that does not exist", nil, func(c *Push) { c.Server, c.Retries = "http://127.0.0.1:1", 0 }, 4, "", "http://127.0.0.1:1 cannot be reached; check --server", 0},
		{"from a job whose URL has lines", nil, func(c *Push) { c.Job = "a\nb" }, 0, "published", "", 1},
		{"for a trial", nil, func(c *Push) { c.DryRun = true }, 0, "acceptable", "", 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := serveAPI(t, tt.before...)
			code, out, said := pushTo(t, s, tt.change)
			if code != tt.code || !strings.Contains(out, tt.out) || !strings.Contains(said, tt.said) {
				t.Errorf("got %d, %q, %q; want %d, %q, %q", code, out, said, tt.code, tt.out, tt.said)
			}
			if strings.Contains(out+said, "secret") || strings.Contains(out+said, "@") {
				t.Errorf("it prints what is not for people: %q, %q", out, said)
			}
			if n := s.staged(t); n != tt.staged {
				t.Errorf("%d uploads in staging, want %d", n, tt.staged)
			}
		})
	}
}

func TestPushToAServerPrintsVerdicts(t *testing.T) {
	s := serveAPI(t)
	s.verdict = catalog.Verdict{State: catalog.Rejected, Reason: catalog.Conflict, Detail: "other bytes"}
	if code, out, said := pushTo(t, s, nil); code != 1 || !strings.HasSuffix(said, "rejected: conflict: other bytes\n") {
		t.Errorf("got %d, %q, %q", code, out, said)
	}
	if code, out, _ := pushTo(t, s, func(c *Push) { c.JSON = true }); code != 1 || !strings.Contains(out, `"state":"rejected","reason":"conflict"`) {
		t.Errorf("got %d, %q", code, out)
	}
	s.verdict = catalog.Verdict{State: catalog.Received}
	s.down = true
	if code, _, said := pushTo(t, s, func(c *Push) { c.Timeout = 4 * time.Second }); code != 3 || !strings.Contains(said, "at last: what became of the upload cannot be found out now") {
		t.Errorf("got %d, %q", code, said)
	}
	s.down = false
	if code, out, said := pushTo(t, s, func(c *Push) { c.Timeout = 4 * time.Second }); code != 3 || !strings.Contains(said, "timed out after 4s: received") {
		t.Errorf("got %d, %q, %q", code, out, said)
	}
}

// A server that takes nothing is left.
func TestPushToAServerThatStalls(t *testing.T) {
	end := make(chan struct{})
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.CopyN(io.Discard, r.Body, 1) //nolint:errcheck // so that the body begins
		<-end
	}))
	defer web.Close()
	defer close(end)
	s := newServer(web.URL, "secret")
	s.stall = 300 * time.Millisecond
	start := time.Now()
	_, err := s.Put(t.Context(), "acme/tools/ubuntu/jammy/"+layout.StagedName(layout.NewID(), "a.deb"), io.LimitReader(zeros{}, 1<<30), catalog.Pusher{})
	if !errors.Is(err, errStalled) || time.Since(start) > 20*time.Second {
		t.Errorf("got %v after %s", err, time.Since(start))
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { return len(p), nil }

func TestTokens(t *testing.T) {
	home := t.TempDir()
	t.Setenv("HOME", home)
	t.Setenv("XDG_CONFIG_HOME", "")
	write := func(name, text string) string {
		path := filepath.Join(home, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, []byte(text), 0o600)); err != nil {
			t.Fatal(err)
		}
		return path
	}
	find := func(c Push, host, want string) {
		t.Helper()
		if got, err := c.findToken(host); got != want || (err == nil) != (want != "") {
			t.Errorf("got %q, %v; want %q", got, err, want)
		}
	}
	find(Push{}, "h", "")
	write(".netrc", "machine other login x\nmachine H login from-netrc password p\n")
	find(Push{}, "h", "from-netrc")
	find(Push{}, "g", "")
	write(".config/repomill/token", "from-config\n")
	find(Push{}, "h", "from-config")
	find(Push{Token: "from-environment"}, "h", "from-environment")
	file := write("token", " from-file \n")
	find(Push{Token: "from-environment", TokenFile: file}, "h", "from-file")
	find(Push{Token: "from-environment", TokenFile: file + ".absent"}, "h", "")
	find(Push{TokenFile: write("empty", "\n")}, "h", "")
	if _, err := (&Push{TokenFile: file + ".absent"}).findToken("h"); command.CodeOf(err) != command.Misused || !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v", err)
	}
}

func TestNetrc(t *testing.T) {
	for _, tt := range []struct{ name, text, want string }{
		{"one line", "machine h login t password p", "t"},
		{"many lines", "machine g\n\tlogin x\nmachine h\n\tpassword p\n\tlogin t\n", "t"},
		{"the password first, with a word in it", "machine h password login login t", "t"},
		{"another host", "machine g login x", ""},
		{"the default", "machine g login x\ndefault login t", "t"},
		{"the host before the default", "machine h login t default login x", "t"},
		{"a macro", "macdef init\nmachine h login x\n\nmachine h login t", "t"},
		{"a comment", "# machine h login x\nmachine h login t", "t"},
		{"cut off", "machine h login", ""},
		{"no text", "", ""},
	} {
		if got := netrcLogin(tt.text, "h"); got != tt.want {
			t.Errorf("%s: got %q, want %q", tt.name, got, tt.want)
		}
	}
}
