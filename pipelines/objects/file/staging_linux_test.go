package file_test

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"repomill/schemas/catalog"
)

// Linux tells whether somebody has a file open for writing, so that a whole file need not settle.
func TestListOfUnfinishedFiles(t *testing.T) {
	s := openStaging(t)
	write(t, s, "acme/whole", "x")
	write(t, s, "acme/growing", "x")
	f, err := os.OpenFile(filepath.Join(s.Path(), "acme/growing"), os.O_WRONLY|os.O_APPEND, 0)
	must(t, err)
	defer f.Close()
	check := func(what string, wantPending bool, want ...string) {
		t.Helper()
		var got []string
		pending, err := s.ListFolder(t.Context(), ".", time.Now(), func(u catalog.Upload) { got = append(got, u.Object) })
		must(t, err)
		if diff := cmp.Diff(want, got); diff != "" || pending != wantPending {
			t.Errorf("%s: pending %v, listed (-want +got):\n%s", what, pending, diff)
		}
	}
	_, err = f.WriteString("y")
	must(t, err)
	check("while it is open for writing", false, "acme/whole")
	must(t, f.Close())
	check("when it is closed", false, "acme/growing", "acme/whole")

	r, err := os.Open(filepath.Join(s.Path(), "acme/growing"))
	must(t, err)
	defer r.Close()
	check("while it is open for reading", false, "acme/growing", "acme/whole")
}
