package upload

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"path"
	"strconv"
	"strings"
	"time"
	"unicode"

	"repomill/schemas/catalog"
	"repomill/schemas/layout"
	"repomill/serve/api"
)

// A request is what an upload says of itself before its body is read.
type request struct {
	object    string // staging key
	at        layout.Staged
	digest    []byte // SHA-256 of the body, as declared; nil if it is not
	wait      time.Duration
	retriable bool // it has an Idempotency-Key, so that the object may be there
}

// A refusal is the answer to a request that cannot be served.
type refusal struct {
	status  int
	field   string // of 422
	reason  catalog.Reason
	message string
	cause   error // for the log, of what is the server's fault
}

// reasonHeader has the stable name of the cause of a refusal, for programs.
const reasonHeader = "Repomill-Reason"

// answer returns the error that the gate answers with, and sets the header field beside it.
func (f *refusal) answer(w http.ResponseWriter) error {
	if f.reason != "" {
		w.Header().Set(reasonHeader, string(f.reason))
	}
	e := &api.Error{Status: f.status, Message: f.message, Cause: f.cause}
	switch f.status {
	case http.StatusUnprocessableEntity:
		e.Fields = map[string][]string{f.field: {f.message}}
	case http.StatusServiceUnavailable:
		e.RetryAfter = retryAfter
	}
	return e
}

// retryAfter is when a caller may try again while something does not work.
const retryAfter = 5 * time.Second

func refuse(field, format string, args ...any) *refusal {
	f := &refusal{status: http.StatusUnprocessableEntity, field: field, message: fmt.Sprintf(format, args...)}
	if field == "path" {
		f.reason = catalog.BadPath
	}
	return f
}

func refuseFor(rej *catalog.Rejection) *refusal {
	field := "path"
	switch rej.Reason {
	case catalog.UnknownDistribution:
		field = "distribution"
	case catalog.UnknownRepository:
		field = "repository"
	case catalog.UnknownComponent:
		field = "component"
	}
	return &refusal{status: http.StatusUnprocessableEntity, field: field, reason: rej.Reason, message: rej.Detail}
}

// parse reads the path and the header fields of an upload.
func parse(r *http.Request, principal string, table *layout.Table) (req request, refused *refusal) {
	if refused := parseEncoding(r.Header); refused != nil {
		return req, refused
	}
	key, refused := parseKey(r.Header)
	if refused != nil {
		return req, refused
	}
	how, refused := parseHow(r.Header)
	if refused != nil {
		return req, refused
	}
	if req.at, req.object, refused = parsePlace(r.URL.EscapedPath(), how, pushID(principal, key), table); refused != nil {
		return req, refused
	}
	req.retriable = key != ""
	var err error
	if req.digest, err = digestOf(r.Header); err != nil {
		return req, refuse("digest", "%s", err)
	}
	if req.wait, err = waitOf(r); err != nil {
		return req, refuse("wait", "%s", err)
	}
	return req, nil
}

func parseKey(h http.Header) (key string, refused *refusal) {
	key = h.Get("Idempotency-Key")
	if len(h.Values("Idempotency-Key")) > 1 || len(key) > 255 || !printable(key) {
		return "", refuse("idempotency_key", "Idempotency-Key: use one value of at most 255 printable characters")
	}
	return key, nil
}

// A hold is the release train that a package is to be held for, and whether that is under embargo. The zero value is none.
type hold struct {
	train   string
	embargo bool
}

// parseTrain returns what a package is to be held for.
func parseTrain(header http.Header) (h hold, refused *refusal) {
	const field, embargoField = "Repomill-Train", "Repomill-Embargo"
	if values := header.Values(field); len(values) > 0 {
		h.train = values[0]
		if err := layout.CheckTrain(h.train); err != nil || len(values) > 1 {
			return hold{}, refuse("train", "%s: use one value: 1 to 64 letters, digits and any of . - _ +, the first one a letter or digit", field)
		}
	}
	if values := header.Values(embargoField); len(values) > 0 {
		if h.embargo = len(values) == 1 && values[0] == "yes"; !h.embargo || h.train == "" {
			return hold{}, refuse("embargo", "%s: its one value is yes, beside %s", embargoField, field)
		}
	}
	return h, nil
}

// A manner is how a package is pushed, besides where to.
type manner struct {
	hold
	ifAbsent bool // it replaces nothing
}

// staged returns the key of a file in staging.
func (m manner) staged(folders []string, id, file string) string {
	folder := strings.Join(folders, "/") + "/"
	if m.ifAbsent {
		return folder + layout.StagedIfAbsentName(id, file)
	}
	object := folder + layout.StagedTrainName(id, m.train, file)
	if m.embargo {
		object = layout.EmbargoedStaging(object)
	}
	return object
}

