package objects_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/iotest"
	"time"

	"repomill/publish"
	"repomill/schemas/layout"
)

// A bucket is what packages ingest and publish ask of a store.
type bucket interface {
	publish.Bucket
	Copy(ctx context.Context, from string, o layout.Object) error
}

const (
	pointer = "acme/tools/ubuntu/dists/jammy/InRelease"
	pool    = "acme/tools/ubuntu/pool/jammy/main/h/hello/hello_1_all.deb"
)

var errBody = errors.New("the body failed")

// testBucket is what every published bucket has to pass. open returns an empty one that ends with the test.
func testBucket(t *testing.T, open func(*testing.T) bucket) {
	for _, tt := range []struct {
		fact string
		test func(*testing.T, bucket)
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
	} {
		t.Run(tt.fact, func(t *testing.T) { tt.test(t, open(t)) })
	}
}

func create(t *testing.T, b publish.Bucket, key, body string) {
	t.Helper()
	if err := b.Create(t.Context(), layout.ObjectOf(key), strings.NewReader(body)); err != nil {
		t.Fatal(err)
	}
}

func swap(t *testing.T, b publish.Bucket, old layout.Version, key, body string) layout.Version {
	t.Helper()
	v, err := b.Swap(t.Context(), old, layout.ObjectOf(key), strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func get(t *testing.T, b publish.Bucket, key string) (string, layout.Meta) {
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

// checkBody fails unless a key has these bytes.
func checkBody(t *testing.T, b publish.Bucket, key, want string) {
	t.Helper()
	if got, _ := get(t, b, key); got != want {
		t.Errorf("%s has %d bytes %.40q, want %d bytes %.40q", key, len(got), got, len(want), want)
	}
}

// checkAbsent fails if there is an object under key.
func checkAbsent(t *testing.T, b publish.Bucket, key string) {
	t.Helper()
	if _, err := b.Stat(t.Context(), key); !errors.Is(err, publish.ErrNotExist) {
		t.Errorf("stat %s: got %v, want ErrNotExist", key, err)
	}
}

func absentKey(t *testing.T, b bucket) {
	create(t, b, pool, "deb")
	for _, key := range []string{pointer, "absent", pool + ".asc", pool + "/below", "acme", "acme/tools/ubuntu/pool"} {
		r, meta, err := b.Get(t.Context(), key)
		if !errors.Is(err, publish.ErrNotExist) || r != nil {
			t.Errorf("get %s: got %v, %v; want ErrNotExist", key, r, err)
		}
		stat, err := b.Stat(t.Context(), key)
		if !errors.Is(err, publish.ErrNotExist) {
			t.Errorf("stat %s: got %v, want ErrNotExist", key, err)
		}
		for _, m := range []layout.Meta{meta, stat} {
			if m.Version != "" || m.Size != 0 || m.Now.IsZero() || time.Since(m.Now).Abs() > time.Minute {
				t.Errorf("%s: got %+v, want the time alone", key, m)
			}
		}
	}
}

func createAndGet(t *testing.T, b bucket) {
	create(t, b, pool, "deb")
	body, meta := get(t, b, pool)
	if body != "deb" || meta.Version == "" || meta.Size != 3 {
		t.Errorf("got %q, %+v", body, meta)
	}
	if meta.Now.IsZero() || meta.Modified.IsZero() || meta.Modified.After(meta.Now.Add(time.Second)) || meta.Now.Sub(meta.Modified) > time.Minute {
		t.Errorf("modified at %v, read at %v", meta.Modified, meta.Now)
	}
	stat, err := b.Stat(t.Context(), pool)
	if err != nil || stat.Version != meta.Version || stat.Size != meta.Size || !stat.Modified.Equal(meta.Modified) || stat.Now.IsZero() {
		t.Errorf("stat: got %+v, %v; want %+v", stat, err, meta)
	}
}

func createEmpty(t *testing.T, b bucket) {
	create(t, b, pool, "")
	if body, meta := get(t, b, pool); body != "" || meta.Version == "" || meta.Size != 0 {
		t.Errorf("got %q, %+v", body, meta)
	}
	if err := b.Create(t.Context(), layout.ObjectOf(pool), strings.NewReader("deb")); !errors.Is(err, publish.ErrExists) {
		t.Errorf("again: got %v, want ErrExists", err)
	}
}

func createLarge(t *testing.T, b bucket) {
	want := strings.Repeat("0123456789abcdef", 9<<20/16)
	if err := b.Create(t.Context(), layout.ObjectOf(pool), iotest.HalfReader(strings.NewReader(want))); err != nil {
		t.Fatal(err)
	}
	checkBody(t, b, pool, want)
}

func createOnce(t *testing.T, b bucket) {
	create(t, b, pool, "deb")
	_, before := get(t, b, pool)
	for _, body := range []string{"deb", "other"} {
		if err := b.Create(t.Context(), layout.ObjectOf(pool), strings.NewReader(body)); !errors.Is(err, publish.ErrExists) {
			t.Errorf("create again with %q: got %v, want ErrExists", body, err)
		}
	}
	body, after := get(t, b, pool)
	if body != "deb" || after.Version != before.Version || !after.Modified.Equal(before.Modified) {
		t.Errorf("got %q, %+v; want it unchanged since %+v", body, after, before)
	}
	create(t, b, pool+".asc", "signature") // a key that only begins alike is free
}

func swapConditions(t *testing.T, b bucket) {
	conflict := func(old layout.Version) {
		t.Helper()
		if v, err := b.Swap(t.Context(), old, layout.ObjectOf(pointer), strings.NewReader("conflict")); !errors.Is(err, publish.ErrConflict) {
			t.Errorf("swap version %q: got %q, %v; want ErrConflict", old, v, err)
		}
	}
	create(t, b, pool, "deb")
	_, other := get(t, b, pool)
	conflict(other.Version) // of an absent key
	checkAbsent(t, b, pointer)

	first := swap(t, b, "", pointer, "first")
	conflict("")
	conflict(other.Version)
	checkBody(t, b, pointer, "first")

	second := swap(t, b, first, pointer, "second")
	conflict("")
	conflict(first)
	body, meta := get(t, b, pointer)
	if body != "second" || meta.Version != second || first == second {
		t.Errorf("got %q, %+v; want version %q, which was %q", body, meta, second, first)
	}
	if err := b.Create(t.Context(), layout.ObjectOf(pointer), strings.NewReader("conflict")); !errors.Is(err, publish.ErrExists) {
		t.Errorf("create: got %v, want ErrExists", err)
	}
	create(t, b, "created", "first")
	_, created := get(t, b, "created")
	swap(t, b, created.Version, "created", "second")
	checkBody(t, b, "created", "second")
}

func swapEqual(t *testing.T, b bucket) {
	first := swap(t, b, "", pointer, "same")
	second := swap(t, b, first, pointer, "same")
	if _, meta := get(t, b, pointer); meta.Version != second {
		t.Errorf("got version %q, want %q", meta.Version, second)
	}
}

func failingBody(t *testing.T, b bucket) {
	swap(t, b, "", pointer, "first")
	_, meta := get(t, b, pointer)
	for _, size := range []int{0, 1, 1 << 20} {
		body := func() io.Reader {
			return io.MultiReader(bytes.NewReader(make([]byte, size)), iotest.ErrReader(errBody))
		}
		if err := b.Create(t.Context(), layout.ObjectOf(pool), body()); !errors.Is(err, errBody) {
			t.Errorf("create fails after %d bytes: got %v, want the body's error", size, err)
		}
		checkAbsent(t, b, pool)
		if _, err := b.Swap(t.Context(), meta.Version, layout.ObjectOf(pointer), body()); !errors.Is(err, errBody) {
			t.Errorf("swap fails after %d bytes: got %v, want the body's error", size, err)
		}
		checkBody(t, b, pointer, "first")
	}
	if err := b.Create(t.Context(), layout.ObjectOf(pool), iotest.TimeoutReader(iotest.OneByteReader(strings.NewReader("deb")))); err == nil {
		t.Error("a body that ended with a time-out was stored")
	}
	create(t, b, pool, "deb") // the key is still free
}

func copyObject(t *testing.T, b bucket) {
	const from, to = "acme/tools/el/9/aarch64/hello-1-1.noarch.rpm", "acme/tools/el/9/x86_64/hello-1-1.noarch.rpm"
	if err := b.Copy(t.Context(), from, layout.ObjectOf(to)); !errors.Is(err, publish.ErrNotExist) {
		t.Errorf("copy of nothing: got %v, want ErrNotExist", err)
	}
	checkAbsent(t, b, to)
	create(t, b, from, "rpm")
	if err := b.Copy(t.Context(), from, layout.ObjectOf(to)); err != nil {
		t.Fatal(err)
	}
	checkBody(t, b, to, "rpm")
	if err := b.Copy(t.Context(), from, layout.ObjectOf(to)); !errors.Is(err, publish.ErrExists) {
		t.Errorf("copy again: got %v, want ErrExists", err)
	}
	_, meta := get(t, b, from)
	swap(t, b, meta.Version, from, "changed")
	checkBody(t, b, to, "rpm")
}

// race runs f n times, all at once.
func race(n int, f func(i int)) {
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

func createConcurrently(t *testing.T, b bucket) {
	body := func(i int) string { return fmt.Sprintf("%02d", i) + strings.Repeat("x", 10_000) }
	var won atomic.Int64
	won.Store(-1)
	race(32, func(i int) {
		err := b.Create(t.Context(), layout.ObjectOf(pool), strings.NewReader(body(i)))
		switch {
		case err == nil && won.CompareAndSwap(-1, int64(i)):
		case err == nil:
			t.Errorf("%d and %d won", won.Load(), i)
		case !errors.Is(err, publish.ErrExists):
			t.Errorf("got %v, want ErrExists", err)
		}
	})
	if won.Load() < 0 {
		t.Fatal("nobody won")
	}
	checkBody(t, b, pool, body(int(won.Load())))
}

func swapConcurrently(t *testing.T, b bucket) {
	version := layout.Version("")
	for round := range 5 {
		var won atomic.Int64
		next := make(chan layout.Version, 16)
		race(16, func(i int) {
			v, err := b.Swap(t.Context(), version, layout.ObjectOf(pointer), strings.NewReader(fmt.Sprintf("%d-%02d", round, i)))
			switch {
			case err == nil:
				won.Add(1)
				next <- v
			case !errors.Is(err, publish.ErrConflict):
				t.Errorf("got %v, want ErrConflict", err)
			}
		})
		if won.Load() != 1 {
			t.Fatalf("%d swaps of one version won", won.Load())
		}
		version = <-next
		if _, meta := get(t, b, pointer); meta.Version != version {
			t.Errorf("the winner was told %q, the store has %q", version, meta.Version)
		}
	}
}

func readWhileSwapping(t *testing.T, b bucket) {
	body := func(i int) string { return strings.Repeat(fmt.Sprintf("%04d", i), 20_000+i) }
	version := swap(t, b, "", pointer, body(0))
	done := make(chan struct{})
	go func() {
		defer close(done)
		for i := range 20 {
			v, err := b.Swap(t.Context(), version, layout.ObjectOf(pointer), strings.NewReader(body(i+1)))
			if err != nil {
				t.Error(err)
				return
			}
			version = v
		}
	}()
	for last := 0; last < 20; {
		got, meta := get(t, b, pointer)
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
