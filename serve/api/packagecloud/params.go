package packagecloud

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strings"

	"repomill/serve/api"
)

// maxForm is how much is read of a form: a key has a mebibyte at most.
const maxForm = 2 << 20

// params are the fields of a body, as "repository[name]": those of JSON, of a form, or of a form with files. Those of the
// query count, too, where the body lacks them. The error is the answer.
func (c call) params() (url.Values, error) {
	c.Body = http.MaxBytesReader(c.w, c.Body, maxForm)
	kind, _, _ := mime.ParseMediaType(c.Header.Get("Content-Type"))
	var err error
	switch kind {
	case "application/json":
		return c.jsonParams()
	case "multipart/form-data":
		err = c.ParseMultipartForm(maxForm) // of which nothing goes to a file
	default:
		err = c.ParseForm()
	}
	if err == nil {
		err = c.addFiles()
	}
	if err != nil {
		return nil, badBody(err)
	}
	return c.Form, nil
}

// addFiles makes the files of a form fields.
func (c call) addFiles() error {
	if c.MultipartForm == nil {
		return nil
	}
	for name, files := range c.MultipartForm.File {
		f, err := files[0].Open()
		if err != nil {
			return err
		}
		b, err := io.ReadAll(f)
		f.Close()
		if err != nil {
			return err
		}
		c.Form.Set(name, string(b))
	}
	return nil
}

func (c call) jsonParams() (url.Values, error) {
	fields := map[string]any{}
	dec := json.NewDecoder(c.Body)
	dec.UseNumber()
	if err := dec.Decode(&fields); err != nil {
		return nil, badBody(err)
	}
	all := c.URL.Query()
	flatten(all, "", fields)
	return all, nil
}

// flatten adds the fields of objects in objects, as a form has them. Lists are left out: no call has one.
func flatten(all url.Values, within string, fields map[string]any) {
	for name, v := range fields {
		if within != "" {
			name = within + "[" + name + "]"
		}
		switch v := v.(type) {
		case map[string]any:
			flatten(all, name, v)
		case string, bool, json.Number:
			all.Set(name, fmt.Sprint(v))
		}
	}
}

func badBody(err error) error {
	var large *http.MaxBytesError
	if errors.As(err, &large) {
		return &api.Error{Status: http.StatusRequestEntityTooLarge, Message: fmt.Sprintf("the body has more than %d bytes", maxForm)}
	}
	return api.Invalid("body", "cannot be read as what Content-Type says: "+strings.ToValidUTF8(err.Error(), "?"))
}

// first returns the first field that a body has, without blanks around it.
func first(p url.Values, names ...string) string {
	for _, name := range names {
		if v := strings.TrimSpace(p.Get(name)); v != "" {
			return v
		}
	}
	return ""
}
