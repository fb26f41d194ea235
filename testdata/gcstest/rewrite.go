package gcstest

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
)

// rewrite carries out a copy of an object to another name, within the server. Both must name what they mean.
func (s *Server) rewrite(answer *httptest.ResponseRecorder, r *http.Request, from *url.URL, to string) {
	query := r.URL.Query()
	bucket, object, ok := unescaped(from.Path)
	toBucket, toObject, toOK := unescaped(to)
	if !ok || !toOK {
		http.Error(answer, "no such path", http.StatusNotFound)
		return
	}
	if (query.Get("ifGenerationMatch") == "" || query.Get("ifSourceGenerationMatch") == "") && !s.Lenient {
		s.t.Errorf("gcstest: the copy of %s to %s names no generation", object, toObject)
	}
	source := s.current(bucket, object)
	for _, c := range []struct {
		condition string
		is        int64
	}{{query.Get("ifGenerationMatch"), s.current(toBucket, toObject)}, {query.Get("ifSourceGenerationMatch"), source}} {
		if source != 0 && c.condition != "" && c.condition != strconv.FormatInt(c.is, 10) {
			http.Error(answer, `{"error":{"code":412,"message":"At least one of the pre-conditions you specified did not hold."}}`, http.StatusPreconditionFailed)
			return
		}
	}
	s.forward(answer, r)
	if answer.Code < 300 {
		s.notify("OBJECT_FINALIZE", s.describe(toBucket, toObject))
	}
}

// unescaped returns which object an escaped path is about.
func unescaped(path string) (bucket, object string, ok bool) {
	plain, err := url.PathUnescape(path)
	if err != nil {
		return "", "", false
	}
	return objectOf(&url.URL{Path: plain, RawPath: path})
}
