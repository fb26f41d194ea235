package file_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"repomill/pipelines/objects/file"
	"repomill/pipelines/objects/objectstest"
	"repomill/schemas/layout"
)

func TestFileBucket(t *testing.T) {
	objectstest.TestBucket(t, func(t *testing.T) objectstest.Bucket {
		dir := t.TempDir()
		t.Cleanup(func() { checkTemp(t, dir) })
		return openBucket(t, dir)
	})
}

func openBucket(t *testing.T, dir string) *file.Bucket {
	t.Helper()
	b, err := file.OpenBucket("file://" + dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.Close() })
	return b
}

// checkTemp fails if a write left something behind, or the bucket has hidden names besides .tmp, .lock and those of keys.
func checkTemp(t *testing.T, dir string) {
	t.Helper()
	entries, err := os.ReadDir(filepath.Join(dir, ".tmp"))
	if err != nil || len(entries) != 0 {
		t.Errorf(".tmp has %v, %v; want nothing", entries, err)
	}
	err = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && path != dir && strings.HasPrefix(d.Name(), ".") && !slices.Contains([]string{".tmp", ".lock", ".repomill", ".history"}, d.Name()) {
			t.Errorf("%s is left", path)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

func TestVersionIsTheDigest(t *testing.T) {
	dir := t.TempDir()
	b := openBucket(t, dir)
	digest := func(body string) layout.Version {
		sum := sha256.Sum256([]byte(body))
		return layout.Version(hex.EncodeToString(sum[:]))
	}
	if got := swap(t, b, "", pointer, "first"); got != digest("first") {
		t.Errorf("swap returns %s, want the digest", got)
	}
	create(t, b, pool, "deb")
	if err := b.Copy(t.Context(), pool, layout.ObjectOf("copy.deb")); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "by-hand"), []byte("hand"), 0o600); err != nil {
		t.Fatal(err)
	}
	for key, body := range map[string]string{pointer: "first", pool: "deb", "copy.deb": "deb", "by-hand": "hand"} {
		for _, b := range []objectstest.Bucket{b, openBucket(t, dir)} { // remembered, and computed
			if meta, err := b.Stat(t.Context(), key); err != nil || meta.Version != digest(body) {
				t.Errorf("%s: got %+v, %v; want version %s", key, meta, err, digest(body))
			}
		}
	}
}

// Two processes share the folder and nothing else.
func TestTwoBucketsOnOneFolder(t *testing.T) {
	dir := t.TempDir()
	a, b := openBucket(t, dir), openBucket(t, dir)
	first := swap(t, a, "", pointer, "first")
	second := swap(t, b, first, pointer, "2nd..")
	if _, err := a.Swap(t.Context(), first, layout.ObjectOf(pointer), strings.NewReader("late")); !errors.Is(err, layout.ErrConflict) {
		t.Errorf("a swap of what the other replaced: got %v, want ErrConflict", err)
	}
	if body, meta := get(t, a, pointer); body != "2nd.." || meta.Version != second {
		t.Errorf("got %q, %+v; want the other's", body, meta)
	}
	create(t, b, pool, "deb")
	if err := a.Create(t.Context(), layout.ObjectOf(pool), strings.NewReader("other")); !errors.Is(err, fs.ErrExist) {
		t.Errorf("a key that the other created: got %v, want ErrExist", err)
	}
	testBucketsTogether(t, a, b, second)
}

// testBucketsTogether lets two swap in turn, with bodies of one size, as fast as they can: file
// systems use inodes again, and several changes fall into one tick of their clocks.
func testBucketsTogether(t *testing.T, a, b *file.Bucket, version layout.Version) {
	for i := range 300 {
		if i%3 == 2 {
			a, b = b, a
		}
		body := fmt.Sprintf("%05d", i)
		version = swap(t, a, version, pointer, body)
		if i%2 == 0 {
			got, meta := get(t, b, pointer)
			if got != body || meta.Version != version {
				t.Fatalf("swap %d: the other reads %q with version %s, want %q with %s", i, got, meta.Version, body, version)
			}
		}
	}
}

// A file that changes twice within one tick of the file system's clock looks the same as before.
func TestVersionWithinATick(t *testing.T) {
	dir := t.TempDir()
	b := openBucket(t, dir)
	path := filepath.Join(dir, "pointer")
	first := swap(t, b, "", "pointer", "first")
	before, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte("other"), 0o600); err != nil { // the same inode and size
		t.Fatal(err)
	}
	if err := os.Chtimes(path, time.Time{}, before.ModTime()); err != nil {
		t.Fatal(err)
	}
	if _, err := b.Swap(t.Context(), first, layout.ObjectOf("pointer"), strings.NewReader("late")); !errors.Is(err, layout.ErrConflict) {
		t.Errorf("got %v, want ErrConflict", err)
	}
}

