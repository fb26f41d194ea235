package check

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// A Tree opens published objects by their key, relative to the tree's root. Open may be called
// concurrently. For an absent object the error is [fs.ErrNotExist]. The caller closes the body.
type Tree interface {
	Open(ctx context.Context, name string) (io.ReadCloser, error)
}

// A sizer is a Tree that knows the size of a file, in bytes, without reading it. size returns -1 if it does not know
// that of a file.
type sizer interface {
	size(ctx context.Context, name string) (int64, error)
}

// Dir returns the tree in a folder. Links that lead out of it are not followed.
func Dir(path string) Tree { return dir(path) }

type dir string

func (d dir) Open(_ context.Context, name string) (io.ReadCloser, error) {
	f, _, err := d.open(name)
	return f, err
}

func (d dir) size(_ context.Context, name string) (int64, error) {
	f, info, err := d.open(name)
	if err != nil {
		return 0, err
	}
	return info.Size(), f.Close()
}

func (d dir) open(name string) (*os.File, fs.FileInfo, error) {
	if !fs.ValidPath(name) {
		return nil, nil, fmt.Errorf("open %q: %w", name, fs.ErrNotExist)
	}
	f, err := os.OpenInRoot(string(d), filepath.FromSlash(name))
	if err != nil {
		return nil, nil, plain(err)
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = fmt.Errorf("not a file: %w", fs.ErrNotExist)
	}
	if err != nil {
		_ = f.Close()
		return nil, nil, err
	}
	return f, info, nil
}

// plain removes the path from a file error: a problem names it already.
func plain(err error) error {
	if e, ok := errors.AsType[*fs.PathError](err); ok {
		return e.Err
	}
	return err
}

// URL returns the tree below a base URL. It follows redirects as clients do, except from https to
// http, which apt refuses. Credentials and signatures in URLs do not appear in errors.
// A nil client means [http.DefaultClient].
func URL(client *http.Client, base string) Tree {
	if client == nil {
		client = http.DefaultClient
	}
	c := *client
	c.CheckRedirect = func(req *http.Request, via []*http.Request) error {
		if req.URL.Scheme == "http" && via[len(via)-1].URL.Scheme == "https" {
			return errors.New("redirect from https to http, which apt refuses")
		}
		if client.CheckRedirect != nil {
			return client.CheckRedirect(req, via)
		}
		if len(via) > maxRedirects {
			return fmt.Errorf("more than %d redirects", maxRedirects)
		}
		return nil
	}
	return &web{client: &c, base: strings.TrimRight(base, "/")}
}

// maxRedirects is how many redirects dnf follows (librepo, handle.c).
const maxRedirects = 6

type web struct {
	client *http.Client
	base   string
}

func (w *web) Open(ctx context.Context, name string) (io.ReadCloser, error) {
	resp, err := w.get(ctx, name, "")
	if err != nil {
		return nil, err
	}
	if resp.StatusCode != http.StatusOK {
		_ = resp.Body.Close()
		return nil, &StatusError{resp.StatusCode}
	}
	return resp.Body, nil
}

// size requests the first byte with GET: a signed URL is often not valid for HEAD.
func (w *web) size(ctx context.Context, name string) (int64, error) {
	resp, err := w.get(ctx, name, "bytes=0-0")
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	switch resp.StatusCode {
	case http.StatusOK:
		return resp.ContentLength, nil
	case http.StatusPartialContent, http.StatusRequestedRangeNotSatisfiable:
		_, total, _ := strings.Cut(resp.Header.Get("Content-Range"), "/")
		n, err := strconv.ParseInt(total, 10, 64)
		if err != nil {
			return -1, nil
		}
		return n, nil
	}
	return 0, &StatusError{resp.StatusCode}
}

func (w *web) get(ctx context.Context, name, byteRange string) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, w.base+"/"+escape(name), nil)
	if err != nil {
		return nil, withoutURL(err)
	}
	req.Header.Set("Accept-Encoding", "identity") // or net/http would unpack what is to be hashed
	if byteRange != "" {
		req.Header.Set("Range", byteRange)
	}
	resp, err := w.client.Do(req)
	if err != nil {
		return nil, withoutURL(err)
	}
	return resp, nil
}

// escape spells a key as apt does, with %2B for "+", which S3 needs.
func escape(name string) string {
	segments := strings.Split(name, "/")
	for i, s := range segments {
		segments[i] = strings.ReplaceAll(url.PathEscape(s), "+", "%2B")
	}
	return strings.Join(segments, "/")
}

// A StatusError is a response of a server other than an object. With the status 404 or 410 it is an [fs.ErrNotExist].
type StatusError struct {
	Code int // of HTTP
}

func (e *StatusError) Error() string {
	return strings.TrimSpace(strconv.Itoa(e.Code) + " " + http.StatusText(e.Code))
}

// Is makes 404 and 410 an [fs.ErrNotExist].
func (e *StatusError) Is(target error) bool {
	return target == fs.ErrNotExist && (e.Code == http.StatusNotFound || e.Code == http.StatusGone)
}

// withoutURL removes the URL, and with it any secret, from a client's error.
func withoutURL(err error) error {
	if e, ok := errors.AsType[*url.Error](err); ok {
		return e.Err
	}
	return err
}
