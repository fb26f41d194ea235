package serve_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"repomill/schemas/layout"
	"repomill/serve"
	"repomill/testdata/proctest"
)

func TestDownloadThroughTheRedirect(t *testing.T) {
	s := newSite(t, newBucket())
	for _, tt := range []struct {
		name, method, header, value string
		wantStatus                  int
		wantBody                    string
	}{
		{"the whole file", "GET", "", "", 200, debText},
		{"the head", "HEAD", "", "", 200, ""},
		{"the rest of an interrupted download", "GET", "Range", "bytes=4-", 206, debText[4:]},
		{"the last bytes", "GET", "Range", "bytes=-3", 206, debText[7:]},
		{"a range of the same version", "GET", "Range", "bytes=0-1", 206, debText[:2]},
		{"a range beyond the end", "GET", "Range", "bytes=10-", 416, "invalid range: failed to overlap\n"},
		{"changed since", "GET", "If-Modified-Since", noon.Add(-2 * time.Hour).Format(http.TimeFormat), 200, debText},
		{"not changed since", "GET", "If-Modified-Since", noon.Format(http.TimeFormat), 304, ""},
		{"the same version", "GET", "If-None-Match", `"v1"`, 304, ""},
		{"another version", "GET", "If-None-Match", `"v0"`, 200, debText},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r, err := http.NewRequestWithContext(t.Context(), tt.method, s.resolver.URL+"/"+debKey, nil)
			if err != nil {
				t.Fatal(err)
			}
			if tt.header != "" {
				r.Header.Set(tt.header, tt.value) // the client repeats it to the target
			}
			resp, err := s.resolver.Client().Do(r)
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			body, err := io.ReadAll(resp.Body)
			if err != nil {
				t.Fatal(err)
			}
			if resp.StatusCode != tt.wantStatus || string(body) != tt.wantBody {
				t.Errorf("got %d, %q, want %d, %q", resp.StatusCode, body, tt.wantStatus, tt.wantBody)
			}
		})
	}
}

func TestEdgeHeaders(t *testing.T) {
	s := newSite(t, newBucket())
	for _, key := range []string{debKey, rpmKey, "acme/tools/ubuntu/dists/jammy/InRelease", "acme/tools/gpgkey"} {
		resp, _ := raw(t, s.edge, "GET", s.edgePath(t, key))
		o := layout.ObjectOf(key)
		for name, want := range map[string]string{
			"Content-Type": o.ContentType, "Cache-Control": o.CacheControl, "X-Content-Type-Options": "nosniff",
			"Etag": `"v1"`, "Last-Modified": noon.Add(-time.Hour).Format(http.TimeFormat), "Accept-Ranges": "bytes",
		} {
			if got := resp.Header.Get(name); got != want {
				t.Errorf("%s: %s is %q, want %q", key, name, got, want)
			}
		}
	}
}

func TestEdgeRefuses(t *testing.T) {
	s := newSite(t, newBucket())
	good := s.edgePath(t, debKey)
	for _, tt := range []struct {
		name, target string
		want         int
		reason       string // in the log
	}{
		{"an object that does not exist", s.edgePath(t, pool+"hello_9_amd64.deb"), 404, ""},
		{"not signed", "/" + debKey, 403, "not signed"},
		{"another file", strings.Replace(good, "amd64", "arm64", 1), 403, "not for this URL"},
		{"a parameter too many", good + "&a=b", 403, "unknown"},
		{"another spelling", strings.Replace(good, "%2B", "%2b", 1), 403, "not for this URL"},
		{"settings, with a good signature", s.edgePath(t, ".repomill/acme/tools.json"), 403, "not that of a published object"},
		{"a folder, with a good signature", s.edgePath(t, "acme/tools/"), 403, "not that of a published object"},
		{"dots, with a good signature", s.edgePath(t, "acme/../etc/passwd"), 403, "not that of a published object"},
		{"the root", "/", 403, "not that of a published object"},
		{"an absolute URL", s.edge.URL + good, 403, "not below"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			before := len(s.log.String())
			resp, body := raw(t, s.edge, "GET", tt.target)
			if resp.StatusCode != tt.want || body != map[int]string{403: "forbidden\n", 404: "not found\n"}[tt.want] {
				t.Errorf("got %d, %q, want %d", resp.StatusCode, body, tt.want)
			}
			log := s.log.String()[before:]
			if !strings.Contains(log, tt.reason) || strings.Count(log, "\n") != map[int]int{403: 1, 404: 0}[tt.want] {
				t.Errorf("the log has %q, want one line with %q", log, tt.reason)
			}
			if strings.Contains(log, "Signature=") {
				t.Errorf("the log has a signature: %q", log)
			}
		})
	}
}