func TestBucketModesUnderAnyUmask(t *testing.T) {
	defer syscall.Umask(syscall.Umask(0o077))
	dir := filepath.Join(t.TempDir(), "bucket")
	b := openBucket(t, dir)
	create(t, b, pool, "deb")
	swap(t, b, "", pointer, "first")
	if err := b.Copy(t.Context(), pool, layout.ObjectOf("acme/tools/copy.deb")); err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		name, _ := filepath.Rel(dir, path)
		want := fs.FileMode(0o644)
		switch {
		case name == ".tmp" || name == ".lock":
			want = info.Mode().Perm() & 0o700
		case d.IsDir():
			want = 0o755
		}
		if info.Mode().Perm() != want {
			got[name] = fmt.Sprintf("%v, want %v", info.Mode().Perm(), want)
		}
		return nil
	})
	if err != nil || len(got) != 0 {
		t.Errorf("modes: %v, %v", got, err)
	}
}

func TestBucketRefusesKeys(t *testing.T) {
	outside := t.TempDir()
	dir := filepath.Join(outside, "bucket")
	b := openBucket(t, dir)
	if err := os.WriteFile(filepath.Join(outside, "secret"), []byte("secret"), 0o600); err != nil {
		t.Fatal(err)
	}
	create(t, b, pool, "deb")
	for _, key := range []string{"", ".", "..", "../secret", "a/../../secret", "a/../b", "a/..", "/secret", "//secret", "a//b", "a/", "./a", "a/./b",
		filepath.Join(outside, "secret"), "a/" + strings.Repeat("x", 256)} {
		checkRefused(t, b, key)
	}
	checkTemp(t, dir)
	if entries, err := os.ReadDir(outside); err != nil || len(entries) != 2 {
		t.Errorf("outside there are %v, %v", entries, err)
	}
}

// checkRefused fails if any method does something with a key.
func checkRefused(t *testing.T, b *file.Bucket, key string) {
	t.Helper()
	o := layout.ObjectOf(key)
	if _, _, err := b.Get(t.Context(), key); err == nil {
		t.Errorf("get %q: read", key)
	}
	if _, err := b.Stat(t.Context(), key); err == nil {
		t.Errorf("stat %q: found", key)
	}
	if _, _, err := b.Open(t.Context(), key); err == nil {
		t.Errorf("open %q: opened", key)
	}
	if err := b.Create(t.Context(), o, strings.NewReader("body")); err == nil {
		t.Errorf("create %q: created", key)
	}
	if _, err := b.Swap(t.Context(), "", o, strings.NewReader("body")); err == nil {
		t.Errorf("swap %q: created", key)
	}
	if err := b.Copy(t.Context(), pool, o); err == nil {
		t.Errorf("copy to %q: created", key)
	}
	if err := b.Copy(t.Context(), key, layout.ObjectOf("copied")); err == nil {
		t.Errorf("copy from %q: copied", key)
	}
}

