package objectstest

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"

	"repomill/schemas/layout"
)

// list returns what a bucket lists below a prefix, each key once.
func list(t *testing.T, b Bucket, prefix string) map[string]layout.Meta {
	t.Helper()
	listed := map[string]layout.Meta{}
	err := b.List(t.Context(), prefix, func(key string, meta layout.Meta) error {
		if _, ok := listed[key]; ok {
			t.Errorf("%s is listed twice", key)
		}
		listed[key] = meta
		return nil
	})
	if err != nil {
		t.Errorf("list %q: %v", prefix, err)
	}
	return listed
}

func listObjects(t *testing.T, b Bucket) {
	if got := list(t, b, ""); len(got) != 0 {
		t.Errorf("an empty bucket lists %v", got)
	}
	keys := []string{
		".history/acme/tools/ubuntu/jammy/1-ab.json", ".repomill/acme/tools.json",
		"acme/tools-more/gpgkey", "acme/tools/el/9.repo", "acme/tools/el/9/x86_64/a.rpm", "acme/tools/el/9/x86_64/e1/a.rpm", "acme/tools/gpgkey",
	}
	for _, key := range keys {
		Create(t, b, key, key)
	}
	for _, prefix := range []string{"", ".", ".history/", "acme/tools", "acme/tools/", "acme/tools/el/9", "acme/tools/el/9/", "acme/tools/el/9/x86_64/a.rpm",
		"acme/tools/el/9/x86_64/a.rpm/", "acme/tools/gpgkey/below/it", "absent/", "absent", "acme/tools/el/9/x86_64/e"} {
		want := slices.DeleteFunc(slices.Clone(keys), func(key string) bool { return !strings.HasPrefix(key, prefix) })
		got := list(t, b, prefix)
		if diff := cmp.Diff(want, slices.Sorted(maps.Keys(got)), cmp.Transformer("", func(s []string) []string { return append([]string{}, s...) })); diff != "" {
			t.Errorf("list %q (-want +got):\n%s", prefix, diff)
		}
		for key, meta := range got {
			stat, err := b.Stat(t.Context(), key)
			if err != nil || meta.Version != "" && meta.Version != stat.Version || meta.Size != int64(len(key)) || meta.Now.IsZero() || meta.Modified.Sub(stat.Modified).Abs().Seconds() >= 1 {
				t.Errorf("%s is listed as %+v; stat has %+v, %v", key, meta, stat, err)
			}
		}
	}
}

func listEnds(t *testing.T, b Bucket) {
	for _, key := range []string{"a", "b", "c"} {
		Create(t, b, key, "")
	}
	calls := 0
	err := b.List(t.Context(), "", func(string, layout.Meta) error {
		calls++
		return errBody
	})
	if !errors.Is(err, errBody) || calls != 1 {
		t.Errorf("got %v after %d calls, want the caller's error after the first", err, calls)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := b.List(ctx, "", func(string, layout.Meta) error { return nil }); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: got %v", err)
	}
}

func deleteVersions(t *testing.T, b Bucket) {
	if err := b.Delete(t.Context(), Pool, "version"); err != nil {
		t.Errorf("delete what was never there: %v", err)
	}
	first := Swap(t, b, "", Pointer, "first")
	second := Swap(t, b, first, Pointer, "second")
	Create(t, b, Pool, "deb")
	for _, v := range []layout.Version{first, ""} {
		if err := b.Delete(t.Context(), Pointer, v); !errors.Is(err, layout.ErrConflict) {
			t.Errorf("delete version %q: got %v, want ErrConflict", v, err)
		}
	}
	CheckBody(t, b, Pointer, "second")
	for range 2 {
		if err := b.Delete(t.Context(), Pointer, second); err != nil {
			t.Errorf("delete: %v", err)
		}
		CheckAbsent(t, b, Pointer)
	}
	CheckBody(t, b, Pool, "deb")
	if got := list(t, b, ""); len(got) != 1 {
		t.Errorf("listed %v, want one object", got)
	}
	Create(t, b, Pointer, "third") // the key is free again
	CheckBody(t, b, Pointer, "third")
}

func deleteConcurrently(t *testing.T, b Bucket) {
	Create(t, b, Pool, "deb")
	_, meta := Get(t, b, Pool)
	Race(8, func(int) {
		if err := b.Delete(t.Context(), Pool, meta.Version); err != nil {
			t.Errorf("delete: %v", err)
		}
	})
	CheckAbsent(t, b, Pool)
}