func TestHostPlaysNoPartAtTheEdge(t *testing.T) {
	s := newSite(t, newBucket())
	for _, header := range []string{"Host: evil.example.org", "X-Forwarded-Host: evil.example.org"} {
		if resp, body := raw(t, s.edge, "GET", s.edgePath(t, debKey), header); resp.StatusCode != 200 || body != debText {
			t.Errorf("%s: got %d, %q", header, resp.StatusCode, body)
		}
	}
}

// A gullible verifier believes that every URL is signed.
type gullible struct{}

func (gullible) Verify(requestURI string, _ time.Time) (string, error) { return requestURI[1:], nil }

// brokenObjects fails for reasons that are no business of the client's.
type brokenObjects struct{}

func (brokenObjects) Open(context.Context, string) (io.ReadSeekCloser, layout.Meta, error) {
	return nil, layout.Meta{}, errors.New("disk on fire")
}

func TestHiddenObjectsAreNeverServed(t *testing.T) {
	var log proctest.Output
	h := serve.NewEdge(serve.EdgeConfig{
		Verifier: gullible{}, Objects: newBucket(), Log: slog.New(slog.NewTextHandler(&log, nil)), Now: func() time.Time { return noon },
	})
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest("GET", "/.repomill/acme/tools.json", nil))
	if w.Code != http.StatusNotFound || !strings.Contains(log.String(), "WARN") {
		t.Errorf("got %d, log %q, want 404 and a warning", w.Code, log.String())
	}
}

func TestObjectsFault(t *testing.T) {
	var log proctest.Output
	h := serve.NewEdge(serve.EdgeConfig{
		Verifier: gullible{}, Objects: brokenObjects{}, Log: slog.New(slog.NewTextHandler(&log, nil)), Now: func() time.Time { return noon },
	})
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest("GET", "/"+debKey, nil))
	if w.Code != http.StatusInternalServerError || strings.Contains(w.Body.String(), "fire") || !strings.Contains(log.String(), "fire") {
		t.Errorf("got %d, %q, log %q, want 500 with the cause in the log alone", w.Code, w.Body, log.String())
	}
}

// versioned is an object of any version.
type versioned layout.Version

func (v versioned) Open(context.Context, string) (io.ReadSeekCloser, layout.Meta, error) {
	return body{strings.NewReader("x")}, layout.Meta{Version: layout.Version(v)}, nil
}

func TestETag(t *testing.T) {
	for _, tt := range []struct {
		name    string
		version versioned
		want    string
	}{
		{"a digest", "sha256:00ff", `"sha256:00ff"`},
		{"quotes of the store's own", `"abc-2"`, `"abc-2"`},
		{"no version", "", ""},
		{"a version that cannot be quoted", "a\"b", ""},
		{"a version with a line end", "a\r\nb", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h := serve.NewEdge(serve.EdgeConfig{Verifier: gullible{}, Objects: tt.version, Log: slog.New(slog.DiscardHandler), Now: func() time.Time { return noon }})
			w := httptest.NewRecorder()
			h.ServeHTTP(w, httptest.NewRequest("GET", "/"+debKey, nil))
			if got := w.Header().Get("ETag"); w.Code != 200 || got != tt.want {
				t.Errorf("got %d, %q, want %q", w.Code, got, tt.want)
			}
		})
	}
}
