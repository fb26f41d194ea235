package gcs

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io/fs"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"cloud.google.com/go/storage"
	"google.golang.org/api/googleapi"

	"repomill/schemas/catalog"
	"repomill/schemas/layout"
)

// The metadata keys of an upload that came in a session: what was declared when it began.
const (
	sizeKey   = "repomill-size"
	sha256Key = "repomill-sha256"
	untilKey  = "repomill-until" // RFC 3339
)

// Begin opens a session under a name that must be free, and returns its URL. Who has that may store one object under the
// name, for a week and without credentials, and nothing else: its metadata is fixed here, and the name has to be free when
// the object is complete, too. Google compares the size and the CRC32C; [Staging.Open] compares the size, the SHA-256 and
// the time. If the name is taken, the error is fs.ErrExist; but Google may say so only when the object is complete.
func (s *Staging) Begin(ctx context.Context, object string, d catalog.Declared, by catalog.Pusher) (sessionURL string, err error) {
	if !validName(object) {
		return "", fmt.Errorf("stage %.200q: no object can have this name: %w", object, fs.ErrInvalid)
	}
	metadata := metadataOf(by)
	metadata[sizeKey], metadata[sha256Key], metadata[untilKey] = strconv.FormatInt(d.Size, 10), d.SHA256, d.Until.UTC().Format(time.RFC3339)
	contentType := layout.ObjectOf(object).ContentType
	body, err := json.Marshal(struct {
		Name        string            `json:"name"`
		ContentType string            `json:"contentType,omitempty"`
		CRC32C      string            `json:"crc32c,omitempty"`
		Metadata    map[string]string `json:"metadata"`
	}{object, contentType, d.CRC32C, metadata})
	if err != nil {
		return "", err
	}
	w := watch(ctx, s.stall)
	defer w.stop()
	query := url.Values{"uploadType": {"resumable"}, "ifGenerationMatch": {"0"}, "name": {object}}
	req, err := http.NewRequestWithContext(w, http.MethodPost, s.base+"/upload/storage/v1/b/"+url.PathEscape(s.name)+"/o?"+query.Encode(), bytes.NewReader(body))
	if err != nil {
		return "", err
	}
	req.Header.Set("Content-Type", "application/json; charset=UTF-8")
	req.Header.Set("X-Upload-Content-Length", metadata[sizeKey])
	if contentType != "" {
		req.Header.Set("X-Upload-Content-Type", contentType)
	}
	resp, err := s.http.Do(req)
	if err == nil {
		defer resp.Body.Close()
		err = googleapi.CheckResponse(resp)
	}
	switch {
	case hasCode(err, http.StatusPreconditionFailed):
		return "", fmt.Errorf("stage %s: %w", object, fs.ErrExist)
	case err != nil:
		return "", s.explain("begin to stage", object, "storage.objects.create", w.blame(err))
	case resp.Header.Get("Location") == "":
		return "", s.explain("begin to stage", object, "", fmt.Errorf("the store answers %s without the URL of a session", resp.Status))
	}
	return resp.Header.Get("Location"), nil
}

// Declared returns what was declared of an upload that came in a session; zero if it came without one.
func (s *Staging) Declared(ctx context.Context, u catalog.Upload) (catalog.Declared, error) {
	object, err := s.generation(u)
	if err != nil {
		return catalog.Declared{}, err
	}
	w := watch(ctx, s.stall)
	defer w.stop()
	attrs, err := object.Attrs(w)
	if err != nil {
		return catalog.Declared{}, s.readFault(u, w.blame(err))
	}
	return declaredOf(attrs), nil
}

// declaredOf returns what was declared of an object; zero if nothing was.
func declaredOf(attrs *storage.ObjectAttrs) (d catalog.Declared) {
	if d.SHA256 = attrs.Metadata[sha256Key]; d.SHA256 == "" {
		return d
	}
	d.CRC32C = crc32cOf(attrs.CRC32C)                               // of the bytes: Google has compared it with one that was declared
	d.Size, _ = strconv.ParseInt(attrs.Metadata[sizeKey], 10, 64)   // what is not there fits nothing
	d.Until, _ = time.Parse(time.RFC3339, attrs.Metadata[untilKey]) // the same
	return d
}

// checkDeclared returns what was declared of an object. The error is a *[catalog.Rejection] if its size or its time is
// another one.
func checkDeclared(attrs *storage.ObjectAttrs) (d catalog.Declared, err error) {
	d = declaredOf(attrs)
	switch {
	case d.SHA256 == "":
		return d, nil
	case attrs.Size != d.Size:
		return d, &catalog.Rejection{Reason: catalog.BadDigest, Detail: fmt.Sprintf(
			"the file that arrived has %d bytes, but %d were declared when its session began; push it again", attrs.Size, d.Size)}
	case attrs.Created.After(d.Until.Add(clockSkew)):
		return d, &catalog.Rejection{Reason: catalog.Late, Detail: fmt.Sprintf(
			"the file was complete at %s, but its session ended at %s; push it again", attrs.Created.UTC().Format(time.RFC3339), d.Until.UTC().Format(time.RFC3339))}
	}
	return d, nil
}

// clockSkew is how far the clocks of Google and of who begins sessions may differ.
const clockSkew = time.Minute
