package s3_test

import (
	"context"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"net/url"
	"runtime"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"golang.org/x/sync/errgroup"

	"repomill/pipelines/objects/objectstest"
	"repomill/schemas/layout"
	"repomill/testdata/s3test"
)

func head(t *testing.T, server *s3test.Server, bucket, key string) *awss3.HeadObjectOutput {
	t.Helper()
	out, err := server.Client().HeadObject(t.Context(), &awss3.HeadObjectInput{Bucket: aws.String(bucket), Key: aws.String(key), ChecksumMode: types.ChecksumModeEnabled})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// However an object came about, it is served with the headers of its key, and the store has its checksum.
func TestHeadersAndChecksum(t *testing.T) {
	t.Parallel()
	server := s3test.Start(t)
	b := openBucket(t, server.URL("headers"))
	const copied = "acme/tools/el/9/x86_64/hello-1-1.noarch.rpm"
	objectstest.Create(t, b, pool, "deb")
	objectstest.Create(t, b, rpm, large)
	objectstest.Swap(t, b, "", pointer, "first")
	if err := b.Copy(t.Context(), rpm, layout.ObjectOf(copied)); err != nil {
		t.Fatal(err)
	}
	for key, body := range map[string]string{pool: "deb", rpm: large, pointer: "first", copied: ""} {
		o, got := layout.ObjectOf(key), head(t, server, "headers", key)
		if aws.ToString(got.ContentType) != o.ContentType || aws.ToString(got.CacheControl) != o.CacheControl {
			t.Errorf("%s has %q and %q, want %q and %q", key, aws.ToString(got.ContentType), aws.ToString(got.CacheControl), o.ContentType, o.CacheControl)
		}
		if got := aws.ToString(got.ContentDisposition); got != o.ContentDisposition() {
			t.Errorf("%s is called %q, want %q", key, got, o.ContentDisposition())
		}
		sum := base64.StdEncoding.EncodeToString(binary.BigEndian.AppendUint32(nil, crc32.ChecksumIEEE([]byte(body))))
		if key != copied && (aws.ToString(got.ChecksumCRC32) != sum || got.ChecksumType != types.ChecksumTypeFullObject) {
			t.Errorf("%s has the checksum %q, %s; want %s of the whole object", key, aws.ToString(got.ChecksumCRC32), got.ChecksumType, sum)
		}
	}
}

// What is too large for one request is copied in ranges, which meet without gap or overlap; what is
// empty has none.
func TestCopyInRanges(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("copies large objects")
	}
	b := openBucket(t, s3test.Start(t).URL("ranges"))
	const size = 5 << 20
	b.SetCopySize(size)
	body := make([]byte, 2*size+1)
	for i := range body {
		body[i] = byte(i * i >> 8)
	}
	for _, n := range []int{0, 1, size, size + 1, 2 * size, 2*size + 1} {
		from, to := fmt.Sprintf("from-%d", n), fmt.Sprintf("to-%d", n)
		objectstest.Create(t, b, from, string(body[:n]))
		if err := b.Copy(t.Context(), from, layout.ObjectOf(to)); err != nil {
			t.Fatal(err)
		}
		objectstest.CheckBody(t, b, to, string(body[:n]))
	}
}

// Keys are below the URL's prefix, and nothing beside it is seen.
func TestPrefix(t *testing.T) {
	t.Parallel()
	server := s3test.Start(t)
	whole := openBucket(t, server.URL("shared"))
	part := openBucket(t, strings.Replace(server.URL("shared"), "shared?", "shared/repo+s/one/?", 1))
	objectstest.Create(t, whole, "repo+s/one-more", "beside")
	objectstest.Create(t, part, pool, "deb")
	if err := part.Copy(t.Context(), pool, layout.ObjectOf("copied")); err != nil {
		t.Fatal(err)
	}
	objectstest.CheckBody(t, whole, "repo+s/one/"+pool, "deb")
	objectstest.CheckBody(t, whole, "repo+s/one/copied", "deb")
	objectstest.CheckAbsent(t, part, "one-more")
	n := 0
	err := part.List(t.Context(), "", func(key string, meta layout.Meta) error {
		n++
		return part.Delete(t.Context(), key, meta.Version)
	})
	if err != nil || n != 2 {
		t.Errorf("listed %d objects, %v; want 2", n, err)
	}
	objectstest.CheckBody(t, whole, "repo+s/one-more", "beside")
}

