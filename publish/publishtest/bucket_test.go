package publishtest_test

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"repomill/publish"
	"repomill/publish/collect"
	"repomill/publish/publishtest"
	"repomill/schemas/layout"
)

var (
	_ publish.Bucket = (*publishtest.Bucket)(nil)
	_ collect.Bucket = (*publishtest.Bucket)(nil)
)

// A record is a test that only notes its errors.
type record struct {
	testing.TB
	errors  []string
	cleanup []func()
}

func (r *record) Errorf(format string, args ...any) {
	r.errors = append(r.errors, fmt.Sprintf(format, args...))
}
func (r *record) Cleanup(f func()) { r.cleanup = append(r.cleanup, f) }

func create(t *testing.T, b *publishtest.Bucket, key, body string) error {
	t.Helper()
	return b.Create(t.Context(), layout.ObjectOf(key), strings.NewReader(body))
}

func swap(t *testing.T, b *publishtest.Bucket, key, old, body string) error {
	t.Helper()
	meta, err := b.Stat(t.Context(), key)
	if old == "" {
		meta.Version = ""
	} else if err != nil || string(b.Bytes(key)) != old {
		t.Fatalf("%s is not %q: %v", key, old, err)
	}
	_, err = b.Swap(t.Context(), meta.Version, layout.ObjectOf(key), strings.NewReader(body))
	return err
}

const (
	pointer = "a/t/ubuntu/dists/jammy/InRelease"
	byHash  = "a/t/ubuntu/dists/jammy/main/binary-all/by-hash/SHA256/00"
)

func TestStore(t *testing.T) {
	b := publishtest.NewBucket(t)
	meta, err := b.Stat(t.Context(), pointer)
	if !errors.Is(err, publish.ErrNotExist) || meta.Version != "" || meta.Now.Before(publishtest.Start) {
		t.Errorf("absent: got %+v, %v", meta, err)
	}
	if err := errors.Join(create(t, b, byHash, "one"), swap(t, b, pointer, "", "one"), swap(t, b, pointer, "one", "two")); err != nil {
		t.Error(err)
	}
	if err := create(t, b, byHash, "other"); !errors.Is(err, publish.ErrExists) {
		t.Errorf("created twice: %v", err)
	}
	if err := swap(t, b, pointer, "", "three"); !errors.Is(err, publish.ErrConflict) {
		t.Errorf("swapped what is not there: %v", err)
	}
	body, meta, err := b.Get(t.Context(), pointer)
	if err != nil {
		t.Fatal(err)
	}
	if all, err := io.ReadAll(body); err != nil || string(all) != "two" || meta.Size != 3 || meta.Modified.After(meta.Now) {
		t.Errorf("got %q, %+v, %v", all, meta, err)
	}
	if err := b.Copy(t.Context(), "nowhere", layout.ObjectOf("x")); !errors.Is(err, publish.ErrNotExist) {
		t.Errorf("copied what is not there: %v", err)
	}
}

func TestListAndDelete(t *testing.T) {
	b := publishtest.NewBucket(t)
	b.Put("a/1", []byte("one"))
	b.Put("a/2", []byte("two"))
	b.Put("b/1", []byte("three"))
	sizes := map[string]int64{}
	list := func(prefix string) error {
		clear(sizes)
		return b.List(t.Context(), prefix, func(key string, meta layout.Meta) error {
			sizes[key] = meta.Size
			return nil
		})
	}
	if err := list("a/"); err != nil || fmt.Sprint(sizes) != "map[a/1:3 a/2:3]" {
		t.Errorf("listed %v, %v", sizes, err)
	}
	stop := errors.New("stop")
	if err := b.List(t.Context(), "", func(string, layout.Meta) error { return stop }); !errors.Is(err, stop) {
		t.Errorf("stopped: got %v", err)
	}
	old, err := b.Stat(t.Context(), "a/1")
	if err != nil {
		t.Fatal(err)
	}
	b.Put("a/1", []byte("other"))
	if err := b.Delete(t.Context(), "a/1", old.Version); !errors.Is(err, publish.ErrConflict) {
		t.Errorf("deleted another version: %v", err)
	}
	b.Put("a/1", []byte("one"))
	b.FailOnce("a/1", publishtest.Lost)
	if err := b.Delete(t.Context(), "a/1", old.Version); err == nil {
		t.Error("the fault did not come about")
	}
	for range 2 {
		if err := b.Delete(t.Context(), "a/1", old.Version); err != nil {
			t.Error(err)
		}
	}
	if err := list(""); err != nil || fmt.Sprint(sizes) != "map[a/2:3 b/1:5]" {
		t.Errorf("left is %v, %v", sizes, err)
	}
}

