package packagecloud

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"strings"

	"repomill/serve/api"
)

// The fields of a push that are read. Others that are small are left out, as browsers and clients send some.
const (
	fileField   = "package[package_file]"
	idField     = "package[distro_version_id]"
	sourceField = "package[source_files][]"
)

const (
	maxParts  = 100
	maxOther  = 64 << 10  // bytes of a form besides its files
	maxID     = 100       // bytes of the number or name of a distribution
	readAhead = 256 << 10 // of the body: a form is looked through in small steps
)

// noSources answers a push of a source package, and already the question for its files that clients ask before.
const noSources = "source packages (.dsc) are not supported yet: push what is built of them"

// A form is the multipart/form-data body of a push (RFC 7578), read once, in order, and never held in memory.
type form struct {
	parts  *multipart.Reader
	around *around
	count  int
	id     *string // of the distribution, once it was sent
}

// newForm reads the form of a request from its body.
func newForm(h http.Header, body io.Reader) (*form, error) {
	kind, params, err := mime.ParseMediaType(h.Get("Content-Type"))
	if err != nil || kind != "multipart/form-data" || params["boundary"] == "" {
		return nil, &api.Error{Status: http.StatusUnsupportedMediaType,
			Message: "send the package as multipart/form-data, as package_cloud push does, and curl -F '" + fileField + "=@FILE' -F '" + idField + "=NUMBER'"}
	}
	a := &around{r: bufio.NewReaderSize(body, readAhead), left: maxOther, end: "\r\n"}
	return &form{parts: multipart.NewReader(a, params["boundary"]), around: a}, nil
}

// An around is a body of which little may be besides files. It ends with io.ErrUnexpectedEOF, so that io.EOF of a form means
// that its last boundary was read; behind that may be nothing, which counts as a line.
type around struct {
	r      io.Reader
	inFile bool
	left   int
	end    string // what is left of the line
	err    error
}

var errAround = errors.New("the form has too much besides its file")

// Read implements [io.Reader].
func (a *around) Read(p []byte) (int, error) {
	if !a.inFile {
		if a.left <= 0 {
			a.err = errAround
			return 0, a.err
		}
		p = p[:min(len(p), a.left)]
	}
	n, err := a.r.Read(p)
	if n > 0 && errors.Is(err, io.EOF) {
		err = nil // it is there again
	}
	switch {
	case errors.Is(err, io.EOF) && a.end == "":
		return 0, io.ErrUnexpectedEOF
	case errors.Is(err, io.EOF):
		n, err = copy(p, a.end), nil
		a.end = a.end[n:]
	}
	if !a.inFile {
		a.left -= n
	}
	return n, err
}

// A formFile is the part of a form that has a package.
type formFile struct {
	name string
	part *multipart.Part
	form *form
}

// Read implements [io.Reader]. It fills p: the parts come in small pieces.
func (f *formFile) Read(p []byte) (n int, err error) {
	f.form.around.inFile = true
	for n < len(p) && err == nil {
		var m int
		m, err = f.part.Read(p[n:])
		n += m
	}
	f.form.around.inFile = false
	return n, err
}

// next reads the form up to its next package, or to its end: then it returns nil. The error is the answer.
func (f *form) next() (*formFile, error) {
	for {
		part, err := f.parts.NextRawPart()
		if err == io.EOF { //nolint:errorlint // one that is wrapped says that the end is missing
			return nil, nil
		}
		if err != nil {
			return nil, f.malformed(err)
		}
		if f.count++; f.count > maxParts {
			return nil, f.malformed(fmt.Errorf("it has more than %d parts", maxParts))
		}
		file, err := f.read(part)
		if file != nil || err != nil {
			return file, err
		}
	}
}

// read reads a part that is not a package, or returns one that is.
func (f *form) read(part *multipart.Part) (*formFile, error) {
	kind, params, err := mime.ParseMediaType(part.Header.Get("Content-Disposition"))
	name := params["name"]
	if err != nil || kind != "form-data" || name == "" {
		return nil, f.malformed(errors.New("a part has no name"))
	}
	if file, ok := params["filename"]; ok {
		return f.file(part, name, file)
	}
	switch name {
	case fileField:
		return nil, api.Invalid("package_file", "this is a text, and not a file: use curl -F '"+fileField+"=@FILE', with @")
	case idField:
		if f.id != nil {
			return nil, api.Invalid(distributionField, "it is there twice: send one")
		}
		text, err := io.ReadAll(io.LimitReader(part, maxID+1))
		if err != nil {
			return nil, f.malformed(err)
		}
		if len(text) > maxID {
			return nil, api.Invalid(distributionField, "it is too long: send the number of a distribution, or OS/VERSION")
		}
		id := strings.TrimSpace(string(text))
		f.id = &id
	}
	if _, err := io.Copy(io.Discard, part); err != nil {
		return nil, f.malformed(err)
	}
	return nil, nil
}

// file returns a part as a package, if it can be one.
func (f *form) file(part *multipart.Part, name, file string) (*formFile, error) {
	switch encoding := part.Header.Get("Content-Transfer-Encoding"); {
	case name == sourceField || strings.HasSuffix(file, ".dsc"):
		return nil, api.Invalid("package_file", noSources)
	case name != fileField:
		return nil, api.Invalid("package_file", fmt.Sprintf("send the file as %s, and not as %.60q", fileField, name))
	case encoding != "" && !strings.EqualFold(encoding, "binary") && !strings.EqualFold(encoding, "8bit") && !strings.EqualFold(encoding, "7bit"):
		return nil, api.Invalid("package_file", fmt.Sprintf("send the file as it is, without Content-Transfer-Encoding %.40q", encoding))
	case strings.HasPrefix(strings.ToLower(part.Header.Get("Content-Type")), "multipart/"):
		return nil, api.Invalid("package_file", "send one file, and not a form within the form")
	}
	return &formFile{name: baseName(file), part: part, form: f}, nil
}

// baseName returns the last part of a path: some clients send that of the file on their disk.
func baseName(file string) string { return file[strings.LastIndexAny(file, `/\`)+1:] }

// malformed answers a form that cannot be read.
func (f *form) malformed(err error) error {
	if f.around.err != nil {
		err = f.around.err
	}
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		err = errors.New("it ends before its last boundary")
	}
	return &api.Error{Status: http.StatusBadRequest, Message: fmt.Sprintf("the form cannot be read: %.200s; nothing of it was kept", strings.TrimPrefix(err.Error(), "multipart: NextPart: "))}
}
