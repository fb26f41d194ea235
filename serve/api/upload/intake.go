package upload

import (
	"crypto/sha256"
	"errors"
	"io"
	"net/http"
	"path"
	"time"

	"repomill/schemas/catalog"
	"repomill/serve/api"
)

// An Intake receives a package from a call of another door, in whose body the file is one part.
type Intake struct {
	h    *Handler
	w    http.ResponseWriter
	r    *http.Request
	by   api.Principal
	repo catalog.Repository
	key  string   // Idempotency-Key
	body received // all of it
	file received // the package in it
	free func()   // ends what limits count
	in   accepted
}

const (
	formRoom = 1 << 20  // how much larger than a package a body may be
	maxDrain = 64 << 20 // how much is read of a body that was refused, so that its sender reads the answer
)

// Take lets a call bring a package for a repository. It answers who may not push there, or has too much, before the body is
// read; else call reads the body and answers. Of both, the error is the answer; when call returns one, nothing is kept.
func (h *Handler) Take(w http.ResponseWriter, r *http.Request, p api.Principal, repo catalog.Repository, call func(http.ResponseWriter, *Intake) error) error {
	start, a := h.Now(), &answering{ResponseWriter: w}
	in := &Intake{h: h, w: a, r: r, by: p, repo: repo}
	err := in.admit()
	if err == nil {
		defer in.free()
		if err = call(a, in); err != nil {
			io.Copy(io.Discard, io.LimitReader(&in.body, maxDrain)) //nolint:errcheck // it is refused
			w.Header().Set("Connection", "close")
		}
	}
	if h.Observe != nil {
		status := a.status
		if e := (*api.Error)(nil); errors.As(err, &e) {
			status = e.Status
		}
		h.Observe(Answer{Call: "upload", Status: status, Bytes: in.body.n, Took: h.Now().Sub(start)})
	}
	return err
}

// admit decides by what a request says before its body.
func (in *Intake) admit() error {
	if err := api.Authorize(in.by, api.Push, in.repo); err != nil {
		return err
	}
	refused := parseEncoding(in.r.Header)
	if refused == nil {
		in.key, refused = parseKey(in.r.Header)
	}
	want, err := digestOf(http.Header{checksumHeader: in.r.Header.Values(checksumHeader)}) // others are of the whole body
	if refused == nil && err != nil {
		refused = refuse("digest", "%s", err)
	}
	if refused == nil {
		if refused = in.h.fits(max(in.r.ContentLength-formRoom, min(in.r.ContentLength, 1))); refused != nil && refused.field != "" {
			refused.field = fileField
		}
	}
	if refused != nil {
		return refused.answer(in.w)
	}
	if in.free, err = in.h.Gate.Limits.Upload(in.by); err != nil {
		return err
	}
	limits := in.h.Limits
	in.file = received{began: in.h.Now(), limits: limits, now: in.h.Now, want: want, hash: sha256.New()}
	limits.MaxSize += formRoom
	in.body = received{body: in.r.Body, conn: http.NewResponseController(in.w), limits: limits, now: in.h.Now}
	in.h.sweep()
	return nil
}

// Body returns the body of the request. It ends with an error if it arrives too slowly or is too large.
func (in *Intake) Body() io.Reader { return &in.body }

// Broken returns the answer if the body of the request is what went wrong, and else what did.
func (in *Intake) Broken(err error) error {
	if refused := in.body.refusal(); refused != nil {
		return refused.answer(in.w)
	}
	return err
}

// A File is a package in the body of a call.
type File struct {
	Name         string // the caller's
	Body         io.Reader
	Distribution catalog.Distribution // where it goes, if that was said before it

	// Rest is called after the end of Body. It reads the rest of the call's body, and returns where the package goes. Its error
	// is the answer.
	Rest func() (catalog.Distribution, error)
}

// Store puts a package into staging. It is there when all of the call's body has arrived; nothing of it is, if the error is
// not nil, which then is the answer.
func (in *Intake) Store(f File) error {
	if refused := checkName(f.Name); refused != nil {
		return refused.answer(in.w)
	}
	in.file.body = f.Body
	store := in.direct
	if f.Distribution == (catalog.Distribution{}) {
		store = in.hidden
	}
	u, sum, refused := store(f)
	if refused != nil {
		if e := (*api.Error)(nil); errors.As(in.file.err, &e) {
			return in.Broken(e)
		}
		return in.Broken(refused.answer(in.w))
	}
	in.in = accepted{u, sum}
	return nil
}

// checkName refuses, before they arrive, files that can be no packages. Some clients call every file by a random word: one
// without an ending is a package of its distribution's format, or the worker refuses it.
func checkName(file string) *refusal {
	if err := checkFile(file); err != nil {
		return refuse(fileField, "%s", err)
	}
	if ext := path.Ext(file); ext != "" && formats[ext] == "" {
		refused := refuse(fileField, "%q ends in none of .deb, .ddeb and .rpm: packages of other formats are not supported", file)
		refused.reason = catalog.WrongFormat
		return refused
	}
	return nil
}

// fileField is the field of answers about a file.
const fileField = "package_file"

// direct stores a package whose place is known.
func (in *Intake) direct(f File) (u catalog.Upload, sum string, refused *refusal) {
	req, refused := in.place(f.Distribution, f.Name)
	if refused != nil {
		return u, "", refused
	}
	in.file.end = func() error {
		_, err := in.rest(f)
		return err
	}
	return in.h.store(in.r, req, in.by, &in.file)
}

// rest reads what is behind a file, and returns where that goes.
func (in *Intake) rest(f File) (catalog.Distribution, error) {
	if in.file.n == 0 {
		refused := refuse(fileField, "the file is empty")
		refused.reason = catalog.Empty
		return catalog.Distribution{}, refused.answer(in.w)
	}
	return f.Rest()
}

// place returns the request of an upload to a distribution.
func (in *Intake) place(d catalog.Distribution, file string) (req request, refused *refusal) {
	req = request{digest: in.file.want, retriable: in.key != ""}
	if path.Ext(file) == "" {
		distro, rej := in.h.Table.Lookup(d)
		if rej != nil {
			return req, refuseFor(rej)
		}
		file += "." + string(distro.Format)
	}
	folders := []string{in.repo.Owner, in.repo.Name, d.OS, d.Version}
	how, refused := parseHow(in.r.Header)
	if refused != nil {
		return req, refused
	}
	if req.at, req.object, refused = placeOf(folders, file, how, pushID(in.by.ID, in.key), in.h.Table); refused != nil && refused.field == "path" {
		refused.field = fileField
	}
	return req, refused
}

// Await returns what is known of the package when its verdict is there, or when a wait is over.
func (in *Intake) Await(wait time.Duration) Report {
	in.free()
	in.h.allowWait(in.w)
	report := in.h.settled(in.r.Context(), in.in, wait)
	in.w.Header().Set("Location", report.URL)
	if report.Reason != "" {
		in.w.Header().Set(reasonHeader, string(report.Reason))
	}
	return report
}
