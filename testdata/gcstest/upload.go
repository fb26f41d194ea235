package gcstest

import (
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"hash/crc32"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
)

// A session is an upload in chunks.
type session struct {
	crc      uint32
	received int64
	declared string                                // CRC32C in base64, if the upload began with one
	size     string                                // in bytes, if the upload began with one
	answers  map[string]*httptest.ResponseRecorder // by Content-Range
	last     *httptest.ResponseRecorder            // the answer that ended it; nil if it goes on
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func encode(crc uint32) string {
	return base64.StdEncoding.EncodeToString(binary.BigEndian.AppendUint32(nil, crc))
}

// upload carries out a request that stores an object, or part of one. The fake knows the conditions.
func (s *Server) upload(answer *httptest.ResponseRecorder, r *http.Request, body []byte) {
	query := r.URL.Query()
	if id := query.Get("upload_id"); id != "" {
		s.chunk(answer, r, id, body)
		return
	}
	var description struct{ Name, Crc32c string }
	if query.Get("uploadType") == "resumable" {
		json.Unmarshal(body, &description) //nolint:errcheck // the fake says what is wrong with it
	}
	name := query.Get("name")
	if name == "" {
		name = description.Name
	}
	if strings.HasPrefix(name, ".results/") && query.Get("ifGenerationMatch") == "" && !s.Lenient {
		s.t.Errorf("gcstest: the write of %s names no generation", name)
	}
	s.forward(answer, r)
	if answer.Code >= 300 {
		return
	}
	if location := answer.Header().Get("Location"); location != "" {
		_, id, _ := strings.Cut(location, "upload_id=")
		s.sessions[id] = &session{declared: description.Crc32c, size: r.Header.Get("X-Upload-Content-Length"), answers: map[string]*httptest.ResponseRecorder{}}
		return
	}
	s.notify("OBJECT_FINALIZE", answer.Body.Bytes())
}

// chunk takes a part of an upload. One that was taken already is answered again.
func (s *Server) chunk(answer *httptest.ResponseRecorder, r *http.Request, id string, body []byte) {
	u, ok := s.sessions[id]
	if !ok {
		http.Error(answer, "there is no such upload", http.StatusNotFound)
		return
	}
	part := r.Header.Get("Content-Range")
	if again, ok := u.answers[part]; ok {
		*answer = *again
		return
	}
	var start, end, total int64
	n, _ := fmt.Sscanf(part, "bytes %d-%d/%d", &start, &end, &total) //nolint:errcheck // n says how much of it is there
	switch {
	case r.Method == http.MethodDelete:
		delete(s.sessions, id)
		answer.WriteHeader(499) // as Google answers
		return
	case n == 0 && u.last != nil:
		*answer = *u.last
		return
	case n == 0 && asks(part, u.received):
		if u.received > 0 {
			answer.Header().Set("Range", fmt.Sprintf("bytes=0-%d", u.received-1))
		}
		answer.WriteHeader(http.StatusPermanentRedirect)
		return
	case n >= 2 && start != u.received:
		http.Error(answer, "there is a gap, or an overlap", http.StatusServiceUnavailable)
		return
	case n == 3 && u.size != "" && u.size != strconv.FormatInt(total, 10):
		http.Error(answer, `{"error":{"code":400,"message":"The size is not the one of X-Upload-Content-Length."}}`, http.StatusBadRequest)
		return
	}
	u.received += int64(len(body))
	u.crc = crc32.Update(u.crc, castagnoli, body)
	if n == 0 || n == 3 && end+1 == total {
		_, sent, _ := strings.Cut(r.Header.Get("X-Goog-Hash"), "crc32c=")
		for _, want := range []string{u.declared, sent} {
			if want != "" && want != encode(u.crc) {
				delete(s.sessions, id)
				http.Error(answer, `{"error":{"code":400,"message":"Provided CRC32C does not match the calculated one."}}`, http.StatusBadRequest)
				return
			}
		}
	}
	s.forward(answer, r)
	u.answers[part] = answer
	stored := answer.Code < 300 && answer.Header().Get("X-Http-Status-Code-Override") == ""
	if stored || answer.Code >= 400 && answer.Code < 500 {
		u.last = answer
	}
	if stored {
		s.notify("OBJECT_FINALIZE", answer.Body.Bytes())
	}
}

// asks reports whether a Content-Range asks how much has arrived of an upload that is not complete.
func asks(part string, received int64) bool {
	total, ok := strings.CutPrefix(part, "bytes */")
	return ok && total != strconv.FormatInt(received, 10)
}

// granule is what Google keeps whole multiples of, if a chunk breaks off.
const granule = 256 << 10

// tear makes a chunk of an upload what is kept of it if the connection breaks in its middle.
func tear(r *http.Request, body []byte) []byte {
	kept := len(body) / 2 / granule * granule
	start, _, _ := strings.Cut(strings.TrimPrefix(r.Header.Get("Content-Range"), "bytes "), "-")
	if first, err := strconv.Atoi(start); err == nil && kept > 0 {
		r.Header.Set("Content-Range", fmt.Sprintf("bytes %d-%d/*", first, first+kept-1))
	}
	return body[:kept]
}

// ForgetSessions ends all uploads in chunks, as Google does after a week.
func (s *Server) ForgetSessions() {
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.sessions)
}

// Sessions returns how many uploads in chunks have begun, and have neither ended nor been cancelled.
func (s *Server) Sessions() (n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, u := range s.sessions {
		if u.last == nil {
			n++
		}
	}
	return n
}
