package packagecloud_test

import (
	"bytes"
	"context"
	"io"
	"io/fs"
	"mime/multipart"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"repomill/schemas/catalog"
)

// A judge is a catalog that gives every upload one verdict.
type judge struct {
	mu      sync.Mutex
	verdict catalog.Verdict
	err     error
}

func (j *judge) Verdicts(_ context.Context, uploads []catalog.Upload) (map[catalog.Upload]catalog.Verdict, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	all := map[catalog.Upload]catalog.Verdict{}
	for _, u := range uploads {
		v := j.verdict
		v.Object, v.Generation = u.Object, u.Generation
		all[u] = v
	}
	return all, j.err
}

func (j *judge) says(v catalog.Verdict) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.verdict = v
}

const (
	pushPath = "/api/v1/repos/acme/tools/packages.json"
	bytesOf  = "PACKAGE\r\n--x\n--Boundar\r\n" // bytes that look like boundaries
	fileName = "hello_1.0_amd64.deb"
)

// A part is one of a form: a file, if it has a name of one.
type part struct{ name, file, body string }

var (
	aFile = part{"package[package_file]", fileName, bytesOf}
	anID  = part{"package[distro_version_id]", "", "237"}
)

// formOf returns a form as Go writes it.
func formOf(parts ...part) (contentType, body string) {
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	for _, p := range parts {
		if p.file == "" {
			w.WriteField(p.name, p.body) //nolint:errcheck // to memory
			continue
		}
		to, err := w.CreateFormFile(p.name, p.file)
		if err != nil {
			panic(err)
		}
		io.WriteString(to, p.body) //nolint:errcheck // to memory
	}
	w.Close()
	return w.FormDataContentType(), b.String()
}

// post sends a body as a caller. Headers are "Name: value".
func (s *site) post(token, path, contentType, body string, headers ...string) (*http.Response, string) {
	s.t.Helper()
	req, err := http.NewRequestWithContext(s.t.Context(), http.MethodPost, s.url+path, strings.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	req.SetBasicAuth(token, "")
	req.Header.Set("Content-Type", contentType)
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		req.Header.Set(name, value)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		s.t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	return res, strings.TrimSpace(string(text))
}

func (s *site) push(parts []part, headers ...string) (*http.Response, string) {
	s.t.Helper()
	kind, body := formOf(parts...)
	return s.post("pusher", pushPath, kind, body, headers...)
}

const async = "Prefer: respond-async"

// left returns what is in staging, hidden files and all.
func (s *site) left() (files []string) {
	s.t.Helper()
	err := filepath.WalkDir(s.staging.Path(), func(path string, e fs.DirEntry, err error) error {
		if err == nil && !e.IsDir() {
			rel, _ := filepath.Rel(s.staging.Path(), path)
			files = append(files, rel)
		}
		return err
	})
	if err != nil {
		s.t.Error(err)
	}
	return files
}

// checkStaged fails unless one upload is in staging, in a place and with these bytes.
func (s *site) checkStaged(place, body string) {
	s.t.Helper()
	var all []catalog.Upload
	if err := s.staging.List(s.t.Context(), time.Now().Add(time.Hour), func(u catalog.Upload) { all = append(all, u) }); err != nil {
		s.t.Fatal(err)
	}
	if files := s.left(); len(all) != 1 || len(files) != 1 {
		s.t.Fatalf("staged: %v; listed: %v; want one", files, all)
	}
	dir, name := filepath.Split(all[0].Object)
	_, name, _ = strings.Cut(name, "~")
	r, _, err := s.staging.Open(s.t.Context(), all[0])
	if err != nil {
		s.t.Fatal(err)
	}
	defer r.Close()
	if got, err := io.ReadAll(r); dir+name != place || string(got) != body || err != nil {
		s.t.Errorf("staged: %s with %q, %v; want %s with %q", dir+name, got, err, place, body)
	}
}

// with returns the file part with another name and body.
func with(p part, file, body string) part { return part{p.name, file, body} }
