package file_test

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"repomill/pipelines/objects/file"
	"repomill/pipelines/objects/objectstest"
	"repomill/schemas/catalog"
)

const staged = objectstest.Staged

func TestFileStaging(t *testing.T) {
	objectstest.TestStaging(t, func(t *testing.T) objectstest.Staging {
		s := openStaging(t)
		t.Cleanup(func() { checkNoParts(t, s) })
		return s
	})
}

func openStaging(t *testing.T) *file.Staging {
	t.Helper()
	s, err := file.OpenStaging("file://" + filepath.Join(t.TempDir(), "staging"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// write puts a file into the staging folder as a stranger would: in place, name first.
func write(t *testing.T, s *file.Staging, object, body string) catalog.Upload {
	t.Helper()
	path := filepath.Join(s.Path(), object)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(body), 0o600); err != nil {
		t.Fatal(err)
	}
	return stat(t, s, object)
}

func stat(t *testing.T, s *file.Staging, object string) catalog.Upload {
	t.Helper()
	u, err := s.Stat(t.Context(), object)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

// tick lets the file system's clock go on: what happens within one tick looks like one change.
func tick() { time.Sleep(20 * time.Millisecond) }

func read(t *testing.T, s *file.Staging, u catalog.Upload) (string, error) {
	t.Helper()
	r, _, err := s.Open(t.Context(), u)
	if err != nil {
		return "", err
	}
	defer r.Close()
	body, err := io.ReadAll(r)
	return string(body), err
}

// changes are ways in which a staged file becomes another generation.
var changes = map[string]func(t *testing.T, path string){
	"written again": func(t *testing.T, path string) { must(t, os.WriteFile(path, []byte("other"), 0o600)) },
	"truncated":     func(t *testing.T, path string) { must(t, os.Truncate(path, 1)) },
	"removed":       func(t *testing.T, path string) { must(t, os.Remove(path)) },
	"removed and remade": func(t *testing.T, path string) {
		must(t, os.Remove(path))
		must(t, os.WriteFile(path, []byte("other"), 0o600))
	},
	"renamed over": func(t *testing.T, path string) {
		must(t, os.WriteFile(path+".new", []byte("other"), 0o600))
		must(t, os.Rename(path+".new", path))
	},
	"written again under the old date": func(t *testing.T, path string) {
		if runtime.GOOS != "linux" {
			t.Skip("only Linux has a time of change that nobody can set")
		}
		info, err := os.Stat(path)
		must(t, err)
		must(t, os.WriteFile(path, []byte("other"), 0o600))
		must(t, os.Chtimes(path, time.Time{}, info.ModTime()))
	},
	"appended to": func(t *testing.T, path string) {
		f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
		must(t, err)
		_, err = f.WriteString("more")
		must(t, errors.Join(err, f.Close()))
	},
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestGenerationNamesAState(t *testing.T) {
	for name, change := range changes {
		t.Run(name, func(t *testing.T) {
			s := openStaging(t)
			u := write(t, s, staged, "hello")
			want := catalog.Upload{Bucket: file.FolderName, Object: staged, Generation: u.Generation, Size: 5}
			if u != want || !regexp.MustCompile(`^[0-9a-f-]{3,60}$`).MatchString(u.Generation) {
				t.Errorf("got %+v, want %+v", u, want)
			}
			if body, err := read(t, s, u); body != "hello" || err != nil {
				t.Errorf("got %q, %v", body, err)
			}
			if again := stat(t, s, staged); again != u {
				t.Errorf("reading makes it %+v", again)
			}
			tick()
			change(t, filepath.Join(s.Path(), staged))
			if now, err := s.Stat(t.Context(), staged); err == nil && now.Generation == u.Generation {
				t.Errorf("it has still generation %s", u.Generation)
			} else if err != nil && !errors.Is(err, fs.ErrNotExist) {
				t.Error(err)
			}
			if body, err := read(t, s, u); !errors.Is(err, catalog.ErrGone) {
				t.Errorf("the old generation: got %q, %v; want ErrGone", body, err)
			}
		})
	}
}

// A reader that has begun gets all of one generation, or ErrGone instead of the end.
func TestChangeWhileReading(t *testing.T) {
	for name, change := range changes {
		t.Run(name, func(t *testing.T) {
			s := openStaging(t)
			u := write(t, s, staged, "hello")
			r, _, err := s.Open(t.Context(), u)
			must(t, err)
			defer r.Close()
			if _, err := io.ReadFull(r, make([]byte, 2)); err != nil {
				t.Fatal(err)
			}
			tick()
			change(t, filepath.Join(s.Path(), staged))
			for range 2 { // the error stays
				if rest, err := io.ReadAll(r); !errors.Is(err, catalog.ErrGone) {
					t.Errorf("got %q, %v; want ErrGone", rest, err)
				}
			}
		})
	}
}

func TestOpenAbsentUpload(t *testing.T) {
	s := openStaging(t)
	u := write(t, s, staged, "hello")
	for _, object := range []string{"absent", staged + "/below", "acme/tools", "", ".", "..", "../" + staged, "/etc/passwd", "a\x00b"} {
		other := u
		other.Object = object
		if body, err := read(t, s, other); !errors.Is(err, catalog.ErrGone) {
			t.Errorf("open %q: got %q, %v; want ErrGone", object, body, err)
		}
		if u, err := s.Stat(t.Context(), object); err == nil {
			t.Errorf("stat %q: got %+v", object, u)
		}
	}
}

// within fails the test if f does not return soon.
func within(t *testing.T, what string, f func()) {
	t.Helper()
	done := make(chan struct{})
	go func() { f(); close(done) }()
	select {
	case <-done:
	case <-time.After(time.Minute):
		t.Fatalf("%s blocks", what)
	}
}

// Only a regular file is an upload; a reader of anything else does not hang.
func TestIrregularFiles(t *testing.T) {
	secret := filepath.Join(t.TempDir(), "secret")
	must(t, os.WriteFile(secret, []byte("secret"), 0o600))
	for name, place := range map[string]func(t *testing.T, path string){
		"a FIFO":           func(t *testing.T, path string) { must(t, syscall.Mkfifo(path, 0o600)) },
		"a folder":         func(t *testing.T, path string) { must(t, os.Mkdir(path, 0o700)) },
		"a link out":       func(t *testing.T, path string) { must(t, os.Symlink(secret, path)) },
		"a dangling link":  func(t *testing.T, path string) { must(t, os.Symlink("nothing", path)) },
		"a link to itself": func(t *testing.T, path string) { must(t, os.Symlink(filepath.Base(path), path)) },
		"a link to a FIFO": func(t *testing.T, path string) {
			must(t, syscall.Mkfifo(path+"2", 0o600))
			must(t, os.Symlink(filepath.Base(path)+"2", path))
		},
		"a link to a staged package": func(t *testing.T, path string) {
			must(t, os.WriteFile(path+".ok", []byte("hello"), 0o600))
			must(t, os.Symlink(filepath.Base(path)+".ok", path))
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := openStaging(t)
			u := write(t, s, staged, "hello")
			tick()
			path := filepath.Join(s.Path(), staged)
			must(t, os.Remove(path))
			place(t, path)
			within(t, "Stat", func() {
				if u, err := s.Stat(t.Context(), staged); !errors.Is(err, fs.ErrNotExist) {
					t.Errorf("stat: got %+v, %v; want ErrNotExist", u, err)
				}
			})
			within(t, "Open", func() {
				if r, _, err := s.Open(t.Context(), u); !errors.Is(err, catalog.ErrGone) {
					t.Errorf("open: got %v, %v; want ErrGone", r, err)
				}
			})
			within(t, "List", func() {
				for _, object := range list(t, s) {
					if object != staged+".ok" {
						t.Errorf("%s is listed", object)
					}
				}
			})
		})
	}
}

// A link to a folder is not looked into, wherever it leads.
func TestLinkedFolders(t *testing.T) {
	s := openStaging(t)
	write(t, s, staged, "hello")
	outside := t.TempDir()
	must(t, os.WriteFile(filepath.Join(outside, "secret"), []byte("secret"), 0o600))
	must(t, os.Symlink(outside, filepath.Join(s.Path(), "acme/out")))
	must(t, os.Symlink(".", filepath.Join(s.Path(), "acme/loop")))
	if diff := cmp.Diff([]string{staged}, list(t, s)); diff != "" {
		t.Errorf("listed (-want +got):\n%s", diff)
	}
	if u, err := s.Stat(t.Context(), "acme/out/secret"); err == nil {
		t.Errorf("stat through a link out: got %+v", u)
	}
	if _, err := s.Put(t.Context(), "acme/out/new", strings.NewReader("x"), catalog.Pusher{}); err == nil {
		t.Error("put through a link out")
	}
}

// list returns what is whole, as an hour later.
func list(t *testing.T, s *file.Staging) []string {
	t.Helper()
	var all []string
	err := s.List(t.Context(), time.Now().Add(time.Hour), func(u catalog.Upload) {
		if u != stat(t, s, u.Object) {
			t.Errorf("listed as %+v", u)
		}
		all = append(all, u.Object)
	})
	if err != nil {
		t.Errorf("list: %v", err)
	}
	return all
}

func TestList(t *testing.T) {
	s := openStaging(t)
	for _, object := range []string{"b/file", "a/deep/er/file", "top", ".hidden", "a/.hidden", "a/.folder/file", ".results/a/file.json", "a/file.part", "a/with blank", "a/é"} {
		write(t, s, object, "x")
	}
	if diff := cmp.Diff([]string{"a/deep/er/file", "a/file.part", "a/with blank", "a/é", "b/file", "top"}, list(t, s)); diff != "" {
		t.Errorf("listed (-want +got):\n%s", diff)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.List(ctx, time.Now(), func(catalog.Upload) {}); !errors.Is(err, context.Canceled) {
		t.Errorf("after the end: got %v, want Canceled", err)
	}
}

// A file that takes the place of another just before it is deleted is put back.
func TestDeleteKeepsReplacement(t *testing.T) {
	for name, change := range changes {
		t.Run(name, func(t *testing.T) {
			s := openStaging(t)
			u := write(t, s, staged, "hello")
			tick()
			path := filepath.Join(s.Path(), staged)
			change(t, path)
			before, _ := os.ReadFile(path)
			must(t, s.Delete(t.Context(), u))
			after, _ := os.ReadFile(path)
			if diff := cmp.Diff(before, after); diff != "" {
				t.Errorf("bytes (-before +after):\n%s", diff)
			}
			checkNoParts(t, s)
		})
	}
}

// A process that deletes an old generation does not remove files that another one puts at the same time.
func TestDeleteWhilePutting(t *testing.T) {
	s := openStaging(t)
	for i := range 200 {
		old := write(t, s, staged, "old")
		var put catalog.Upload
		race(2, func(i int) {
			var err error
			if i == 0 {
				err = s.Delete(t.Context(), old)
			} else {
				put, err = s.Put(t.Context(), staged, strings.NewReader("new one"), catalog.Pusher{})
			}
			if err != nil {
				t.Error(err)
			}
		})
		now := stat(t, s, staged) // it may have been put back, which changes its generation
		if body, err := read(t, s, now); body != "new one" || err != nil {
			t.Fatalf("round %d: %+v has %q, %v; want what was put as %+v", i, now, body, err, put)
		}
	}
}

// A program that overwrites a pushed file is not its pusher.
func TestPusherIsOfTheBytesThatWerePushed(t *testing.T) {
	dir := t.TempDir()
	s, err := file.OpenStaging("file://" + dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	const object = "acme/tools/ubuntu/jammy/hello.deb"
	pusher := func() catalog.Pusher {
		t.Helper()
		u, err := s.Stat(t.Context(), object)
		if err != nil {
			t.Fatal(err)
		}
		body, by, err := s.Open(t.Context(), u)
		if err != nil {
			t.Fatal(err)
		}
		body.Close()
		return by
	}
	kim := catalog.Pusher{User: "kim", Job: "https://ci.example/7"}
	if _, err := s.Put(t.Context(), object, strings.NewReader("bytes"), kim); err != nil {
		t.Fatal(err)
	}
	if got := pusher(); got != kim && got != (catalog.Pusher{}) { // none, where the file system keeps no attributes
		t.Errorf("got %+v, want %+v", got, kim)
	}
	path := filepath.Join(dir, object)
	if err := os.WriteFile(path, []byte("other"), 0o644); err != nil {
		t.Fatal(err)
	}
	later := time.Now().Add(time.Second)
	if err := os.Chtimes(path, later, later); err != nil { // the kernel's clock may be too coarse
		t.Fatal(err)
	}
	if got := pusher(); got != (catalog.Pusher{}) {
		t.Errorf("overwritten: got %+v, want no name", got)
	}
}
