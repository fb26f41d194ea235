package deb_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// showAll asks dpkg-deb for the fields of each package that we accept.
func showAll(t *testing.T, dir string, verdicts []error) []opinion {
	t.Helper()
	n := len(verdicts)
	names := []string{"package", "version", "architecture", "source", "installed-size", "depends", "provides", "maintainer", "description", "homepage", "x-unknown"}
	shown := make([]opinion, n)
	var wait sync.WaitGroup
	for worker := range 2 {
		wait.Go(func() {
			for i := worker; i < n; i += 2 {
				if verdicts[i] != nil {
					continue
				}
				format := "${" + strings.Join(names, "}\x01${") + "}"
				out, err := exec.Command("dpkg-deb", "--show", "--showformat="+format, filepath.Join(dir, fmt.Sprintf("%04d.deb", i))).Output()
				if err != nil {
					continue
				}
				shown[i] = opinion{}
				for j, value := range strings.Split(string(out), "\x01") {
					if value = strings.TrimSpace(value); value != "" && j < len(names) {
						shown[i][names[j]] = value
					}
				}
			}
		})
	}
	wait.Wait()
	return shown
}

// dpkgRefuses returns what dpkg says against installing each package, by file name.
func dpkgRefuses(t *testing.T, dir string) map[string]string {
	t.Helper()
	admin := t.TempDir()
	for _, name := range []string{"info", "updates", "triggers"} {
		if err := os.Mkdir(filepath.Join(admin, name), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"status", "available"} {
		if err := os.WriteFile(filepath.Join(admin, name), nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	files, err := filepath.Glob(filepath.Join(dir, "*.deb"))
	if err != nil {
		t.Fatal(err)
	}
	args := append([]string{"--no-act", "--admindir=" + admin, "--log=/dev/null", "--abort-after=100000", "--unpack",
		"--force-not-root,bad-path,architecture,depends,conflicts,breaks,overwrite,downgrade"}, files...)
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "dpkg", args...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // its children unpack
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	out, _ := cmd.CombinedOutput() //nolint:errcheck // it fails if any package is bad
	if ctx.Err() != nil {
		t.Fatalf("dpkg does not end\n%.1000s", out)
	}
	refused := map[string]string{}
	complaint := regexp.MustCompile(`(?m)^dpkg: error processing archive \S*/(\d+\.deb) \(--unpack\):\n(.*)`)
	for _, m := range complaint.FindAllStringSubmatch(string(out), -1) {
		refused[m[1]] = m[2]
	}
	if len(refused) == 0 || len(refused) == len(files) {
		t.Fatalf("dpkg refuses %d of %d packages: it cannot judge here\n%.1000s", len(refused), len(files), out)
	}
	return refused
}

// ftparchiveFiles returns the fields that apt-ftparchive writes, by file name.
func ftparchiveFiles(t *testing.T, dir string) map[string]opinion {
	t.Helper()
	out, err := exec.Command("apt-ftparchive", "packages", dir).Output()
	if err != nil {
		t.Logf("apt-ftparchive: %v", err) // of some packages it says so
	}
	listed := map[string]opinion{}
	for stanza := range strings.SplitSeq(strings.Trim(string(out), "\n"), "\n\n") {
		if !strings.Contains(stanza, ":") {
			continue
		}
		f := parse(stanza)
		listed[filepath.Base(f["filename"])] = f
	}
	return listed
}
