package file_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"repomill/pipelines/objects/file"
)

// What can be no upload is left out, and reported once. It is forgotten once it is gone.
func TestListLeavesOut(t *testing.T) {
	s := openStaging(t)
	var reported []string
	s.OnSkip(func(place string, why error) { reported = append(reported, place+": "+why.Error()) })
	long := strings.Repeat("l", 200)
	write(t, s, "acme/hello.deb", "x")
	for _, place := range []string{"caf\xe9/below/hello.deb", "acme/caf\xe9.deb", strings.Repeat(long+"/", 5) + "hello.deb", strings.Repeat("d/", 20) + "hello.deb"} {
		path := filepath.Join(s.Path(), place)
		must(t, os.MkdirAll(filepath.Dir(path), 0o755))
		must(t, os.WriteFile(path, []byte("x"), 0o600))
	}
	must(t, os.Symlink(".", filepath.Join(s.Path(), "itself")))
	want := []string{
		"acme/caf\xe9.deb: its name is not UTF-8: rename it",
		"caf\xe9: its name is not UTF-8: rename it",
		strings.Repeat("d/", 16) + "d: it lies deeper than 16 folders: use owner/name/os/version/[component/]file",
		"itself: it is a link or another special file: put the file itself there",
		strings.Repeat(long+"/", 4) + long + ": its path in staging is longer than 1000 bytes: shorten it",
	}
	for range 2 {
		if diff := cmp.Diff([]string{"acme/hello.deb"}, list(t, s)); diff != "" {
			t.Errorf("listed (-want +got):\n%s", diff)
		}
		slices.Sort(reported)
		if diff := cmp.Diff(want, reported); diff != "" || s.Skipped() != len(want) {
			t.Errorf("%d are left out, reported are (-want +got):\n%s", s.Skipped(), diff)
		}
	}
	must(t, os.RemoveAll(filepath.Join(s.Path(), "caf\xe9")))
	must(t, os.Rename(filepath.Join(s.Path(), "acme/caf\xe9.deb"), filepath.Join(s.Path(), "acme/cafe.deb")))
	if diff := cmp.Diff([]string{"acme/cafe.deb", "acme/hello.deb"}, list(t, s)); diff != "" || s.Skipped() != 3 {
		t.Errorf("%d are left out, want 3; listed (-want +got):\n%s", s.Skipped(), diff)
	}
	if s.Fits("caf\xe9") || s.Skipped() != 4 || len(reported) != len(want)+1 {
		t.Errorf("%d are left out, want 4; reported %q", s.Skipped(), reported)
	}
}

// What a dot hides is left out, and reported once it was left alone for a while; what this program hides itself is not.
func TestListReportsHidden(t *testing.T) {
	s := openStaging(t)
	var reported []string
	s.OnSkip(func(place string, why error) { reported = append(reported, place+": "+why.Error()) })
	write(t, s, "acme/hello.deb", "x")
	must(t, s.PutVerdict(t.Context(), "acme/hello.deb", "", []byte("{}")))
	_, v, err := s.Verdict(t.Context(), "acme/hello.deb")
	must(t, err)
	must(t, s.PutVerdict(t.Context(), "acme/hello.deb", v, []byte("{}"))) // which makes the lock
	for _, place := range []string{"acme/.hidden.deb", ".folder/below/hello.deb", "acme/.crashed.part"} {
		path := filepath.Join(s.Path(), place)
		must(t, os.MkdirAll(filepath.Dir(path), 0o755))
		must(t, os.WriteFile(path, []byte("x"), 0o600))
	}
	const why = ": its name begins with a dot, which hides it: rename it"
	for _, tt := range []struct {
		fact string
		now  time.Time
		want []string
	}{
		{"perhaps they are being written", time.Now(), nil},
		{"they are not", time.Now().Add(2 * time.Minute), []string{".folder" + why, "acme/.hidden.deb" + why}},
		{"once is enough", time.Now().Add(3 * time.Minute), []string{".folder" + why, "acme/.hidden.deb" + why}},
	} {
		var listed []string
		must(t, s.ListFolder(t.Context(), ".", tt.now, nil, func(v file.FileState) { listed = append(listed, v.Upload.Object) }))
		slices.Sort(reported)
		if diff := cmp.Diff(tt.want, reported); diff != "" || s.Skipped() != len(tt.want) {
			t.Errorf("%s: %d are left out, reported are (-want +got):\n%s", tt.fact, s.Skipped(), diff)
		}
		if diff := cmp.Diff([]string{"acme/hello.deb"}, listed); diff != "" {
			t.Errorf("%s: listed (-want +got):\n%s", tt.fact, diff)
		}
	}
}