func parseHow(h http.Header) (how manner, refused *refusal) {
	const field = "Repomill-If-Absent"
	if how.hold, refused = parseTrain(h); refused != nil {
		return how, refused
	}
	switch values := h.Values(field); {
	case len(values) > 1 || len(values) == 1 && values[0] != "true" && values[0] != "false":
		return how, refuse("if_absent", "%s: use true, or leave it out", field)
	case len(values) == 1:
		how.ifAbsent = values[0] == "true"
	}
	if how.ifAbsent && how.train != "" {
		return how, refuse("if_absent", "%s and Repomill-Train: use one of them; a train takes the place of what is published", field)
	}
	return how, nil
}

// parseEncoding refuses bodies that are not the package itself.
func parseEncoding(h http.Header) *refusal {
	if e := h.Get("Content-Encoding"); e != "" && !strings.EqualFold(e, "identity") {
		return &refusal{status: http.StatusUnsupportedMediaType, message: "send the package as it is, without Content-Encoding"}
	}
	if h.Get("Content-Range") != "" {
		return &refusal{status: http.StatusBadRequest, message: "a part of a file cannot be uploaded: send all of it, without Content-Range (curl: without -C)"}
	}
	return nil
}

// formats are the formats of packages by the end of their names.
var formats = map[string]catalog.Format{".deb": catalog.DEB, ".ddeb": catalog.DEB, ".rpm": catalog.RPM}

// parsePlace reads the path of an upload. Slashes are as they were sent: one that is encoded is a character of a name,
// and no name may have it.
func parsePlace(escaped string, how manner, id string, table *layout.Table) (at layout.Staged, object string, refused *refusal) {
	parts := strings.Split(escaped, "/")
	for i := range parts {
		part, err := url.PathUnescape(parts[i])
		if err != nil || strings.Contains(part, "/") {
			return at, "", refuse("path", "path %.200q: use %sOWNER/NAME/OS/VERSION/[COMPONENT/]FILE, with no encoded slash", escaped, ReceivePath)
		}
		parts[i] = part
	}
	const before = 4 // "", "api", "v1", "upload"
	if len(parts) <= before || strings.Join(parts[:before], "/")+"/" != ReceivePath {
		return at, "", &refusal{status: http.StatusNotFound, message: nothingHere.Message}
	}
	folders, file := parts[before:len(parts)-1], parts[len(parts)-1]
	if file == "" {
		return at, "", refuse("path", "path %.200q has no file name at its end: use curl -T FILE, which appends it after a slash", escaped)
	}
	return placeOf(folders, file, how, id, table)
}

// placeOf returns the staging key of a file in a folder.
func placeOf(folders []string, file string, how manner, id string, table *layout.Table) (at layout.Staged, object string, refused *refusal) {
	if err := checkFile(file); err != nil {
		return at, "", refuse("path", "%s", err)
	}
	object = how.staged(folders, id, file)
	at, rej := layout.ParseStaging(object)
	format := formats[path.Ext(file)]
	switch {
	case rej != nil && len(folders) == 3 && format == "":
		refused = refuseFor(rej)
		refused.message += "; end the URL with a slash, so that curl -T appends the name of the file"
		return at, "", refused
	case rej != nil:
		return at, "", refuseFor(rej)
	case format == "":
		return at, "", refuse("path", "%q ends in none of .deb, .ddeb and .rpm: if it is a component, end the URL with a slash, so that curl -T appends the name of the file", file)
	}
	distro, rej := table.Lookup(at.Distribution)
	if rej != nil {
		return at, "", refuseFor(rej)
	}
	if format != distro.Format {
		refused = refuse("path", "%s is named as a package of the format %s, but %s takes %s", file, format, at.Distribution, distro.Format)
		refused.reason = catalog.WrongFormat
		return at, "", refused
	}
	return at, object, nil
}

// checkFile refuses names that an upload cannot have.
func checkFile(file string) error {
	switch {
	case strings.HasPrefix(file, "."):
		return fmt.Errorf("file name %.100q: names that begin with a dot are ignored in staging; rename the file", file)
	case file == "" || strings.Contains(file, "/") || !printable(file):
		return fmt.Errorf("file name %.100q: use printable characters, and no slash", file)
	}
	return nil
}

func printable(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) || r == unicode.ReplacementChar })
}

// waitOf returns how long a caller wants to wait for a verdict: who uses curl by hand does, if nothing else is said. The
// longest wait is maxWait.
func waitOf(r *http.Request) (time.Duration, error) {
	query, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return 0, errors.New("the query of the URL cannot be read: use ?wait=30s")
	}
	if !query.Has("wait") {
		if r.Method == http.MethodPut && strings.HasPrefix(r.UserAgent(), "curl/") && !strings.Contains(r.Header.Get("Prefer"), "respond-async") {
			return curlWait, nil
		}
		return 0, nil
	}
	text := query.Get("wait")
	wait, err := time.ParseDuration(text)
	if err != nil {
		var seconds uint64
		seconds, err = strconv.ParseUint(text, 10, 16)
		wait = time.Duration(seconds) * time.Second //nolint:gosec // of 16 bits
	}
	if err != nil || wait < 0 {
		return 0, fmt.Errorf("wait %.40q: use a time such as 30s", text)
	}
	return min(wait, maxWait), nil
}
