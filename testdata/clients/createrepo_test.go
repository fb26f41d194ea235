package clients_test

import (
	"path/filepath"
	"strings"
	"testing"

	"repomill/testdata/corpus"
	"repomill/testdata/proctest"
)

// createrepo_c's parser reads every element: what its mergerepo_c writes of it is what was there.
func readCreaterepo(t *testing.T, s *site) func(*testing.T, realPackage) {
	proctest.Need(t, "mergerepo_c", "zcat")
	dir := s.folder(t, "createrepo")
	proctest.Must(t, nil, "mergerepo_c", "--all", "--no-database", "--omit-baseurl", "--compress-type=gz", "--simple-md-filenames",
		"--repo=file://"+s.path(s.release.String()), "--outputdir="+dir)
	for _, x := range s.indexes(t) {
		got := proctest.Must(t, nil, "zcat", filepath.Join(dir, "repodata", x.name+".xml.gz"))
		if want := x.text(t); got != strings.TrimSuffix(want, "\n") {
			at := firstDifference(want, got)
			t.Errorf("%s differs at byte %d: want %.200q, got %.200q", x.name, at, want[at:], got[at:])
		}
	}
	return nil
}

// firstDifference returns where two texts begin to differ.
func firstDifference(a, b string) int {
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] {
			return i
		}
	}
	return min(len(a), len(b))
}

// The list of 100,000 files is a member of its own.
func readFileList(t *testing.T, s *site) func(*testing.T, realPackage) {
	big := 0
	for _, m := range s.index(t, "filelists").members(t) {
		packages, files := strings.Count(m.text, "</package>\n"), strings.Count(m.text, "<file")
		if files >= corpus.BigFiles {
			if big++; packages != 1 {
				t.Errorf("a member has %d packages and %d files", packages, files)
			}
		}
	}
	if big != 1 {
		t.Errorf("%d members have %d files, want 1", big, corpus.BigFiles)
	}
	return nil
}
