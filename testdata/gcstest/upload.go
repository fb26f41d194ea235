package gcstest

import (
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"hash/crc32"
	"net/http"
	"net/http/httptest"
	"strings"
)

// A session is an upload in chunks.
type session struct {
	crc      uint32
	declared string                                // CRC32C in base64, if the upload began with one
	answers  map[string]*httptest.ResponseRecorder // by Content-Range
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
		s.sessions[id] = &session{declared: description.Crc32c, answers: map[string]*httptest.ResponseRecorder{}}
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
	u.crc = crc32.Update(u.crc, castagnoli, body)
	if !strings.HasSuffix(part, "/*") {
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
	if answer.Code < 300 && answer.Header().Get("X-Http-Status-Code-Override") == "" {
		s.notify("OBJECT_FINALIZE", answer.Body.Bytes())
	}
}