// Keys as packages make them: an RPM version may hold ^ and ~, a DEB version + and ~ and, in its middle, a colon.
func oddKeys(t *testing.T, b Bucket) {
	const dir = "acme/tools/ubuntu/pool/jammy/main/libs/libstdc++6/"
	for _, name := range []string{"libstdc++6_12.3.0-1~22.04_amd64.deb", "hello-1.0~rc1^git1+abc-1.el9.x86_64.rpm", "a:b_1:2_all.deb", "per%2Bcent_1_all.deb", "b l a n k", "a=b&c;d,e@f!g(h)*'$?#"} {
		key := dir + name
		Create(t, b, key, key)
		CheckBody(t, b, key, key)
		if err := b.Copy(t.Context(), key, layout.ObjectOf("copy/"+name)); err != nil {
			t.Errorf("copy %s: %v", key, err)
			continue
		}
		CheckBody(t, b, "copy/"+name, key)
		got := list(t, b, key)
		if _, ok := got[key]; !ok || len(got) != 1 {
			t.Errorf("list %s: got %v", key, got)
		}
		meta, err := b.Stat(t.Context(), key)
		if err != nil {
			t.Fatal(err)
		}
		if err := b.Delete(t.Context(), key, meta.Version); err != nil {
			t.Errorf("delete %s: %v", key, err)
		}
		CheckAbsent(t, b, key)
		CheckBody(t, b, "copy/"+name, key)
	}
}

func refusedKeys(t *testing.T, b Bucket) {
	Create(t, b, Pool, "deb")
	for _, key := range []string{"", ".", "..", "/a", "a/", "a//b", "a/../b", "./a"} {
		o := layout.ObjectOf(key)
		_, swapErr := b.Swap(t.Context(), "", o, strings.NewReader("x"))
		for what, err := range map[string]error{
			"create":    b.Create(t.Context(), o, strings.NewReader("x")),
			"swap":      swapErr,
			"copy to":   b.Copy(t.Context(), Pool, o),
			"copy from": b.Copy(t.Context(), key, layout.ObjectOf("copied")),
			"delete":    b.Delete(t.Context(), key, "version"),
		} {
			if !errors.Is(err, fs.ErrInvalid) {
				t.Errorf("%s %q: got %v, want ErrInvalid", what, key, err)
			}
		}
	}
	if got := list(t, b, ""); len(got) != 1 {
		t.Errorf("listed %v, want one object", got)
	}
}

// large is more than any store takes at once, and not a multiple of anything.
const large = 21<<20 + 4711

func largeBody() string { return strings.Repeat("0123456789abcdef", large/16+1)[:large] }

func createLarge(t *testing.T, b Bucket) {
	if testing.Short() {
		t.Skip("stores large objects many times")
	}
	body := largeBody()
	for _, size := range []int{8 << 20, 8<<20 + 1, large} {
		if err := b.Create(t.Context(), layout.ObjectOf(Pool), iotest.HalfReader(strings.NewReader(body[:size]))); err != nil {
			t.Fatal(err)
		}
		CheckBody(t, b, Pool, body[:size])
		_, meta := Get(t, b, Pool)
		if err := b.Create(t.Context(), layout.ObjectOf(Pool), strings.NewReader(body[1:size])); !errors.Is(err, fs.ErrExist) {
			t.Errorf("again: got %v, want ErrExist", err)
		}
		if err := b.Copy(t.Context(), Pool, layout.ObjectOf("copied")); err != nil {
			t.Errorf("copy: %v", err)
		}
		CheckBody(t, b, "copied", body[:size])
		_, copied := Get(t, b, "copied")
		for key, v := range map[string]layout.Version{Pool: meta.Version, "copied": copied.Version} {
			if err := b.Delete(t.Context(), key, v); err != nil {
				t.Errorf("delete %s: %v", key, err)
			}
		}
	}
}

func swapLarge(t *testing.T, b Bucket) {
	body := largeBody()
	first := Swap(t, b, "", Pointer, body)
	if _, err := b.Swap(t.Context(), "", layout.ObjectOf(Pointer), strings.NewReader(body[1:])); !errors.Is(err, layout.ErrConflict) {
		t.Errorf("swap nothing: got %v, want ErrConflict", err)
	}
	CheckBody(t, b, Pointer, body)
	Swap(t, b, first, Pointer, body[1:])
	if _, err := b.Swap(t.Context(), first, layout.ObjectOf(Pointer), strings.NewReader(body)); !errors.Is(err, layout.ErrConflict) {
		t.Errorf("swap the first again: got %v, want ErrConflict", err)
	}
	CheckBody(t, b, Pointer, body[1:])
}

// A claim is committed at the end of a body: the bytes before it must not be visible until then.
func withheldEnd(t *testing.T, b Bucket) {
	for _, size := range []int{0, 3, large} {
		body := io.MultiReader(strings.NewReader(largeBody()[:size]), atEnd(func() { CheckAbsent(t, b, Pool) }))
		if err := b.Create(t.Context(), layout.ObjectOf(Pool), body); err != nil {
			t.Fatal(err)
		}
		stat, err := b.Stat(t.Context(), Pool)
		if err != nil || stat.Size != int64(size) {
			t.Errorf("got %+v, %v; want %d bytes", stat, err, size)
		}
		if err := b.Delete(t.Context(), Pool, stat.Version); err != nil {
			t.Error(err)
		}
	}
}

// An atEnd is a reader of nothing that is called before it ends.
type atEnd func()

func (f atEnd) Read([]byte) (int, error) {
	f()
	return 0, io.EOF
}
