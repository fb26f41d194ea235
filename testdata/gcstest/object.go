package gcstest

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"net/textproto"
	"net/url"
)

// An Object is one as the server has it, described in the words of the JSON API.
type Object struct {
	Bucket          string            `json:"bucket"`
	Name            string            `json:"name"`
	ContentType     string            `json:"contentType,omitempty"`
	ContentEncoding string            `json:"contentEncoding,omitempty"`
	CacheControl    string            `json:"cacheControl,omitempty"`
	Metadata        map[string]string `json:"metadata,omitempty"`
	Generation      int64             `json:"generation,omitempty,string"`
}

// Object returns what the server has under a name, or false.
func (s *Server) Object(bucket, name string) (Object, bool) {
	s.t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	var o Object
	return o, s.ask(http.MethodGet, objectPath(bucket, name), "", nil, &o) == http.StatusOK
}

// Create stores an object as a stranger would, and returns its generation.
func (s *Server) Create(o Object, content []byte) int64 {
	s.t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	var body bytes.Buffer
	parts := multipart.NewWriter(&body)
	description, err := json.Marshal(o)
	if err != nil {
		s.t.Fatal(err)
	}
	for _, part := range []struct {
		kind string
		text []byte
	}{{"application/json", description}, {o.ContentType, content}} {
		w, err := parts.CreatePart(textproto.MIMEHeader{"Content-Type": {part.kind}})
		if err == nil {
			_, err = w.Write(part.text)
		}
		if err != nil {
			s.t.Fatal(err)
		}
	}
	if err := parts.Close(); err != nil {
		s.t.Fatal(err)
	}
	var stored Object
	path := "/upload/storage/v1/b/" + o.Bucket + "/o?uploadType=multipart&name=" + url.QueryEscape(o.Name)
	if code := s.ask(http.MethodPost, path, "multipart/related; boundary="+parts.Boundary(), body.Bytes(), &stored); code != http.StatusOK {
		s.t.Fatalf("gcstest: create %s: %d", o.Name, code)
	}
	return stored.Generation
}

func objectPath(bucket, name string) string {
	return "/storage/v1/b/" + bucket + "/o/" + url.PathEscape(name)
}

// ask sends a request of the test's own to the process, reads its answer into v unless that is nil, and returns its status.
func (s *Server) ask(method, path, contentType string, body []byte, v any) int {
	s.t.Helper()
	r := httptest.NewRequest(method, s.url+path, bytes.NewReader(body))
	r.Header.Set("Content-Type", contentType)
	answer := httptest.NewRecorder()
	s.forward(answer, r)
	if v != nil && answer.Code == http.StatusOK {
		if err := json.Unmarshal(answer.Body.Bytes(), v); err != nil {
			s.t.Errorf("gcstest: %s %s: %v", method, path, err)
		}
	}
	return answer.Code
}

// forward passes a request to the process as it is, and its answer back.
func (s *Server) forward(answer *httptest.ResponseRecorder, r *http.Request) {
	out := r.Clone(context.WithoutCancel(r.Context())) // a client that goes away does not undo what it asked for
	out.RequestURI, out.URL.Scheme, out.URL.Host, out.Host = "", "http", "server", r.Host
	resp, err := s.transport.RoundTrip(out)
	if err != nil {
		http.Error(answer, err.Error(), http.StatusBadGateway)
		return
	}
	defer resp.Body.Close()
	for name, values := range resp.Header {
		answer.Header()[name] = values
	}
	answer.WriteHeader(resp.StatusCode)
	if _, err := io.Copy(answer, resp.Body); err != nil {
		s.t.Errorf("gcstest: %s %s: %v", r.Method, r.URL.Path, err)
	}
}

// current returns an object's generation, or 0.
func (s *Server) current(bucket, name string) int64 {
	var o Object
	s.ask(http.MethodGet, objectPath(bucket, name), "", nil, &o)
	return o.Generation
}

// describe returns an object's description as the API gives it.
func (s *Server) describe(bucket, name string) []byte {
	var description json.RawMessage
	s.ask(http.MethodGet, objectPath(bucket, name), "", nil, &description)
	return description
}

// Lose removes all objects of a bucket, as its owner can by mistake. No notification is sent.
func (s *Server) Lose(bucket string) {
	s.t.Helper()
	var list struct{ Items []Object }
	s.ask(http.MethodGet, "/storage/v1/b/"+bucket+"/o", "", nil, &list)
	for _, o := range list.Items {
		if code := s.ask(http.MethodDelete, objectPath(bucket, o.Name), "", nil, nil); code != http.StatusOK && code != http.StatusNoContent {
			s.t.Fatalf("gcstest: remove %s: %d", o.Name, code)
		}
	}
}
