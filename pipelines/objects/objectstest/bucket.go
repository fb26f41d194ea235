// Package objectstest has the conformance tests of stores: [TestBucket] for published buckets, [TestStaging] for staging
// buckets.
package objectstest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/iotest"
	"time"

	"repomill/schemas/layout"
)

// A Bucket is what package objects asks of a published bucket, which it says more about.
type Bucket interface {
	Get(ctx context.Context, key string) (io.ReadCloser, layout.Meta, error)
	Stat(ctx context.Context, key string) (layout.Meta, error)
	Create(ctx context.Context, o layout.Object, body io.Reader) error
	Swap(ctx context.Context, old layout.Version, o layout.Object, body io.Reader) (layout.Version, error)
	Copy(ctx context.Context, from string, o layout.Object) error
	List(ctx context.Context, prefix string, f func(key string, meta layout.Meta) error) error
	Delete(ctx context.Context, key string, v layout.Version) error
}

// Keys of the objects that the suite writes.
const (
	Pointer = "acme/tools/ubuntu/dists/jammy/InRelease"
	Pool    = "acme/tools/ubuntu/pool/jammy/main/h/hello/hello_1_all.deb"
)

var errBody = errors.New("the body failed")

// TestBucket runs the tests of a published bucket. open returns an empty one, which is closed at the end of the test.
func TestBucket(t *testing.T, open func(*testing.T) Bucket) {
	for _, tt := range []struct {
		fact string
		test func(*testing.T, Bucket)
	}{
		{"an absent key has the store's time", absentKey},
		{"an object is what was stored", createAndGet},
		{"an object may be empty", createEmpty},
		{"an object may be large", createLarge},
		{"a key is created once", createOnce},
		{"a swap needs the version that is there", swapConditions},
		{"equal bytes may take each other's place", swapEqual},
		{"a body that fails is stored by nobody", failingBody},
		{"a copy is an object of its own", copyObject},
		{"of concurrent creates one wins", createConcurrently},
		{"of concurrent swaps one wins each version", swapConcurrently},
		{"readers see whole versions", readWhileSwapping},
		{"a large object is swapped as a small one", swapLarge},
		{"an object is visible after its body's end", withheldEnd},
		{"a list has each object once", listObjects},
		{"a list ends when it is told to", listEnds},
		{"a delete needs the version that is there", deleteVersions},
		{"concurrent deletes all succeed", deleteConcurrently},
		{"a key may hold what versions hold", oddKeys},
		{"a key is a plain path", refusedKeys},
	} {
		t.Run(tt.fact, func(t *testing.T) { tt.test(t, open(t)) })
	}
}

// Create stores an object with the headers of its key.
func Create(t *testing.T, b Bucket, key, body string) {
	t.Helper()
	if err := b.Create(t.Context(), layout.ObjectOf(key), strings.NewReader(body)); err != nil {
		t.Fatal(err)
	}
}

// Swap replaces version old of an object, and returns the new version.
func Swap(t *testing.T, b Bucket, old layout.Version, key, body string) layout.Version {
	t.Helper()
	v, err := b.Swap(t.Context(), old, layout.ObjectOf(key), strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// Get returns the bytes under a key, which must be there, and what the store says of them.
func Get(t *testing.T, b Bucket, key string) (string, layout.Meta) {
	t.Helper()
	r, meta, err := b.Get(t.Context(), key)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	body, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return string(body), meta
}

// CheckBody fails unless a key has these bytes.
func CheckBody(t *testing.T, b Bucket, key, want string) {
	t.Helper()
	if got, _ := Get(t, b, key); got != want {
		t.Errorf("%s has %d bytes %.40q, want %d bytes %.40q", key, len(got), got, len(want), want)
	}
}

// CheckAbsent fails if there is an object under key.
func CheckAbsent(t *testing.T, b Bucket, key string) {
	t.Helper()
	if _, err := b.Stat(t.Context(), key); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("stat %s: got %v, want ErrNotExist", key, err)
	}
}

func absentKey(t *testing.T, b Bucket) {
	Create(t, b, Pool, "deb")
	for _, key := range []string{Pointer, "absent", Pool + ".asc", Pool + "/below", "acme", "acme/tools/ubuntu/pool"} {
		r, meta, err := b.Get(t.Context(), key)
		if !errors.Is(err, fs.ErrNotExist) || r != nil {
			t.Errorf("get %s: got %v, %v; want ErrNotExist", key, r, err)
		}
		stat, err := b.Stat(t.Context(), key)
		if !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("stat %s: got %v, want ErrNotExist", key, err)
		}
		for _, m := range []layout.Meta{meta, stat} {
			if m.Version != "" || m.Size != 0 || m.Now.IsZero() || time.Since(m.Now).Abs() > time.Minute {
				t.Errorf("%s: got %+v, want the time alone", key, m)
			}
		}
	}
}

