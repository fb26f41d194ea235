package objectstest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/google/go-cmp/cmp"

	"repomill/schemas/catalog"
	"repomill/schemas/layout"
)

// A Staging is what the pipelines and CI ask of a staging bucket.
type Staging interface {
	Name() string
	Open(ctx context.Context, u catalog.Upload) (io.ReadCloser, catalog.Pusher, error)
	Stat(ctx context.Context, object string) (catalog.Upload, error)
	List(ctx context.Context, now time.Time, f func(catalog.Upload)) error
	Put(ctx context.Context, object string, body io.Reader, by catalog.Pusher) (catalog.Upload, error)
	Create(ctx context.Context, object string, body io.Reader, by catalog.Pusher) (catalog.Upload, error)
	Move(ctx context.Context, u catalog.Upload, object string) (catalog.Upload, error)
	SweepIncoming(ctx context.Context, now time.Time) error
	Delete(ctx context.Context, u catalog.Upload) error
	Verdict(ctx context.Context, object string) ([]byte, layout.Version, error)
	PutVerdict(ctx context.Context, object string, old layout.Version, body []byte) error
	DeleteVerdict(ctx context.Context, object string, old layout.Version) error
	io.Closer
}

// Staged is the staging key that most of the facts are about.
const Staged = "acme/tools/ubuntu/jammy/hello.deb"

var pusher = catalog.Pusher{User: "release-bot", Job: "https://ci.example.com/job/1?a=b"}

// TestStaging runs the tests of a staging bucket. open returns an empty one, which is closed at the end of the test.
func TestStaging(t *testing.T, open func(*testing.T) Staging) {
	for _, tt := range []struct {
		fact string
		test func(*testing.T, Staging)
	}{
		{"what is not there is gone", stagedAbsent},
		{"an object is what was put", stagedObject},
		{"an object may be empty", stagedEmpty},
		{"an object may be large", stagedLarge},
		{"names may be odd", stagedNames},
		{"hidden names are not listed", stagedHidden},
		{"a body that fails is put by nobody", stagedFailing},
		{"a put that is called off stores nothing", stagedCancelled},
		{"each put is a generation of its own", stagedGenerations},
		{"an object that is replaced while it is read is whole or gone", stagedReplaced},
		{"of concurrent puts one is there", stagedConcurrently},
		{"what is created is never replaced", stagedCreated},
		{"of concurrent creations one succeeds", createdConcurrently},
		{"what is moved keeps bytes and pusher, and replaces nothing", stagedMoved},
		{"what lies in the place of incoming uploads for a day is removed", stagedSwept},
		{"a deletion is of one generation", stagedDelete},
		{"a verdict is replaced by version", verdictVersions},
		{"of concurrent verdicts one wins each version", verdictConcurrently},
		{"a verdict is removed by version", verdictDeleted},
		{"what cannot have a verdict says so", verdictInvalid},
	} {
		t.Run(tt.fact, func(t *testing.T) { tt.test(t, open(t)) })
	}
}