func TestListOfManyPages(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("stores more objects than a page has")
	}
	b := openBucket(t, s3test.Start(t).URL("pages"))
	const objects = 1005 // a page has a thousand
	var group errgroup.Group
	group.SetLimit(8)
	for i := range objects {
		group.Go(func() error {
			return b.Create(t.Context(), layout.ObjectOf(fmt.Sprintf("a/%04d", i)), strings.NewReader(""))
		})
	}
	if err := group.Wait(); err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	err := b.List(t.Context(), "a/", func(key string, _ layout.Meta) error {
		seen[key] = true
		return nil
	})
	if err != nil || len(seen) != objects {
		t.Errorf("listed %d objects, %v; want %d", len(seen), err, objects)
	}
}

// What a large object needs of memory does not depend on its size: three parts, and what requests need.
func TestMemoryOfALargeObject(t *testing.T) { // not in parallel, for it measures
	if testing.Short() {
		t.Skip("stores 160 MB")
	}
	b := openBucket(t, s3test.Start(t).URL("memory"))
	const size = 160 << 20
	live := liveHeap()
	peak := live
	body := &sampled{Reader: io.LimitReader(zeros{}, size), every: 16 << 20, sample: func() { peak = max(peak, liveHeap()) }}
	if err := b.Create(t.Context(), layout.ObjectOf(pool), body); err != nil {
		t.Fatal(err)
	}
	if stat, err := b.Stat(t.Context(), pool); err != nil || stat.Size != size {
		t.Errorf("got %+v, %v", stat, err)
	}
	if got := (peak - live) >> 20; got < 8 || got > 28 {
		t.Errorf("it took %d MB, want some 24", got)
	}
}

// liveHeap returns the size of what is reachable, in bytes.
func liveHeap() uint64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// A sampled reader calls sample once in so many bytes.
type sampled struct {
	io.Reader
	every, next, read int
	sample            func()
}

func (s *sampled) Read(p []byte) (int, error) {
	n, err := s.Reader.Read(p)
	if s.read += n; s.read >= s.next {
		s.next += s.every
		s.sample()
	}
	return n, err
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

// An upload that ends before it is complete leaves no parts in the store.
func TestAbandonedUploadIsAborted(t *testing.T) {
	t.Parallel()
	server := s3test.Start(t)
	b := openBucket(t, server.URL("abandoned"))
	ctx, cancel := context.WithCancel(t.Context())
	errBody := errors.New("the body failed")
	for name, create := range map[string]func() error{
		"the body fails": func() error {
			return b.Create(t.Context(), layout.ObjectOf(pool), io.MultiReader(strings.NewReader(large), failing{errBody}))
		},
		"the caller gives up": func() error {
			return b.Create(ctx, layout.ObjectOf(pool), io.MultiReader(strings.NewReader(large), calling(cancel)))
		},
	} {
		if err := create(); !errors.Is(err, errBody) && !errors.Is(err, context.Canceled) {
			t.Errorf("%s: got %v", name, err)
		}
	}
	objectstest.CheckAbsent(t, b, pool)
	out, err := server.Client().ListMultipartUploads(t.Context(), &awss3.ListMultipartUploadsInput{Bucket: aws.String("abandoned")})
	if err != nil || len(out.Uploads) != 0 {
		t.Errorf("left are %v, %v", out.Uploads, err)
	}
}

type failing struct{ error }

func (f failing) Read([]byte) (int, error) { return 0, f.error }

type calling func()

func (f calling) Read([]byte) (int, error) {
	f()
	return 0, io.EOF
}

// answers opens a bucket whose store answers every request but the first, the probe, in one way.
func answers(t *testing.T, answer http.HandlerFunc) objectstest.Bucket {
	t.Helper()
	s3test.Start(t) // for the environment
	probed := false
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !probed {
			probed = true
			w.WriteHeader(http.StatusNotFound)
			io.WriteString(w, noSuchKey) //nolint:errcheck // the client may be gone
			return
		}
		answer(w, r)
	}))
	t.Cleanup(server.Close)
	return openBucket(t, "s3://bucket?path-style=true&endpoint="+url.QueryEscape(server.URL))
}

