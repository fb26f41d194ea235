package main_test

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"repomill/schemas/catalog"
	"repomill/testdata/debtest"
	"repomill/testdata/rpmtest"
)

// A copy into the staging folder is enough; folders may be new.
func TestCopyIntoStaging(t *testing.T) {
	t.Parallel()
	s := shared(t)
	for _, tt := range []struct {
		object string
		body   []byte
	}{
		{"acme/folder/ubuntu/jammy/hello.deb", debtest.Build(t, debtest.Spec{})},
		{"acme/folder/ubuntu/jammy/extra/more.deb", debtest.Build(t, debtest.Spec{Name: "more"})},
		{"acme/folder/el/9/hello.rpm", rpmtest.Build(t, rpmtest.Spec{})},
		{"acme2/folder/el/9/hello.rpm", rpmtest.Build(t, rpmtest.Spec{})},
	} {
		path := filepath.Join(s.data, "staging", tt.object)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		if err := os.WriteFile(path, tt.body, 0o644); err != nil { // as cp does: under its name from the start
			t.Fatal(err)
		}
		v := s.await(t, tt.object)
		took := time.Since(start)
		t.Logf("%s: installable after %v", tt.object, took.Round(time.Millisecond))
		if v.State != catalog.Published { // the next scan would not find it before await has given up
			t.Errorf("after %v: %+v", took, v)
		}
	}
}

// However long a writer takes, what it wrote so far is not judged.
func TestHalfCopiedFile(t *testing.T) {
	t.Parallel()
	s := shared(t)
	const object = "acme/slow/ubuntu/jammy/hello.deb"
	body := debtest.Build(t, debtest.Spec{Size: 100_000})
	path := filepath.Join(s.data, "staging", object)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for i := range 4 { // a new folder makes the program look through all of staging
		if _, err := f.Write(body[i*1000 : (i+1)*1000]); err != nil {
			t.Fatal(err)
		}
		if err := os.MkdirAll(filepath.Join(s.data, "staging/acme/slow", string('a'+rune(i))), 0o755); err != nil {
			t.Fatal(err)
		}
		time.Sleep([]time.Duration{50, 500, 3200, 10}[i] * time.Millisecond)
		if v, there := s.verdict(t, object); there {
			t.Fatalf("judged while it is being written: %+v", v)
		}
	}
	if _, err := f.Write(body[4000:]); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	if v := s.await(t, object); v.State != catalog.Published {
		t.Errorf("%+v", v)
	}
	if n := len(s.status(t, object).Uploads) + len(s.status(t, "acme/slow").Uploads); n != 1 {
		t.Errorf("%d uploads are known, want 1", n)
	}
}

// Files whose names begin with a dot are ignored.
func TestHiddenFiles(t *testing.T) {
	t.Parallel()
	s := shared(t)
	hidden := []string{s.drop(t, "acme/hidden/ubuntu/jammy/.hello.deb", nil), s.drop(t, "acme/hidden/.git/jammy/hello.deb", nil)}
	s.publish(t, "acme/hidden/ubuntu/jammy", newDEB(t, debtest.Spec{}))
	if got := s.status(t, "acme/hidden").Uploads; len(got) != 1 {
		t.Errorf("uploads %+v, want one", got)
	}
	for _, object := range hidden {
		if v, there := s.verdict(t, object); there {
			t.Errorf("%s has a verdict: %+v", object, v)
		}
	}
}
