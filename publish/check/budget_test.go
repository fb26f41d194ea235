package check_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"repomill/publish/check"
)

// counting counts the bytes that a server sends as bodies.
type counting struct {
	http.ResponseWriter
	sent *atomic.Int64
}

func (c counting) Write(b []byte) (int, error) {
	n, err := c.ResponseWriter.Write(b)
	c.sent.Add(int64(n))
	return n, err
}

// within samples all of a release from a server, within a budget, and returns what was seen and how many bytes were sent.
func within(t *testing.T, m memTree, f check.Found, b *check.Budget) (seen []check.Seen, sent int64) {
	t.Helper()
	var n atomic.Int64
	files := http.FileServerFS(m.fs())
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { files.ServeHTTP(counting{w, &n}, r) }))
	defer srv.Close()
	o := opt
	o.Budget = b
	return check.Sample(t.Context(), check.URL(srv.Client(), srv.URL), f, keyring(t), 1000, o), n.Load()
}

// A budget bounds what is read of both kinds, and the sizes of the rest are compared.
func TestSampleWithinABudget(t *testing.T) {
	deb, rpm := newAptSource(t).publish(), newRPMSource(t).publish()
	for _, tt := range []struct {
		kind     string
		m        memTree
		f        check.Found
		pointers []string
		list     string
	}{
		{"DEB", deb, debFound, []string{dist + "/InRelease"}, dist + "/main/binary-amd64/Packages.gz"},
		{"RPM", rpm, rpmFound, []string{rpmBase + "/repodata/repomd.xml", rpmBase + "/repodata/repomd.xml.asc"}, rpmBase + "/repodata/*-primary.xml.gz"},
	} {
		pointers := int64(0)
		for _, name := range tt.pointers {
			pointers += int64(len(tt.m[name]))
		}
		_, whole := within(t, tt.m, tt.f, nil)
		whole *= 2                                            // of two lists one is drawn
		list := int64(len(tt.m[tt.m.find(t, tt.list)])) + 200 // the other list may be somewhat larger
		for _, bytes := range []int64{0, list, whole} {
			b := check.NewBudget(bytes)
			seen, sent := within(t, tt.m, tt.f, b)
			sized := 0
			for _, s := range seen {
				if s.Outcome != check.Good {
					t.Errorf("%s within %d bytes: %+v", tt.kind, bytes, s)
				}
				if s.Sized {
					sized++
				}
			}
			if b.Read() > bytes || sent > pointers+b.Read()+int64(sized) {
				t.Errorf("%s within %d bytes: %d were sent, %d say that they were read, %d objects were not", tt.kind, bytes, sent, b.Read(), sized)
			}
			switch {
			case bytes == 0 && sized != len(seen)-len(tt.pointers), bytes == list && (sized == 0 || b.Read() == 0):
				t.Errorf("%s within %d bytes: of %d objects only the size of %d", tt.kind, bytes, len(seen), sized)
			case bytes == whole && (sized > 0 || b.Read() < bytes/4):
				t.Errorf("%s within %d bytes: %d were read, and of %d objects only the size", tt.kind, bytes, b.Read(), sized)
			}
		}
	}
}

// Without reading an object one sees that it is absent, or has another size, and not that it has other bytes.
func TestSampleOfSizes(t *testing.T) {
	of := dist + "/main/source/by-hash/SHA256/*"
	for _, tt := range []struct {
		fact string
		harm func(m memTree, name string)
		want check.Seen
	}{
		{"absent", memTree.gone, check.Seen{Outcome: check.Absent, Detail: "is missing (listed in " + dist + "/InRelease)"}},
		{"shorter", memTree.shorter, check.Seen{Outcome: check.Differs, Detail: "bytes, listed with"}},
		{"of other bytes", memTree.bent, check.Seen{Outcome: check.Good, Sized: true}},
	} {
		m := newAptSource(t).publish()
		name := m.find(t, of)
		tt.harm(m, name)
		seen, _ := within(t, m, debFound, check.NewBudget(0))
		found := false
		for _, s := range seen {
			if s.Path != name {
				continue
			}
			found = true
			if s.Outcome != tt.want.Outcome || s.Sized != tt.want.Sized || !strings.Contains(s.Detail, tt.want.Detail) {
				t.Errorf("%s: got %+v", tt.fact, s)
			}
		}
		if !found {
			t.Errorf("%s: %s was not looked at: %+v", tt.fact, name, seen)
		}
	}
}

// unsized is a tree that does not say sizes.
type unsized struct{ m memTree }

func (u unsized) Open(ctx context.Context, name string) (io.ReadCloser, error) {
	return u.m.Open(ctx, name)
}

// An object of which neither bytes nor size are known is not said to be good.
func TestSampleOfUnknownSizes(t *testing.T) {
	o := opt
	o.Budget = check.NewBudget(0)
	for _, s := range check.Sample(t.Context(), unsized{newAptSource(t).publish()}, debFound, keyring(t), 10, o)[1:] {
		if s.Outcome != check.Unreachable || !strings.Contains(s.Detail, "its size is not known") {
			t.Errorf("got %+v", s)
		}
	}
}
