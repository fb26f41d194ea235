package gcstest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// maxRequest bounds the body of a request in bytes.
const maxRequest = 64 << 20

// serve carries out one request, with what is to go wrong with it.
func (s *Server) serve(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxRequest))
	if err != nil {
		panic(http.ErrAbortHandler) // the client went away
	}
	fault := s.take(r)
	switch {
	case fault == Lost:
		panic(http.ErrAbortHandler)
	case fault == Torn:
		body = tear(r, body)
	case fault == Damaged && len(body) > 0:
		body[len(body)*2/3] ^= 1
	case fault.status() != 0:
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(fault.status())
		fmt.Fprintf(w, `{"error":{"code":%d,"message":%q}}`, fault.status(), fault.message()) //nolint:errcheck // a test's server
		return
	}
	r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	answer := s.carryOut(r, body)
	if fault == Stored || fault == Torn {
		panic(http.ErrAbortHandler)
	}
	send(w, r, answer, fault)
}

// send writes an answer, or what a fault leaves of it.
func send(w http.ResponseWriter, r *http.Request, answer *httptest.ResponseRecorder, fault Fault) {
	for name, values := range answer.Header() {
		w.Header()[name] = values
	}
	body := answer.Body.Bytes()
	if fault == Damaged && r.Method == http.MethodGet && len(body) > 0 {
		body = bytes.Clone(body)
		body[len(body)/2] ^= 1
	}
	if fault != Cut && fault != Stalled {
		w.WriteHeader(answer.Code)
		w.Write(body) //nolint:errcheck // the client may be gone
		return
	}
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(answer.Code)
	w.Write(body[:len(body)/2])           //nolint:errcheck // as above
	http.NewResponseController(w).Flush() //nolint:errcheck // as above
	if fault == Stalled {
		select {
		case <-r.Context().Done():
		case <-time.After(time.Minute):
		}
	}
	panic(http.ErrAbortHandler)
}

// carryOut checks a request's conditions and passes it to the fake, as one step.
func (s *Server) carryOut(r *http.Request, body []byte) *httptest.ResponseRecorder {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.served[r.Method]++
	answer := httptest.NewRecorder()
	if !s.buckets[bucketOf(r.URL)] {
		http.Error(answer, `{"error":{"code":404,"message":"The specified bucket does not exist."}}`, http.StatusNotFound)
		return answer
	}
	if strings.HasPrefix(r.URL.Path, "/upload/") {
		s.upload(answer, r, body)
		return answer
	}
	if from, to, ok := strings.Cut(r.URL.EscapedPath(), "/rewriteTo/"); ok {
		s.rewrite(answer, r, &url.URL{Path: from, RawPath: from}, "/storage/v1/"+to)
		return answer
	}
	bucket, object, ok := objectOf(r.URL)
	if !ok {
		shorten(r)
		s.forward(answer, r)
		return answer
	}
	generation := s.current(bucket, object)
	condition := r.URL.Query().Get("ifGenerationMatch")
	if condition == "" && r.Method != http.MethodGet && !s.Lenient {
		s.t.Errorf("gcstest: %s of %s/%s names no generation", r.Method, bucket, object)
	}
	if condition != "" && condition != strconv.FormatInt(generation, 10) && generation != 0 {
		http.Error(answer, `{"error":{"code":412,"message":"At least one of the pre-conditions you specified did not hold."}}`, http.StatusPreconditionFailed)
		return answer
	}
	var deleted []byte
	if r.Method == http.MethodDelete {
		deleted = s.describe(bucket, object)
	}
	s.forward(answer, r)
	if answer.Code < 300 {
		switch r.Method {
		case http.MethodDelete:
			s.notify("OBJECT_DELETE", deleted)
		case http.MethodPatch, http.MethodPut:
			s.notify("OBJECT_METADATA_UPDATE", answer.Body.Bytes())
		}
	}
	return answer
}

// maxPage is how many objects a page of a list has at most. Google allows itself to send less than asked for.
const maxPage = 50

// shorten makes the pages of a list short.
func shorten(r *http.Request) {
	query := r.URL.Query()
	if n, err := strconv.Atoi(query.Get("maxResults")); err != nil || n > maxPage {
		query.Set("maxResults", strconv.Itoa(maxPage))
		r.URL.RawQuery = query.Encode()
		r.RequestURI = r.URL.RequestURI()
	}
}

// bucketOf returns which bucket a request is about.
func bucketOf(u *url.URL) string {
	_, rest, _ := strings.Cut(u.Path, "/storage/v1/b/")
	bucket, _, _ := strings.Cut(rest, "/")
	return bucket
}

// objectOf returns which object a request of the JSON API is about.
func objectOf(u *url.URL) (bucket, object string, ok bool) {
	rest, ok := strings.CutPrefix(u.EscapedPath(), "/storage/v1/b/")
	if !ok {
		return "", "", false
	}
	bucket, object, ok = strings.Cut(rest, "/o/")
	if !ok {
		return "", "", false
	}
	object, err := url.PathUnescape(object)
	return bucket, object, ok && err == nil
}

// notify publishes a notification of an object, given its description (Cloud Storage documentation, "Pub/Sub notifications").
func (s *Server) notify(event string, description []byte) {
	if s.Notify == nil {
		return
	}
	var o struct{ Bucket, Name, Generation string }
	if err := json.Unmarshal(description, &o); err != nil || o.Generation == "" {
		s.t.Errorf("gcstest: %s of %.200q: %v", event, description, err)
		return
	}
	s.Notify(description, map[string]string{
		"notificationConfig": "projects/_/buckets/" + o.Bucket + "/notificationConfigs/1",
		"eventType":          event,
		"payloadFormat":      "JSON_API_V1",
		"bucketId":           o.Bucket,
		"objectId":           o.Name,
		"objectGeneration":   o.Generation,
		"eventTime":          time.Now().UTC().Format(time.RFC3339Nano),
	})
}
