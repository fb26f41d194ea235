package corpus_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"repomill/testdata/corpus"
)

var some = corpus.Corpus{Seed: 1}

func TestDpkgTakesThePackages(t *testing.T) {
	if _, err := exec.LookPath("dpkg-deb"); err != nil {
		t.Skip("dpkg-deb is not installed")
	}
	for _, file := range some.Debs(t, t.TempDir(), 0, 12) {
		fields, err := exec.Command("dpkg-deb", "-W", "--showformat", "${Package}_${Version}_${Architecture}.deb", file).CombinedOutput()
		if err != nil || string(fields) != filepath.Base(file) {
			t.Errorf("got %s, %v; want %s", fields, err, filepath.Base(file))
		}
		contents, err := exec.Command("dpkg-deb", "--contents", file).CombinedOutput()
		if err != nil || !strings.Contains(string(contents), " 2048 ") || !strings.Contains(string(contents), "/payload\n") {
			t.Errorf("%s: %v\n%s", file, err, contents)
		}
	}
}

func TestRPMTakesThePackages(t *testing.T) {
	if _, err := exec.LookPath("rpm"); err != nil {
		t.Skip("rpm is not installed")
	}
	files := append(some.RPMs(t, t.TempDir(), 0, 12), some.BigRPMs(t, t.TempDir(), 1, 2)...)
	for i, file := range files {
		out, err := exec.Command("rpm", "-qp", "--nosignature", "--qf", `%{NVRA}.rpm [%{FILENAMES}\n]`, file).CombinedOutput()
		name, paths, _ := strings.Cut(string(out), " ")
		if err != nil || name != filepath.Base(file) {
			t.Errorf("got %.200s, %v; want %s", out, err, filepath.Base(file))
		}
		want := 25
		if i == len(files)-1 {
			want = corpus.BigFiles
		}
		if got := strings.Count(paths, "\n"); got != want {
			t.Errorf("%s has %d files, want %d", name, got, want)
		}
	}
}

func TestSameNumberSamePackage(t *testing.T) {
	for _, tt := range []struct {
		name  string
		build func(c corpus.Corpus, i int) (string, []byte)
	}{
		{"deb", corpus.Corpus.Deb},
		{"xz deb", corpus.Corpus.XZDeb},
		{"rpm", func(c corpus.Corpus, i int) (string, []byte) { return c.RPM(t, i) }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			name, body := tt.build(some, 7)
			again, same := tt.build(some, 7)
			if name != again || !bytes.Equal(body, same) {
				t.Errorf("%s and %s differ", name, again)
			}
			if other, bytesOf := tt.build(corpus.Corpus{Seed: 2}, 7); other == name || bytes.Equal(bytesOf, body) {
				t.Errorf("another seed gives %s too", name)
			}
		})
	}
}

func TestOneNameInTenHasThreeVersions(t *testing.T) {
	const count = 120
	versions, archs, files := map[string]int{}, map[string]int{}, map[string]bool{}
	for i := range count {
		file, _ := some.Deb(i)
		p := strings.Split(strings.TrimSuffix(file, ".deb"), "_")
		files[file] = true
		versions[p[0]]++
		archs[p[2]]++
	}
	have := map[int]int{}
	for _, n := range versions {
		have[n]++
	}
	if diff := cmp.Diff(map[int]int{1: 90, 3: 10}, have); diff != "" {
		t.Error(diff)
	}
	if len(files) != count || len(archs) != 3 {
		t.Errorf("%d files for the architectures %v", len(files), archs)
	}
}

func TestFilesAreWrittenUnderTheirNames(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "new")
	files := some.Debs(t, dir, 3, 5)
	for i, file := range files {
		name, want := some.Deb(3 + i)
		got, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil || file != filepath.Join(dir, name) || !bytes.Equal(got, want) {
			t.Errorf("%s: %v", file, err)
		}
	}
}
