package s3_test

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"testing"

	"repomill/pipelines/objects/objectstest"
	"repomill/pipelines/objects/s3"
	"repomill/schemas/layout"
	"repomill/testdata/s3test"
)

const (
	pointer = objectstest.Pointer
	pool    = objectstest.Pool
	rpm     = "acme/tools/el/9/aarch64/hello-1-1.noarch.rpm"
)

var large = strings.Repeat("0123456789abcdef", 9<<20/16) // two parts

// A step is one write with what was there before and what it leaves.
type step struct {
	fact      string
	operation string // that goes wrong
	commits   bool   // and makes the write visible
	key       string
	run       func(t *testing.T, b *s3.Bucket, v layout.Version) error // v is the version before
	before    string                                                   // the bytes under key; empty if it is absent
	after     string
	repeated  error // of a repeat, once it was done
}

func create(key, body string) func(*testing.T, *s3.Bucket, layout.Version) error {
	return func(t *testing.T, b *s3.Bucket, _ layout.Version) error {
		return b.Create(t.Context(), layout.ObjectOf(key), strings.NewReader(body))
	}
}

func swap(body string) func(*testing.T, *s3.Bucket, layout.Version) error {
	return func(t *testing.T, b *s3.Bucket, v layout.Version) error {
		next, err := b.Swap(t.Context(), v, layout.ObjectOf(pointer), strings.NewReader(body))
		if err != nil {
			return err
		}
		if meta, err := b.Stat(t.Context(), pointer); err != nil || meta.Version != next {
			t.Errorf("the swap returned version %q; there is %q, %v", next, meta.Version, err)
		}
		return nil
	}
}

func copyRPM(t *testing.T, b *s3.Bucket, _ layout.Version) error {
	return b.Copy(t.Context(), rpm, layout.ObjectOf(pool))
}

func remove(t *testing.T, b *s3.Bucket, v layout.Version) error {
	return b.Delete(t.Context(), pointer, v)
}

var steps = []step{
	{"create", s3test.PutObject, true, pool, create(pool, "deb"), "", "deb", fs.ErrExist},
	{"create large", s3test.CompleteMultipartUpload, true, pool, create(pool, large), "", large, fs.ErrExist},
	{"create large, at its begin", s3test.CreateMultipartUpload, false, pool, create(pool, large), "", large, fs.ErrExist},
	{"create large, in its middle", s3test.UploadPart, false, pool, create(pool, large), "", large, fs.ErrExist},
	{"swap nothing", s3test.PutObject, true, pointer, swap("first"), "", "first", layout.ErrConflict},
	{"swap", s3test.PutObject, true, pointer, swap("second"), "first", "second", layout.ErrConflict},
	{"swap large", s3test.CompleteMultipartUpload, true, pointer, swap(large), "first", large, layout.ErrConflict},
	{"copy", s3test.CompleteMultipartUpload, true, pool, copyRPM, "", "rpm", fs.ErrExist},
	{"copy, in its middle", s3test.UploadPart, false, pool, copyRPM, "", "rpm", fs.ErrExist},
	{"delete", s3test.DeleteObject, true, pointer, remove, "first", "", nil},
}

// prepare returns a bucket in the state before a step.
func (s step) prepare(t *testing.T, server *s3test.Server, name string) (*s3.Bucket, layout.Version) {
	t.Helper()
	b := openBucket(t, server.URL(name))
	objectstest.Create(t, b, rpm, "rpm")
	if s.before == "" {
		return b, ""
	}
	return b, objectstest.Swap(t, b, "", s.key, s.before)
}

func check(t *testing.T, b *s3.Bucket, key, want string) {
	t.Helper()
	if want == "" {
		objectstest.CheckAbsent(t, b, key)
		return
	}
	objectstest.CheckBody(t, b, key, want)
}

// isNamed reports whether an error says that the outcome is known.
func isNamed(err error) bool {
	return errors.Is(err, fs.ErrExist) || errors.Is(err, layout.ErrConflict) || errors.Is(err, fs.ErrNotExist)
}

