package check_test

import (
	"compress/gzip"
	"errors"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"repomill/publish/check"
)

func TestURLTree(t *testing.T) {
	m := newAptSource(t).publish()
	plus := aptBase + "/pool/jammy/main/h/hello-data/hello-data_1:2.10+b1_all.deb"
	var paths []string
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		paths = append(paths, r.URL.EscapedPath())
		if !strings.HasPrefix(r.URL.Path, "/edge/") {
			http.Redirect(w, r, "/edge"+r.URL.EscapedPath()+"?Signature=secret", http.StatusFound)
			return
		}
		http.StripPrefix("/edge", http.FileServerFS(m.fs())).ServeHTTP(w, r)
	}))
	defer srv.Close()
	for _, content := range []bool{true, false} {
		o := opt
		o.Content, o.Workers = content, 1
		if _, problems := apt(t, check.URL(srv.Client(), srv.URL+"/"), o); len(problems) > 0 {
			t.Errorf("content %v: got problems:\n%s", content, list(problems))
		}
	}
	if !strings.Contains(strings.Join(paths, "\n"), "2.10%2Bb1") {
		t.Errorf("no %%2B in the requests:\n%s", strings.Join(paths, "\n"))
	}
	m.cut(t, plus)
	_, problems := apt(t, check.URL(srv.Client(), srv.URL), check.Options{Settle: 1})
	expect(t, problems, plus, "bytes")
	m.remove(t, plus)
	_, problems = apt(t, check.URL(srv.Client(), srv.URL), check.Options{Settle: 1})
	expect(t, problems, plus, "missing")
}

func TestURLTreeErrors(t *testing.T) {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/403":
			w.WriteHeader(http.StatusForbidden)
		case "/404":
			w.WriteHeader(http.StatusNotFound)
		case "/410":
			w.WriteHeader(http.StatusGone)
		case "/500":
			w.WriteHeader(http.StatusInternalServerError)
		case "/loop":
			http.Redirect(w, r, "/loop?Signature=secret", http.StatusFound)
		case "/dead":
			http.Redirect(w, r, "http://127.0.0.1:1/x?Signature=secret", http.StatusFound)
		case "/gzip":
			w.Header().Set("Content-Encoding", "gzip")
			z := gzip.NewWriter(w)
			_, _ = z.Write([]byte("hello"))
			_ = z.Close()
		}
	}))
	defer srv.Close()
	tree := check.URL(nil, srv.URL)
	for name, absent := range map[string]bool{"403": false, "404": true, "410": true, "500": false, "loop": false, "dead": false} {
		_, err := tree.Open(t.Context(), name)
		if err == nil || errors.Is(err, fs.ErrNotExist) != absent {
			t.Errorf("%s: got %v, want fs.ErrNotExist: %v", name, err, absent)
		}
		if err != nil && strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: the error tells a secret: %v", name, err)
		}
	}
	body, err := tree.Open(t.Context(), "gzip")
	if err != nil {
		t.Fatal(err)
	}
	defer body.Close()
	if b, err := io.ReadAll(body); err != nil || string(b) == "hello" {
		t.Errorf("got %q, %v; want the bytes as stored", b, err)
	}
}

func TestURLTreeRefusesRedirectToHTTP(t *testing.T) {
	plain := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "x") }))
	defer plain.Close()
	secure := httptest.NewTLSServer(http.RedirectHandler(plain.URL+"/x", http.StatusFound))
	defer secure.Close()
	if _, err := check.URL(secure.Client(), secure.URL).Open(t.Context(), "x"); err == nil || !strings.Contains(err.Error(), "https to http") {
		t.Errorf("got %v", err)
	}
}

func TestDirTree(t *testing.T) {
	dir := t.TempDir()
	writeFile(t, filepath.Join(dir, "tree", "a", "b"), []byte("x"))
	writeFile(t, filepath.Join(dir, "secret"), []byte("x"))
	if err := os.Symlink("../secret", filepath.Join(dir, "tree", "link")); err != nil {
		t.Fatal(err)
	}
	tree := check.Dir(filepath.Join(dir, "tree"))
	body, err := tree.Open(t.Context(), "a/b")
	if err != nil {
		t.Fatal(err)
	}
	if err := body.Close(); err != nil {
		t.Error(err)
	}
	for _, name := range []string{"a", "a/c", "a/b/c", "../secret", "/a/b", "a//b", "", "link"} {
		if body, err := tree.Open(t.Context(), name); err == nil {
			_ = body.Close()
			t.Errorf("%q: opened", name)
		} else if strings.Contains(err.Error(), dir) {
			t.Errorf("%q: the error tells the folder: %v", name, err)
		} else if !errors.Is(err, fs.ErrNotExist) && name != "link" && name != "a/b/c" {
			t.Errorf("%q: got %v, want fs.ErrNotExist", name, err)
		}
	}
}