func createAndGet(t *testing.T, b Bucket) {
	Create(t, b, Pool, "deb")
	body, meta := Get(t, b, Pool)
	if body != "deb" || meta.Version == "" || meta.Size != 3 {
		t.Errorf("got %q, %+v", body, meta)
	}
	if meta.Now.IsZero() || meta.Modified.IsZero() || meta.Modified.After(meta.Now.Add(time.Second)) || meta.Now.Sub(meta.Modified) > time.Minute {
		t.Errorf("modified at %v, read at %v", meta.Modified, meta.Now)
	}
	stat, err := b.Stat(t.Context(), Pool)
	if err != nil || stat.Version != meta.Version || stat.Size != meta.Size || !stat.Modified.Equal(meta.Modified) || stat.Now.IsZero() {
		t.Errorf("stat: got %+v, %v; want %+v", stat, err, meta)
	}
}

func createEmpty(t *testing.T, b Bucket) {
	Create(t, b, Pool, "")
	if body, meta := Get(t, b, Pool); body != "" || meta.Version == "" || meta.Size != 0 {
		t.Errorf("got %q, %+v", body, meta)
	}
	if err := b.Create(t.Context(), layout.ObjectOf(Pool), strings.NewReader("deb")); !errors.Is(err, fs.ErrExist) {
		t.Errorf("again: got %v, want ErrExist", err)
	}
}

func createOnce(t *testing.T, b Bucket) {
	Create(t, b, Pool, "deb")
	_, before := Get(t, b, Pool)
	for _, body := range []string{"deb", "other"} {
		if err := b.Create(t.Context(), layout.ObjectOf(Pool), strings.NewReader(body)); !errors.Is(err, fs.ErrExist) {
			t.Errorf("create again with %q: got %v, want ErrExist", body, err)
		}
	}
	body, after := Get(t, b, Pool)
	if body != "deb" || after.Version != before.Version || !after.Modified.Equal(before.Modified) {
		t.Errorf("got %q, %+v; want it unchanged since %+v", body, after, before)
	}
	Create(t, b, Pool+".asc", "signature") // a key that only begins alike is free
}

func swapConditions(t *testing.T, b Bucket) {
	conflict := func(old layout.Version) {
		t.Helper()
		if v, err := b.Swap(t.Context(), old, layout.ObjectOf(Pointer), strings.NewReader("conflict")); !errors.Is(err, layout.ErrConflict) {
			t.Errorf("swap version %q: got %q, %v; want ErrConflict", old, v, err)
		}
	}
	Create(t, b, Pool, "deb")
	_, other := Get(t, b, Pool)
	conflict(other.Version) // of an absent key
	CheckAbsent(t, b, Pointer)

	first := Swap(t, b, "", Pointer, "first")
	conflict("")
	conflict(other.Version)
	CheckBody(t, b, Pointer, "first")

	second := Swap(t, b, first, Pointer, "second")
	conflict("")
	conflict(first)
	body, meta := Get(t, b, Pointer)
	if body != "second" || meta.Version != second || first == second {
		t.Errorf("got %q, %+v; want version %q, which was %q", body, meta, second, first)
	}
	if err := b.Create(t.Context(), layout.ObjectOf(Pointer), strings.NewReader("conflict")); !errors.Is(err, fs.ErrExist) {
		t.Errorf("create: got %v, want ErrExist", err)
	}
	Create(t, b, "created", "first")
	_, created := Get(t, b, "created")
	Swap(t, b, created.Version, "created", "second")
	CheckBody(t, b, "created", "second")
}

func swapEqual(t *testing.T, b Bucket) {
	first := Swap(t, b, "", Pointer, "same")
	second := Swap(t, b, first, Pointer, "same")
	if _, meta := Get(t, b, Pointer); meta.Version != second {
		t.Errorf("got version %q, want %q", meta.Version, second)
	}
}