func TestBucketDoesNotFollowLinksOut(t *testing.T) {
	outside, dir := t.TempDir(), t.TempDir()
	if err := os.WriteFile(filepath.Join(outside, "secret"), []byte("secret"), 0o600); err != nil {
		t.Fatal(err)
	}
	b := openBucket(t, dir)
	create(t, b, pool, "deb")
	relative, err := filepath.Rel(dir, outside)
	if err != nil {
		t.Fatal(err)
	}
	for name, target := range map[string]string{"folder": outside, "relative": relative, "file": filepath.Join(outside, "secret"), "dangling": filepath.Join(outside, "new")} {
		if err := os.Symlink(target, filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	for _, key := range []string{"folder/secret", "folder/new", "folder/new/deep", "relative/secret", "file", "dangling"} {
		t.Run(key, func(t *testing.T) {
			if key == "file" || key == "dangling" { // Swap may take the place of a link, but must not follow it
				if _, _, err := b.Get(t.Context(), key); err == nil {
					t.Error("read")
				}
				if err := b.Create(t.Context(), layout.ObjectOf(key), strings.NewReader("body")); err == nil {
					t.Error("created")
				}
				return
			}
			checkRefused(t, b, key)
		})
	}
	checkTemp(t, dir)
	entries, err := os.ReadDir(outside)
	secret, _ := os.ReadFile(filepath.Join(outside, "secret"))
	if err != nil || len(entries) != 1 || string(secret) != "secret" {
		t.Errorf("outside there are %v, %q, %v", entries, secret, err)
	}
}

func TestOpenForServing(t *testing.T) {
	b := openBucket(t, t.TempDir())
	version := swap(t, b, "", pointer, "0123456789")
	f, meta, err := b.Open(t.Context(), pointer)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.Seek(5, io.SeekStart); err != nil {
		t.Fatal(err)
	}
	if rest, err := io.ReadAll(f); string(rest) != "56789" || err != nil || meta.Size != 10 || meta.Modified.IsZero() || meta.Now.IsZero() {
		t.Errorf("got %q, %v, %+v", rest, err, meta)
	}
	swap(t, b, version, pointer, "longer than before")
	g, changed, err := b.Open(t.Context(), pointer)
	if err != nil {
		t.Fatal(err)
	}
	defer g.Close()
	if changed.Version == meta.Version || changed.Version == "" {
		t.Errorf("the version is %q, and was %q", changed.Version, meta.Version)
	}
	if _, meta, err := b.Open(t.Context(), "absent"); !errors.Is(err, fs.ErrNotExist) || meta.Now.IsZero() {
		t.Errorf("absent: got %+v, %v; want ErrNotExist", meta, err)
	}
}

// What a crash left is removed soon after; what another process is writing is not, however long it takes.
func TestOpenBucketRemovesLeftovers(t *testing.T) {
	dir := t.TempDir()
	writer := openBucket(t, dir)
	body, rest := io.Pipe()
	written := make(chan error, 1)
	go func() { // a swap needs a name while it is written
		_, err := writer.Swap(t.Context(), "", layout.ObjectOf(pool), body)
		written <- err
	}()
	if _, err := rest.Write([]byte("begun")); err != nil { // returns when the file is there
		t.Fatal(err)
	}
	temp := filepath.Join(dir, ".tmp")
	begun, err := os.ReadDir(temp)
	if err != nil || len(begun) != 1 {
		t.Fatalf(".tmp has %v, %v; want the file that is being written", begun, err)
	}
	for name, age := range map[string]time.Duration{"old": 2 * time.Minute, "young": 30 * time.Second, begun[0].Name(): time.Hour} {
		path := filepath.Join(temp, name)
		f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY, 0o600)
		if err == nil {
			err = errors.Join(f.Close(), os.Chtimes(path, time.Time{}, time.Now().Add(-age)))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	openBucket(t, dir)
	entries, err := os.ReadDir(temp)
	if err != nil {
		t.Fatal(err)
	}
	var left []string
	for _, e := range entries {
		left = append(left, e.Name())
	}
	want := []string{begun[0].Name(), "young"}
	slices.Sort(want)
	if diff := cmp.Diff(want, left); diff != "" {
		t.Errorf("left (-want +got):\n%s", diff)
	}
	rest.Close()
	if err := <-written; err != nil {
		t.Errorf("the slow writer: %v", err)
	}
}

// Files that are being written are not objects, and neither is the lock.
func TestListLeavesOutItsOwnFiles(t *testing.T) {
	dir := t.TempDir()
	b := openBucket(t, dir)
	swap(t, b, "", pointer, "first") // makes the lock
	for _, path := range []string{".tmp/part", ".tmp/dir/part", "acme/.lock"} {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, path)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, path), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink("acme", filepath.Join(dir, "link")); err != nil {
		t.Fatal(err)
	}
	for prefix, want := range map[string][]string{"": {"acme/.lock", pointer}, ".": nil, ".tmp/": nil, ".tmp/dir/": nil, ".lock": nil, "link": nil, "acme/.": {"acme/.lock"}} {
		var got []string
		err := b.List(t.Context(), prefix, func(key string, _ layout.Meta) error {
			got = append(got, key)
			return nil
		})
		slices.Sort(got)
		if diff := cmp.Diff(want, got); diff != "" || err != nil {
			t.Errorf("list %q: %v (-want +got):\n%s", prefix, err, diff)
		}
	}
	if err := b.List(t.Context(), "../x", func(string, layout.Meta) error { return nil }); !errors.Is(err, fs.ErrInvalid) {
		t.Errorf("list what is outside: got %v, want ErrInvalid", err)
	}
}

func TestOpenRefusesURLs(t *testing.T) {
	for _, url := range []string{"", "/data/bucket", "file://", "s3://bucket", "file:/data"} {
		if b, err := file.OpenBucket(url); err == nil || !strings.Contains(err.Error(), "file:///path/to/folder") {
			t.Errorf("bucket %q: got %v, %v; want the form of a URL", url, b, err)
		}
		if s, err := file.OpenStaging(url); err == nil || !strings.Contains(err.Error(), "file:///path/to/folder") {
			t.Errorf("staging %q: got %v, %v; want the form of a URL", url, s, err)
		}
	}
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := file.OpenBucket("file://" + path); err == nil {
		t.Error("a file was opened as a bucket")
	}
}

func TestCreateWithoutReading(t *testing.T) {
	b := openBucket(t, t.TempDir())
	create(t, b, pool, "deb")
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	if err := b.Create(ctx, layout.ObjectOf(pool), strings.NewReader("deb")); !errors.Is(err, fs.ErrExist) {
		t.Errorf("got %v, want ErrExist", err)
	}
	// A key below an object, or that is a folder, cannot be kept in files.
	for _, key := range []string{pool + "/below", "acme/tools"} {
		if err := b.Create(ctx, layout.ObjectOf(key), strings.NewReader("x")); err == nil {
			t.Errorf("%s was created", key)
		}
	}
	checkBody(t, b, pool, "deb")
}