func TestReadsOfBadAnswers(t *testing.T) {
	for _, tt := range []struct {
		name   string
		answer http.HandlerFunc
		want   string // of Get or of its body
	}{
		{"other bytes than were stored", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("X-Amz-Checksum-Crc32", "AAAAAA==")
			io.WriteString(w, "changed") //nolint:errcheck // see answers
		}, "checksum"},
		{"half of the bytes", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "10")
			io.WriteString(w, "hello") //nolint:errcheck // see answers
		}, "unexpected EOF"},
		{"no time", func(w http.ResponseWriter, _ *http.Request) {
			w.Header()["Date"] = nil
			io.WriteString(w, "hello") //nolint:errcheck // see answers
		}, "no Date header"},
		{"a web server's 404", http.NotFound, "404"},
		{"an absent bucket", func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusNotFound)
			io.WriteString(w, `<Error><Code>NoSuchBucket</Code></Error>`) //nolint:errcheck // see answers
		}, "NoSuchBucket"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r, _, err := answers(t, tt.answer).Get(t.Context(), pool)
			if err == nil {
				_, err = io.ReadAll(r)
				r.Close()
			}
			if err == nil || !strings.Contains(err.Error(), tt.want) || errors.Is(err, fs.ErrNotExist) {
				t.Errorf("got %v, want %q", err, tt.want)
			}
		})
	}
}

// A write that met another one in progress (409) is repeated as it is.
func TestConcurrentWriteIsRetried(t *testing.T) {
	requests := 0
	b := answers(t, func(w http.ResponseWriter, r *http.Request) {
		requests++
		if r.Header.Get("If-None-Match") != "*" {
			t.Errorf("%s %s has the condition %q", r.Method, r.URL, r.Header.Get("If-None-Match"))
		}
		if requests == 1 {
			w.WriteHeader(http.StatusConflict)
			io.WriteString(w, `<Error><Code>ConditionalRequestConflict</Code></Error>`) //nolint:errcheck // see answers
			return
		}
		w.Header().Set("Etag", `"etag"`)
	})
	v, err := b.Swap(t.Context(), "", layout.ObjectOf(pointer), strings.NewReader("first"))
	if err != nil || v != `"etag"` || requests != 2 {
		t.Errorf("got %q, %v after %d requests", v, err, requests)
	}
}

// Another process can replace or remove an object between its check and its removal.
func TestDeleteRefused(t *testing.T) {
	for _, tt := range []struct {
		name  string
		after string // ETag of what is there after the refusal; empty if nothing is
		want  error
	}{
		{"it was replaced", `"second"`, layout.ErrConflict},
		{"it was removed", "", nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			etag, deletes := `"first"`, 0
			b := answers(t, func(w http.ResponseWriter, r *http.Request) {
				switch {
				case r.Method == http.MethodDelete:
					deletes++
					if got := r.Header.Get("If-Match"); got != `"first"` {
						t.Errorf("the delete has the condition %q", got)
					}
					etag = tt.after
					w.WriteHeader(http.StatusPreconditionFailed)
					io.WriteString(w, `<Error><Code>PreconditionFailed</Code></Error>`) //nolint:errcheck // see answers
				case etag == "":
					w.WriteHeader(http.StatusNotFound)
				default:
					w.Header().Set("Etag", etag)
				}
			})
			if err := b.Delete(t.Context(), pool, `"first"`); !errors.Is(err, tt.want) || deletes != 1 {
				t.Errorf("got %v after %d deletes, want %v after one", err, deletes, tt.want)
			}
		})
	}
}