func failingBody(t *testing.T, b Bucket) {
	Swap(t, b, "", Pointer, "first")
	_, meta := Get(t, b, Pointer)
	for _, size := range []int{0, 1, 1 << 20, large} {
		body := func() io.Reader {
			return io.MultiReader(bytes.NewReader(make([]byte, size)), iotest.ErrReader(errBody))
		}
		if err := b.Create(t.Context(), layout.ObjectOf(Pool), body()); !errors.Is(err, errBody) {
			t.Errorf("create fails after %d bytes: got %v, want the body's error", size, err)
		}
		CheckAbsent(t, b, Pool)
		if _, err := b.Swap(t.Context(), meta.Version, layout.ObjectOf(Pointer), body()); !errors.Is(err, errBody) {
			t.Errorf("swap fails after %d bytes: got %v, want the body's error", size, err)
		}
		CheckBody(t, b, Pointer, "first")
	}
	if err := b.Create(t.Context(), layout.ObjectOf(Pool), iotest.TimeoutReader(iotest.OneByteReader(strings.NewReader("deb")))); err == nil {
		t.Error("a body that ended with a time-out was stored")
	}
	Create(t, b, Pool, "deb") // the key is still free
}

func copyObject(t *testing.T, b Bucket) {
	const from, to = "acme/tools/el/9/aarch64/hello-1-1.noarch.rpm", "acme/tools/el/9/x86_64/hello-1-1.noarch.rpm"
	if err := b.Copy(t.Context(), from, layout.ObjectOf(to)); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("copy of nothing: got %v, want ErrNotExist", err)
	}
	CheckAbsent(t, b, to)
	Create(t, b, from, "rpm")
	if err := b.Copy(t.Context(), from, layout.ObjectOf(to)); err != nil {
		t.Fatal(err)
	}
	CheckBody(t, b, to, "rpm")
	if err := b.Copy(t.Context(), from, layout.ObjectOf(to)); !errors.Is(err, fs.ErrExist) {
		t.Errorf("copy again: got %v, want ErrExist", err)
	}
	_, meta := Get(t, b, from)
	Swap(t, b, meta.Version, from, "changed")
	CheckBody(t, b, to, "rpm")
}

// Race runs f n times, all at once.
func Race(n int, f func(i int)) {
	var wg sync.WaitGroup
	ready := make(chan struct{})
	for i := range n {
		wg.Go(func() {
			<-ready
			f(i)
		})
	}
	close(ready)
	wg.Wait()
}

func createConcurrently(t *testing.T, b Bucket) {
	body := func(i int) string { return fmt.Sprintf("%02d", i) + strings.Repeat("x", 10_000) }
	var won atomic.Int64
	won.Store(-1)
	Race(32, func(i int) {
		err := b.Create(t.Context(), layout.ObjectOf(Pool), strings.NewReader(body(i)))
		switch {
		case err == nil && won.CompareAndSwap(-1, int64(i)):
		case err == nil:
			t.Errorf("%d and %d won", won.Load(), i)
		case !errors.Is(err, fs.ErrExist):
			t.Errorf("got %v, want ErrExist", err)
		}
	})
	if won.Load() < 0 {
		t.Fatal("nobody won")
	}
	CheckBody(t, b, Pool, body(int(won.Load())))
}

func swapConcurrently(t *testing.T, b Bucket) {
	version := layout.Version("")
	for round := range 5 {
		var won atomic.Int64
		next := make(chan layout.Version, 16)
		Race(16, func(i int) {
			v, err := b.Swap(t.Context(), version, layout.ObjectOf(Pointer), strings.NewReader(fmt.Sprintf("%d-%02d", round, i)))
			switch {
			case err == nil:
				won.Add(1)
				next <- v
			case !errors.Is(err, layout.ErrConflict):
				t.Errorf("got %v, want ErrConflict", err)
			}
		})
		if won.Load() != 1 {
			t.Fatalf("%d swaps of one version won", won.Load())
		}
		version = <-next
		if _, meta := Get(t, b, Pointer); meta.Version != version {
			t.Errorf("the winner was told %q, the store has %q", version, meta.Version)
		}
	}
}

func readWhileSwapping(t *testing.T, b Bucket) {
	body := func(i int) string { return strings.Repeat(fmt.Sprintf("%04d", i), 20_000+i) }
	version := Swap(t, b, "", Pointer, body(0))
	done := make(chan struct{})
	go func() {
		defer close(done)
		for i := range 20 {
			v, err := b.Swap(t.Context(), version, layout.ObjectOf(Pointer), strings.NewReader(body(i+1)))
			if err != nil {
				t.Error(err)
				return
			}
			version = v
		}
	}()
	for last := 0; last < 20; {
		got, meta := Get(t, b, Pointer)
		i := 0
		if _, err := fmt.Sscanf(got[:4], "%d", &i); err != nil || i < last || got != body(i) || meta.Size != int64(len(got)) {
			t.Fatalf("version %d after %d: %d bytes of %d, %v", i, last, len(got), meta.Size, err)
		}
		last = i
		select {
		case <-done:
			last = 20
		default:
		}
	}
	<-done
}
