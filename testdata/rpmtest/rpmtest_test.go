package rpmtest_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"repomill/testdata/rpmtest"
)

func TestBuildIsReadByRPM(t *testing.T) {
	if _, err := exec.LookPath("rpm"); err != nil {
		t.Skip("no rpm to judge the package")
	}
	s := rpmtest.Spec{Epoch: 2, Version: "1.2~rc1", Requires: []string{"bash >= 4.0", "(a or b)"},
		Files: map[string]string{"/etc/hello.conf": "x", "/usr/share/hello/": ""}, Ghosts: []string{"/var/log/hello"}, PayloadSize: 100_000}
	b := rpmtest.Build(t, s)
	if !bytes.Equal(b, rpmtest.Build(t, s)) {
		t.Error("equal specs gave different bytes")
	}
	name := filepath.Join(t.TempDir(), "p.rpm")
	if err := os.WriteFile(name, b, 0o644); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command("rpm", "-qp", "--nosignature", "--qf", "%{NEVRA} [%{FILENAMES} ]", name).CombinedOutput()
	want := "hello-2:1.2~rc1-1.x86_64 /etc/hello.conf /usr/share/hello /usr/share/hello/noise /var/log/hello "
	if err != nil || string(out) != want {
		t.Errorf("rpm -qp: got %q (%v), want %q", out, err, want)
	}
}