func put(t *testing.T, s Staging, object, body string) catalog.Upload {
	t.Helper()
	u, err := s.Put(t.Context(), object, strings.NewReader(body), pusher)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

func read(t *testing.T, s Staging, u catalog.Upload) (string, error) {
	t.Helper()
	r, by, err := s.Open(t.Context(), u)
	if err != nil {
		return "", err
	}
	defer r.Close()
	if by != pusher {
		t.Errorf("%s was pushed by %+v, want %+v", u, by, pusher)
	}
	body, err := io.ReadAll(r)
	return string(body), err
}

// checkStaged fails unless an upload is there, with these bytes.
func checkStaged(t *testing.T, s Staging, u catalog.Upload, want string) {
	t.Helper()
	if got, err := read(t, s, u); got != want || err != nil {
		t.Errorf("%s: got %d bytes %.40q, %v; want %d bytes %.40q", u, len(got), got, err, len(want), want)
	}
	if u.Bucket != s.Name() || u.Generation == "" || u.Size != int64(len(want)) {
		t.Errorf("got %+v, want %d bytes in bucket %s", u, len(want), s.Name())
	}
	if now, err := s.Stat(t.Context(), u.Object); now != u || err != nil {
		t.Errorf("stat: got %+v, %v; want %+v", now, err, u)
	}
}

// checkListed fails unless these uploads are listed.
func checkListed(t *testing.T, s Staging, want ...catalog.Upload) {
	t.Helper()
	var got []catalog.Upload
	if err := s.List(t.Context(), time.Now().Add(time.Hour), func(u catalog.Upload) { got = append(got, u) }); err != nil {
		t.Error(err)
	}
	for _, all := range [][]catalog.Upload{got, want} {
		slices.SortFunc(all, func(a, b catalog.Upload) int { return strings.Compare(a.Object, b.Object) })
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("listed (-want +got):\n%s", diff)
	}
}

func checkGone(t *testing.T, s Staging, u catalog.Upload) {
	t.Helper()
	if got, err := read(t, s, u); !errors.Is(err, catalog.ErrGone) {
		t.Errorf("%s: got %.40q, %v; want ErrGone", u, got, err)
	}
}

func stagedAbsent(t *testing.T, s Staging) {
	u := put(t, s, Staged, "hello")
	for _, object := range []string{"acme/absent", Staged + ".asc", "acme/tools", "absent/" + strings.Repeat("x", 300)} {
		if got, err := s.Stat(t.Context(), object); !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, fs.ErrInvalid) {
			t.Errorf("stat %s: got %+v, %v; want ErrNotExist", object, got, err)
		}
		other := u
		other.Object = object
		checkGone(t, s, other)
		if err := s.Delete(t.Context(), other); err != nil {
			t.Errorf("delete %s: %v", object, err)
		}
	}
	for _, generation := range []string{"", "0", "1", "-1", "x", u.Generation + "0", strings.Repeat("9", 40)} {
		other := u
		other.Generation = generation
		checkGone(t, s, other)
		if err := s.Delete(t.Context(), other); err != nil {
			t.Errorf("delete %s: %v", other, err)
		}
	}
	checkStaged(t, s, u, "hello")
	checkListed(t, s, u)
}

func stagedObject(t *testing.T, s Staging) {
	checkListed(t, s)
	u := put(t, s, Staged, "hello")
	checkStaged(t, s, u, "hello")
	checkListed(t, s, u)
}

func stagedEmpty(t *testing.T, s Staging) {
	u := put(t, s, Staged, "")
	checkStaged(t, s, u, "")
	checkListed(t, s, u)
}

func stagedLarge(t *testing.T, s Staging) {
	want := strings.Repeat("0123456789abcdef", largeSize()/16) + "end"
	for name, body := range map[string]io.Reader{
		"a file":                         strings.NewReader(want),
		"a stream":                       iotest.HalfReader(strings.NewReader(want)),
		"a file of which a part is left": after(t, 7, strings.NewReader("skipped"+want)),
	} {
		u, err := s.Put(t.Context(), Staged, body, pusher)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		checkStaged(t, s, u, want)
	}
}

// largeSize returns how large a large object is, in bytes: a few requests, where there is time for it.
func largeSize() int {
	if testing.Short() {
		return 1 << 20
	}
	return 20 << 20
}

// after returns a reader from which n bytes were read.
func after(t *testing.T, n int64, r io.ReadSeeker) io.Reader {
	t.Helper()
	if _, err := r.Seek(n, io.SeekStart); err != nil {
		t.Fatal(err)
	}
	return r
}

func stagedNames(t *testing.T, s Staging) {
	var all []catalog.Upload
	for _, name := range []string{"with blank", "100%", "a%2Fb", "a+b~1", "#?x=1&y=2", `"quoted" 'too'`, `back\slash`, "é\u202e☃", "\x01\x7f", "a.", "..a", "-", strings.Repeat("x", 200)} {
		object := "acme/tools/el/9/" + name
		if name == "..a" {
			object = "acme/tools/el/9/a..a"
		}
		u := put(t, s, object, name)
		if u.Object != object {
			t.Errorf("%q was put as %q", object, u.Object)
		}
		checkStaged(t, s, u, name)
		all = append(all, u)
	}
	checkListed(t, s, all...)
	for _, u := range all {
		if err := s.PutVerdict(t.Context(), u.Object, "", []byte(u.Object)); err != nil {
			t.Error(err)
		}
		if body, _, err := s.Verdict(t.Context(), u.Object); string(body) != u.Object || err != nil {
			t.Errorf("verdict of %q: got %q, %v", u.Object, body, err)
		}
		if err := s.Delete(t.Context(), u); err != nil {
			t.Error(err)
		}
	}
	checkListed(t, s)
}

