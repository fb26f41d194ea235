package upload

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"time"

	"repomill/schemas/catalog"
	"repomill/serve/api"
)

// Sessions is what a [Staging] may have besides: it takes a file from a client that has no credentials for it.
type Sessions interface {
	// Begin returns the URL to which one file can be sent, as it was declared, under a name that must be free. If it is
	// taken, the error is fs.ErrExist; if it is taken later, the file is refused where it is sent.
	Begin(ctx context.Context, object string, d catalog.Declared, by catalog.Pusher) (sessionURL string, err error)

	// Declared returns what was declared of an upload that came in a session; zero if it came without one.
	Declared(ctx context.Context, u catalog.Upload) (catalog.Declared, error)
}

// A Begun is the answer to who begins a session.
type Begun struct {
	ID      string  `json:"id"`
	URL     string  `json:"url"` // of the upload, which is there when all of the file is
	Session Session `json:"session"`
}

// A Session is where a file is sent.
type Session struct {
	URL   string    `json:"url"`   // a secret: who has it may send the file
	Chunk int64     `json:"chunk"` // in bytes; each request but the last has as much
	Until time.Time `json:"until"` // when the file has to be complete
}

const (
	// sessionTime is how long a session is open. Cloud Storage would leave it open for a week; the worker rejects what is
	// complete later than this.
	sessionTime  = 24 * time.Hour
	sessionChunk = 8 << 20
	maxDeclared  = 4 << 10 // of the body that begins a session, in bytes
)

// session begins a session in which a file passes the API by. The caller is checked now, and what it may send is fixed: a
// session takes one file with the size and the SHA-256 that are declared, at one place.
func (h *Handler) session(w http.ResponseWriter, r *http.Request, p api.Principal) error {
	req, refused := parse(r, p.ID, h.Table)
	if refused != nil {
		return refused.answer(w)
	}
	if err := api.Authorize(p, api.Push, req.at.Repository); err != nil {
		return err
	}
	if h.sessions == nil {
		return noSessions
	}
	if err := h.begins.Request(p); err != nil {
		return err
	}
	d, refused := declaredIn(w, r)
	if refused == nil {
		refused = h.fits(d.Size)
	}
	if refused != nil {
		return refused.answer(w)
	}
	d.Until = h.Now().Add(sessionTime).UTC().Truncate(time.Second)
	there, url, err := h.begin(r, req, d, p)
	switch {
	case err != nil:
		return down("session", err).answer(w)
	case url == "":
		return h.sameDeclared(w, r, req, there, d)
	}
	id := idOf(req.object)
	api.WriteJSON(w, http.StatusCreated, Begun{ID: id, URL: h.PublicURL + VerdictPath + id, Session: Session{URL: url, Chunk: sessionChunk, Until: d.Until}})
	return nil
}

var noSessions = &api.Error{Status: http.StatusNotImplemented, Message: "staging of this server has no sessions: send the file itself, with PUT and without ?session"}

// begin begins a session, or returns what is in staging under its name.
func (h *Handler) begin(r *http.Request, req request, d catalog.Declared, p api.Principal) (there catalog.Upload, url string, err error) {
	there, err = h.Staging.Stat(r.Context(), req.object)
	if !errors.Is(err, fs.ErrNotExist) {
		return there, "", err
	}
	by := catalog.Pusher{User: p.Name, Job: cmp.Or(p.Job, r.Header.Get("Repomill-Job"))}
	url, err = h.sessions.Begin(r.Context(), req.object, d, by)
	switch {
	case errors.Is(err, fs.ErrExist):
		there, err = h.Staging.Stat(r.Context(), req.object)
		return there, "", err
	case err != nil:
		return there, "", err
	}
	h.Log.Info("upload session begun", "object", req.object, "size", d.Size, "sha256", d.SHA256, "until", d.Until, "by", by.User, "principal", p.ID, "job", by.Job)
	return there, url, nil
}

// sameDeclared answers a session whose place in staging is taken, by an earlier one or by an upload. What is there is the
// same if its size is, and the SHA-256 that it was declared with or, without a session, has.
func (h *Handler) sameDeclared(w http.ResponseWriter, r *http.Request, req request, there catalog.Upload, d catalog.Declared) error {
	was, err := h.sessions.Declared(r.Context(), there)
	if err == nil && was.SHA256 == "" {
		var sum []byte
		sum, err = h.stored(r.Context(), there)
		was.SHA256 = hex.EncodeToString(sum)
	}
	switch {
	case err != nil:
		return down("compare", err).answer(w)
	case there.Size != d.Size || was.SHA256 != d.SHA256:
		return refuse("idempotency_key", "another file was sent under this Idempotency-Key: it has %d bytes and the SHA-256 %s; use another key", there.Size, was.SHA256).answer(w)
	}
	h.allowWait(w)
	return h.accepted(w, r, accepted{there, d.SHA256}, req.wait)
}

// declaredIn reads what a caller says of the file that is to come.
func declaredIn(w http.ResponseWriter, r *http.Request) (d catalog.Declared, refused *refusal) {
	var body struct {
		Size   int64  `json:"size"`
		SHA256 string `json:"sha256"`
		CRC32C string `json:"crc32c"`
	}
	text, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxDeclared))
	if err == nil {
		err = json.Unmarshal(text, &body)
	}
	if err != nil {
		return d, &refusal{status: http.StatusBadRequest, message: `what the file will be cannot be read: send {"size": BYTES, "sha256": "64 HEXADECIMAL DIGITS"}, and "crc32c": "BASE64" if it is known`}
	}
	sum, err := hex.DecodeString(body.SHA256)
	if err != nil || len(sum) != sha256.Size {
		return d, refuse("sha256", "a session needs the SHA-256 of the file, as 64 hexadecimal digits")
	}
	if crc, err := base64.StdEncoding.Strict().DecodeString(body.CRC32C); err != nil || len(crc) != 4 && body.CRC32C != "" {
		return d, refuse("crc32c", "the CRC32C cannot be read: send the base64 of its four bytes, the highest first, as Cloud Storage writes it")
	}
	if body.Size < 0 {
		return d, refuse("size", "a session needs the size of the file in bytes")
	}
	return catalog.Declared{Size: body.Size, SHA256: fmt.Sprintf("%x", sum), CRC32C: body.CRC32C}, nil
}
