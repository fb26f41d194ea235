package serve

import (
	"errors"
	"io"
	"io/fs"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"repomill/schemas/catalog"
	"repomill/schemas/layout"
)

// through answers with the bytes of an object, for clients that cannot follow a redirect to another
// host, and of those that set clients up. A HEAD, and a GET of an object that the client has, cost a Stat and no read.
func (s *resolver) through(w http.ResponseWriter, r *http.Request, from Bucket, ref layout.Ref, v catalog.Visibility) int {
	key := ref.Key
	if r.Method == http.MethodHead || r.Header.Get("If-None-Match") != "" || r.Header.Get("If-Modified-Since") != "" {
		meta, err := from.Stat(r.Context(), key)
		if err != nil {
			return s.throughError(w, r, ref, v, err)
		}
		same := unchanged(r.Header, meta)
		if same && r.Header.Get("If-None-Match") != "" { // http.ServeContent reads no list with a bad tag in it
			r = r.Clone(r.Context())
			r.Header.Set("If-None-Match", "*")
		}
		if r.Method == http.MethodHead || same {
			return s.send(w, r, key, v, meta, nil)
		}
	}
	body, meta, err := from.Get(r.Context(), key)
	if err != nil {
		return s.throughError(w, r, ref, v, err)
	}
	defer body.Close()
	return s.send(w, r, key, v, meta, body)
}

func (s *resolver) throughError(w http.ResponseWriter, r *http.Request, ref layout.Ref, v catalog.Visibility, err error) int {
	if errors.Is(err, fs.ErrNotExist) {
		cacheControl := "max-age=10"
		if v != catalog.Public {
			cacheControl = "private, max-age=10"
		}
		if ref.IsPackagePage() {
			return lostPage(w, r.URL, ref.Repository, cacheControl)
		}
		return text(w, http.StatusNotFound, cacheControl, "not found\n")
	}
	if r.Context().Err() == nil {
		s.faults.log(s.Log, slog.LevelWarn, s.Now(), "cannot read object", "key", ref.Key, "error", err)
	}
	w.Header().Set("Retry-After", "5")
	return text(w, http.StatusServiceUnavailable, "no-store", "the repository cannot be read at the moment\n")
}

// send writes the object with http.ServeContent, which evaluates conditions and ranges. body may be nil if
// the response has no body.
func (s *resolver) send(w http.ResponseWriter, r *http.Request, key string, v catalog.Visibility, meta layout.Meta, body io.Reader) int {
	describe(w.Header(), key, meta)
	if v != catalog.Public {
		w.Header().Set("Cache-Control", privately(w.Header().Get("Cache-Control")))
		w.Header().Set("Vary", "Authorization")
	}
	if strings.Contains(r.Header.Get("Range"), ",") { // several ranges may go backwards; all of it is an answer too
		r = r.Clone(r.Context())
		r.Header.Del("Range")
	}
	content, status := &seekableForward{body: body, size: meta.Size}, &statusWriter{ResponseWriter: w, status: http.StatusOK}
	http.ServeContent(status, r, "", meta.Modified, content)
	if content.err != nil && r.Context().Err() == nil {
		s.faults.log(s.Log, slog.LevelWarn, s.Now(), "object ended early", "key", key, "error", content.err)
	}
	return status.status
}

// describe sets the headers of an object: its type, caching, name and entity tag.
func describe(h http.Header, key string, meta layout.Meta) {
	o := layout.ObjectOf(key)
	h.Set("Content-Type", o.ContentType)
	h.Set("Cache-Control", o.CacheControl)
	if name := o.ContentDisposition(); name != "" {
		h.Set("Content-Disposition", name)
	}
	h.Set("X-Content-Type-Options", "nosniff")
	if tag := etag(meta.Version); tag != "" {
		h.Set("ETag", tag)
	}
}

// privately returns a Cache-Control value that keeps shared caches from storing the response.
func privately(cacheControl string) string {
	rules := []string{"private"}
	for rule := range strings.SplitSeq(cacheControl, ", ") {
		if rule != "public" && !strings.HasPrefix(rule, "s-maxage=") {
			rules = append(rules, rule)
		}
	}
	return strings.Join(rules, ", ")
}

// unchanged reports whether a client has an object already (RFC 9110, section 13.2.2).
func unchanged(h http.Header, meta layout.Meta) bool {
	if tags := h.Get("If-None-Match"); tags != "" {
		ours := etag(meta.Version)
		for tag := range strings.SplitSeq(tags, ",") {
			if tag = strings.TrimSpace(tag); tag == "*" || ours != "" && strings.TrimPrefix(tag, "W/") == ours {
				return true
			}
		}
		return false
	}
	since, err := http.ParseTime(h.Get("If-Modified-Since"))
	dated := !meta.Modified.IsZero() && !meta.Modified.Equal(time.Unix(0, 0)) // as http.ServeContent has it
	return err == nil && dated && !meta.Modified.Truncate(time.Second).After(since)
}

// etag returns the entity tag of a version, which may have its quotes already, or "" if the version
// has none (RFC 9110, section 8.8.3).
func etag(v layout.Version) string {
	bare := strings.Trim(string(v), `"`)
	if bare == "" || strings.ContainsFunc(bare, func(r rune) bool { return r <= ' ' || r == '"' || r >= 0x7f }) {
		return ""
	}
	return `"` + bare + `"`
}

// A seekableForward is a body with a Seek that only moves forward, as http.ServeContent needs it: to measure
// the size before the first Read, and to skip to the start of a range.
type seekableForward struct {
	body io.Reader
	size int64
	next int64 // offset of the next Read
	at   int64 // offset of body
	err  error // of body, including io.EOF before size
}

// Seek implements io.Seeker.
func (f *seekableForward) Seek(offset int64, whence int) (int64, error) {
	switch whence {
	case io.SeekCurrent:
		offset += f.next
	case io.SeekEnd:
		offset += f.size
	}
	if offset < f.at {
		return f.next, errors.New("seek backwards")
	}
	f.next = offset
	return offset, nil
}

// Read implements io.Reader.
func (f *seekableForward) Read(p []byte) (n int, err error) {
	if f.body == nil {
		f.err = errors.New("there is no body")
		return 0, f.err
	}
	if f.at < f.next {
		skipped, err := io.CopyN(io.Discard, f.body, f.next-f.at)
		if f.at += skipped; err != nil {
			f.err = err
			return 0, err
		}
	}
	n, err = f.body.Read(p)
	f.at += int64(n)
	f.next = f.at
	if err != nil && (err != io.EOF || f.at < f.size) {
		f.err = err
	}
	return n, err
}

// A statusWriter records the status of a response.
type statusWriter struct {
	http.ResponseWriter
	status int
}

// WriteHeader implements http.ResponseWriter.
func (w *statusWriter) WriteHeader(status int) {
	w.status = status
	w.ResponseWriter.WriteHeader(status)
}
