package debtest_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"repomill/testdata/debtest"
)

func TestDpkgTakesThePackages(t *testing.T) {
	if _, err := exec.LookPath("dpkg-deb"); err != nil {
		t.Skip("dpkg-deb is not installed")
	}
	for _, c := range []string{"", "gz", "xz", "zst"} {
		t.Run("compression "+c, func(t *testing.T) {
			spec := debtest.Spec{Control: c, Data: c, Size: 5001, Files: map[string]string{"usr/bin/x/y": "z"}}
			file := filepath.Join(t.TempDir(), "hello.deb")
			if err := os.WriteFile(file, debtest.Build(t, spec), 0o600); err != nil {
				t.Fatal(err)
			}
			out, err := exec.Command("dpkg-deb", "--contents", file).CombinedOutput()
			if err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			for _, want := range []string{"5001 2026", "/payload", "./usr/bin/x/y", "./usr/share/doc/hello/copyright"} {
				if !strings.Contains(string(out), want) {
					t.Errorf("no %q in\n%s", want, out)
				}
			}
		})
	}
}

func TestSameSpecSameBytes(t *testing.T) {
	spec := debtest.Spec{Name: "a", Data: "gz", Size: 100, Seed: 1}
	a, b := debtest.Build(t, spec), debtest.Build(t, spec)
	if string(a) != string(b) {
		t.Error("two builds differ")
	}
	spec.Seed = 2
	if string(a) == string(debtest.Build(t, spec)) {
		t.Error("another seed gives the same bytes")
	}
}