func stagedHidden(t *testing.T, s Staging) {
	for _, object := range []string{".hidden", "acme/.hidden", ".acme/tools/f", "acme/.tools/f"} {
		put(t, s, object, "x")
	}
	if err := s.PutVerdict(t.Context(), Staged, "", []byte("{}")); err != nil {
		t.Error(err)
	}
	want := []catalog.Upload{put(t, s, "-", "1"), put(t, s, "0", "22"), put(t, s, "acme/a.b", "333"), put(t, s, "~", "4444"), put(t, s, "é", "55555")}
	checkListed(t, s, want...)
}

func stagedFailing(t *testing.T, s Staging) {
	for _, before := range []bool{false, true} {
		var u catalog.Upload
		if before {
			u = put(t, s, Staged, "first")
		}
		for _, size := range []int{0, 1, 1 << 20, largeSize()} {
			body := io.MultiReader(bytes.NewReader(make([]byte, size)), iotest.ErrReader(errBody))
			if got, err := s.Put(t.Context(), Staged, body, pusher); !errors.Is(err, errBody) {
				t.Errorf("after %d bytes: got %+v, %v; want the body's error", size, got, err)
			}
		}
		if before {
			checkStaged(t, s, u, "first")
			checkListed(t, s, u)
		} else {
			checkListed(t, s)
		}
	}
}

func stagedCancelled(t *testing.T, s Staging) {
	ctx, cancel := context.WithCancel(t.Context())
	body := io.MultiReader(bytes.NewReader(make([]byte, 1<<20)), readerFunc(func([]byte) (int, error) {
		cancel()
		return 0, nil
	}))
	if u, err := s.Put(ctx, Staged, body, pusher); !errors.Is(err, context.Canceled) {
		t.Errorf("got %+v, %v; want Canceled", u, err)
	}
	if _, err := s.Stat(t.Context(), Staged); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("stat: got %v, want ErrNotExist", err)
	}
	checkListed(t, s)
}

type readerFunc func(p []byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

func stagedGenerations(t *testing.T, s Staging) {
	first := put(t, s, Staged, "first")
	second := put(t, s, Staged, "second one")
	if first.Generation == second.Generation {
		t.Errorf("both have generation %s", first.Generation)
	}
	checkGone(t, s, first)
	checkStaged(t, s, second, "second one")
	checkListed(t, s, second)
}

func stagedReplaced(t *testing.T, s Staging) {
	body := func(i int) string { return strings.Repeat(fmt.Sprintf("%04d", i), largeSize()/16+i) }
	u := put(t, s, Staged, body(0))
	for i := range 4 {
		r, _, err := s.Open(t.Context(), u)
		if err != nil {
			t.Fatal(err)
		}
		start := make([]byte, 1000)
		if _, err := io.ReadFull(r, start); err != nil {
			t.Fatal(err)
		}
		next := put(t, s, Staged, body(i+1))
		rest, err := io.ReadAll(r)
		if got := string(start) + string(rest); !errors.Is(err, catalog.ErrGone) && (err != nil || got != body(i)) {
			t.Errorf("round %d: got %d bytes %.8q…, %v; want one whole generation or ErrGone", i, len(got), got, err)
		}
		r.Close()
		checkGone(t, s, u)
		u = next
	}
}

func stagedConcurrently(t *testing.T, s Staging) {
	body := func(i int) string { return strings.Repeat(fmt.Sprintf("%02d", i), 100_000+i) }
	uploads := make([]catalog.Upload, 8)
	Race(len(uploads), func(i int) {
		var err error
		if uploads[i], err = s.Put(t.Context(), Staged, strings.NewReader(body(i)), pusher); err != nil {
			t.Error(err)
		}
	})
	now, err := s.Stat(t.Context(), Staged)
	if err != nil {
		t.Fatal(err)
	}
	winner := slices.Index(uploads, now)
	if winner < 0 {
		t.Fatalf("%+v is none of %+v", now, uploads)
	}
	for i, u := range uploads {
		if i == winner {
			checkStaged(t, s, u, body(i))
		} else {
			checkGone(t, s, u)
		}
	}
}

func stagedDelete(t *testing.T, s Staging) {
	neighbour := put(t, s, Staged+".asc", "x")
	first := put(t, s, Staged, "first")
	second := put(t, s, Staged, "second one")
	for range 2 {
		if err := s.Delete(t.Context(), first); err != nil {
			t.Error(err)
		}
		checkStaged(t, s, second, "second one")
	}
	for range 2 {
		if err := s.Delete(t.Context(), second); err != nil {
			t.Error(err)
		}
		checkGone(t, s, second)
	}
	checkListed(t, s, neighbour)
	checkStaged(t, s, put(t, s, Staged, "third"), "third")
}