// One answer that is lost is asked for again by the SDK; a success that is met again is one's own.
func TestLostAnswer(t *testing.T) {
	t.Parallel()
	server := s3test.Start(t)
	for i, s := range steps {
		for _, fault := range []s3test.Fault{s3test.Lost, s3test.Stored} {
			t.Run(s.fact+", "+fault.String(), func(t *testing.T) {
				t.Parallel()
				bucket := fmt.Sprintf("once-%d-%v", i, fault)
				b, version := s.prepare(t, server, bucket)
				heal := server.Fail(s.operation, bucket+"/"+s.key, fault, 1)
				if err := s.run(t, b, version); err != nil {
					t.Errorf("got %v", err)
				}
				if left := heal(); left != 0 {
					t.Errorf("%s was not asked for", s.operation)
				}
				check(t, b, s.key, s.after)
			})
		}
	}
}

// If all answers are lost, the outcome is unknown, and said to be so. What is there is whole, and a
// repeat finishes it or finds it done.
func TestAllAnswersLost(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("waits for the SDK to give up, many times")
	}
	server := s3test.Start(t)
	for i, s := range steps {
		for _, fault := range []s3test.Fault{s3test.Lost, s3test.Stored} {
			t.Run(s.fact+", "+fault.String(), func(t *testing.T) {
				t.Parallel()
				bucket := fmt.Sprintf("always-%d-%v", i, fault)
				b, version := s.prepare(t, server, bucket)
				heal := server.Fail(s.operation, bucket+"/"+s.key, fault, s3test.Always)
				if err := s.run(t, b, version); err == nil || isNamed(err) {
					t.Errorf("got %v, want an error without a name", err)
				}
				heal()
				done := fault == s3test.Stored && s.commits
				if !done {
					check(t, b, s.key, s.before)
				} else {
					check(t, b, s.key, s.after)
				}
				if err := s.run(t, b, version); done && !errors.Is(err, s.repeated) || !done && err != nil {
					t.Errorf("repeated: got %v, want %v if it was done", err, s.repeated)
				}
				check(t, b, s.key, s.after)
			})
		}
	}
}

// A swap that won without hearing so, and was replaced since, is not a conflict: something was stored.
func TestSwapOvertaken(t *testing.T) {
	t.Parallel()
	server := s3test.Start(t)
	b := openBucket(t, server.URL("overtaken"))
	first := objectstest.Swap(t, b, "", pointer, "first")
	server.FailThen(s3test.PutObject, pointer, s3test.Stored, func() {
		meta, err := b.Stat(t.Context(), pointer)
		if err != nil || meta.Version == first {
			t.Errorf("it was not stored: %+v, %v", meta, err)
		}
		if _, err := b.Swap(t.Context(), meta.Version, layout.ObjectOf(pointer), strings.NewReader("third")); err != nil {
			t.Error(err)
		}
	})
	if v, err := b.Swap(t.Context(), first, layout.ObjectOf(pointer), strings.NewReader("second")); err == nil || isNamed(err) {
		t.Errorf("got %q, %v; want an error without a name", v, err)
	}
	objectstest.CheckBody(t, b, pointer, "third")
}

// A create that was refused when it was repeated, and cannot be looked at, meets a key that is taken at any rate.
func TestCreateUnsettled(t *testing.T) {
	t.Parallel()
	server := s3test.Start(t)
	b := openBucket(t, server.URL("unsettled"))
	server.Fail(s3test.PutObject, pool, s3test.Stored, 1)
	heal := server.Fail(s3test.Read, pool, s3test.Lost, s3test.Always)
	if err := b.Create(t.Context(), layout.ObjectOf(pool), strings.NewReader("deb")); !errors.Is(err, fs.ErrExist) {
		t.Errorf("got %v, want ErrExist", err)
	}
	heal()
	objectstest.CheckBody(t, b, pool, "deb")
}
