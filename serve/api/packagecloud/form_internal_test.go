package packagecloud

import (
	"bytes"
	"io"
	"mime/multipart"
	"net/http"
	"strings"
	"testing"
	"testing/iotest"
)

// readForm returns the file and the id of a form, as a push reads it.
func readForm(contentType string, body io.Reader) (name, file, id string, err error) {
	f, err := newForm(http.Header{"Content-Type": {contentType}}, body)
	if err != nil {
		return "", "", "", err
	}
	first, err := f.next()
	if err != nil || first == nil {
		return "", "", "", err
	}
	b, err := io.ReadAll(first)
	if err != nil {
		return "", "", "", err
	}
	if _, err := f.next(); err != nil {
		return "", "", "", err
	}
	if f.id != nil {
		id = *f.id
	}
	return first.name, string(b), id, nil
}

// A file of any size and any bytes arrives as it is, however the network cuts it.
func TestFormKeepsBytes(t *testing.T) {
	for _, size := range []int{0, 1, 4094, 4095, 4096, 4097, 8191, 70_000, 300_000} {
		for _, fill := range []string{"x", "\r\n", "\r\n--b", "a--b--"} {
			want := strings.Repeat(fill, size/len(fill)+1)[:size]
			if strings.HasPrefix(fill, "\r\n") { // which must not be the boundary
				want = strings.ReplaceAll(want, "--b", "--a")
			}
			body := "--b\r\nContent-Disposition: form-data; name=\"package[package_file]\"; filename=\"a.deb\"\r\n\r\n" + want + "\r\n--b\r\nContent-Disposition: form-data; name=\"package[distro_version_id]\"\r\n\r\n237\r\n--b--"
			for cut, r := range map[string]io.Reader{"whole": strings.NewReader(body), "halves": iotest.HalfReader(strings.NewReader(body)), "with its end": iotest.DataErrReader(strings.NewReader(body))} {
				if _, got, id, err := readForm("multipart/form-data; boundary=b", r); got != want || id != "237" || err != nil {
					t.Errorf("%d of %q, %s: got %d bytes, id %q, %v", size, fill, cut, len(got), id, err)
				}
			}
		}
	}
}

// FuzzForm compares what is read of a form with what the standard library reads of it in memory.
func FuzzForm(f *testing.F) {
	head := "--b\r\nContent-Disposition: form-data; name=\"package[package_file]\"; filename=\"a.deb\"\r\n\r\n"
	id := "--b\r\nContent-Disposition: form-data; name=\"package[distro_version_id]\"\r\n\r\n237\r\n"
	for _, seed := range []string{head + "x\r\n" + id + "--b--\r\n", id + head + "x\r\n--b--", "", "--b--", head + "x", head + "\r\n--b\r\n\r\n\r\n--b--", "preamble\r\n" + head + "\r\n\r\n--b--epilogue"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		name, file, got, err := readForm("multipart/form-data; boundary=b", bytes.NewReader(body))
		if err != nil || name == "" {
			return
		}
		if strings.ContainsAny(name, `/\`) {
			t.Errorf("the name is %q", name)
		}
		whole, err := multipart.NewReader(bytes.NewReader(append(body, "\r\n"...)), "b").ReadForm(1 << 20)
		if err != nil {
			return // stricter, such as about the encoding of parts that are left out
		}
		defer whole.RemoveAll()
		if ids := whole.Value[idField]; len(ids) > 1 || len(ids) == 1 && strings.TrimSpace(ids[0]) != got {
			t.Errorf("the id is %q, but %q", got, ids)
		}
		files := whole.File[fileField]
		if len(files) == 0 {
			t.Fatalf("there is no file, but %q was read", file)
		}
		r, err := files[0].Open()
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		if b, err := io.ReadAll(r); string(b) != file || err != nil {
			t.Errorf("the file is %q, but %q, %v", file, b, err)
		}
	})
}