// A judge that cannot condemn proves nothing.
func TestJudge(t *testing.T) {
	for _, tt := range []struct {
		name   string
		do     func(b *publishtest.Bucket) error
		errors int
	}{
		{"a pointer may change", func(b *publishtest.Bucket) error {
			return errors.Join(swap(t, b, pointer, "", "one"), swap(t, b, pointer, "one", "two"))
		}, 0},
		{"an immutable object may be written again", func(b *publishtest.Bucket) error {
			return errors.Join(create(t, b, byHash, "one"), swap(t, b, byHash, "one", "one"))
		}, 0},
		{"an immutable object may not change", func(b *publishtest.Bucket) error {
			return errors.Join(create(t, b, byHash, "one"), swap(t, b, byHash, "one", "two"))
		}, 1},
		{"a manifest may not change", func(b *publishtest.Bucket) error {
			return errors.Join(create(t, b, ".history/a/1.json", "one"), swap(t, b, ".history/a/1.json", "one", "two"))
		}, 1},
		{"a demanded fault must come about", func(b *publishtest.Bucket) error {
			b.FailOnce("Release", publishtest.Lost)
			return swap(t, b, pointer, "", "one")
		}, 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := &record{TB: t}
			if err := tt.do(publishtest.NewBucket(r)); err != nil {
				t.Fatal(err)
			}
			for _, f := range r.cleanup {
				f()
			}
			if len(r.errors) != tt.errors {
				t.Errorf("condemned for %q", r.errors)
			}
		})
	}
}

func TestFaults(t *testing.T) {
	for fault, want := range map[publishtest.Fault][]string{publishtest.Lost: nil, publishtest.Stored: {byHash}} {
		b := publishtest.NewBucket(t)
		b.FailOnce("by-hash/SHA256/*", fault)
		if err := create(t, b, byHash, "one"); err == nil || errors.Is(err, publish.ErrExists) {
			t.Errorf("%v: got %v", fault, err)
		}
		if got := b.Keys(); len(got) != len(want) {
			t.Errorf("%v: stored is %q, want %q", fault, got, want)
		}
		if err := create(t, b, byHash, "one"); err != nil && !errors.Is(err, publish.ErrExists) {
			t.Errorf("%v, once more: %v", fault, err)
		}
		if got := b.Writes(); len(got) != 2 || len(b.Writes()) != 0 {
			t.Errorf("%v: writes were %q", fault, got)
		}
	}
}

func TestClockAndHooks(t *testing.T) {
	b := publishtest.NewBucket(t)
	b.StopClock()
	first := b.Now()
	var seen []string
	b.Before("Swap", "InRelease", func() { seen = append(seen, "before"); b.SetClock(first.Add(-time.Hour)); b.StopClock() })
	b.After("Swap", "jammy/InRelease", func() { seen = append(seen, "after") })
	b.After("Swap", "focal/InRelease", func() { seen = append(seen, "other") })
	if err := swap(t, b, pointer, "", "one"); err != nil {
		t.Error(err)
	}
	meta, err := b.Stat(t.Context(), pointer)
	if err != nil || fmt.Sprint(seen) != "[before after]" || first.Sub(meta.Modified) < 59*time.Minute || !meta.Now.Equal(meta.Modified) {
		t.Errorf("hooks %q, object %+v, %v; the clock was at %v", seen, meta, err, first)
	}
}
