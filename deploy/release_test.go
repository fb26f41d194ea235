package deploy_test

import (
	"bytes"
	"debug/elf"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// What is released installs, says its version, and is the same wherever it is built.
func TestRelease(t *testing.T) {
	t.Parallel()
	for _, needed := range []string{"git", "dpkg-deb", "rpm"} {
		if _, err := exec.LookPath(needed); err != nil {
			t.Skipf("%s is not installed", needed)
		}
	}
	if out, err := exec.Command("git", "-C", "..", "rev-parse", "--git-dir").CombinedOutput(); err != nil {
		t.Skipf("the sources are no checkout of git: %s", out)
	}
	out := release(t, t.TempDir(), "./pipelines/repomill ./pipelines/repomill-client ./serve/resolver")
	unpacked := t.TempDir()
	for _, name := range []string{"repomill", "repomill-client", "repomill-resolver"} {
		sh(t, out, "dpkg-deb", "-x", name+"_0.1.0~rc.1_amd64.deb", unpacked)
	}
	t.Run("the same commit gives the same bytes in another folder", func(t *testing.T) {
		sameBytes(t, out, release(t, filepath.Join(t.TempDir(), "of another name"), "./serve/resolver"))
	})
	t.Run("programs need no library and say the version of the tag", func(t *testing.T) {
		for name, limit := range map[string]int64{"repomill": 90e6, "repomill-client": 32e6, "repomill-resolver": 30e6} {
			program := filepath.Join(unpacked, "usr/bin", name)
			if said := sh(t, out, program, "version"); !strings.HasPrefix(said, name+" v0.1.0-rc.1 (") || strings.Contains(said, "modified") {
				t.Errorf("%s version says %q", name, said)
			}
			file, err := elf.Open(program)
			if err != nil {
				t.Fatal(err)
			}
			defer file.Close() //nolint:errcheck // read only
			if info, err := os.Stat(program); err != nil || info.Size() > limit {
				t.Errorf("%s has more than %d bytes, or %v: see what it links (go list -deps)", name, limit, err)
			}
			if libraries, err := file.ImportedLibraries(); err != nil || len(libraries) > 0 || file.Section(".symtab") != nil {
				t.Errorf("%s: needs %q (%v), or has symbols", name, libraries, err)
			}
		}
	})
	t.Run("the intake takes the packages", func(t *testing.T) {
		for target, pattern := range map[string]string{"acme/tools/ubuntu/jammy": "*.deb", "acme/tools/debian/bullseye": "*.deb", "acme/tools/el/8": "*.rpm"} {
			files, err := filepath.Glob(filepath.Join(out, pattern))
			if err != nil || len(files) != 3 {
				t.Fatalf("%q, %v", files, err)
			}
			said := sh(t, out, filepath.Join(unpacked, "usr/bin/repomill-client"), append([]string{"push", "--dry-run", "--staging", "file://" + t.TempDir(), target}, files...)...)
			if strings.Count(said, ": acceptable for ") != len(files) {
				t.Errorf("%s: %s", target, said)
			}
		}
	})
	t.Run("checksums are right", func(t *testing.T) {
		if said := sh(t, out, "sha256sum", "-c", "--strict", "SHA256SUMS"); strings.Count(said, ": OK\n") != 10 {
			t.Errorf("not three programs' packages and bills, and an archive:\n%s", said)
		}
	})
	t.Run("a bill of materials names what is linked", func(t *testing.T) {
		billOfMaterials(t, filepath.Join(out, "repomill-resolver-0.1.0~rc.1-linux-amd64.cdx.json"))
	})
	t.Run("nothing is set", func(t *testing.T) {
		for _, name := range []string{"repomill", "worker", "api", "resolver"} {
			if set := lines(t, filepath.Join(unpacked, "etc/repomill", name+".env")); len(set) > 0 {
				t.Errorf("%s.env sets %q", name, set)
			}
		}
	})
	t.Run("packages install and leave", func(t *testing.T) { installed(t, out) })
}

// release makes a release for amd64 of what is in the working copy, from a commit of its own, and returns the folder.
func release(t *testing.T, dir, programs string) string {
	t.Helper()
	checkout, out := filepath.Join(dir, "checkout"), filepath.Join(dir, "out")
	for file := range strings.SplitSeq(sh(t, "..", "git", "ls-files", "-coz", "--exclude-standard"), "\x00") {
		from := filepath.Join("..", file)
		info, err := os.Stat(from)
		if file == "" || errors.Is(err, fs.ErrNotExist) { // removed in the working copy
			continue
		}
		body, err2 := os.ReadFile(from)
		to := filepath.Join(checkout, file)
		if err := errors.Join(err, err2, os.MkdirAll(filepath.Dir(to), 0o755), os.WriteFile(to, body, info.Mode().Perm())); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.CommandContext(t.Context(), "sh", "-ec", `
		git init -q . && git add -A
		git -c user.name=tester -c user.email=tester@example.org -c commit.gpgsign=false commit -qm release
		git tag v0.1.0-rc.1
		deploy/release "$0" amd64`, out)
	cmd.Dir = checkout
	cmd.Env = append(os.Environ(), "PROGRAMS="+programs, "GIT_AUTHOR_DATE=2026-11-29T01:02:03Z", "GIT_COMMITTER_DATE=2026-11-29T01:02:03Z")
	if said, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("deploy/release: %v\n%s", err, said)
	}
	return out
}

// sameBytes compares the files of two releases that both have, but for those about all files.
func sameBytes(t *testing.T, first, second string) {
	t.Helper()
	entries, err := os.ReadDir(second)
	if err != nil {
		t.Fatal(err)
	}
	compared := 0
	for _, e := range entries {
		if e.Name() == "SHA256SUMS" || strings.HasSuffix(e.Name(), ".tar.gz") {
			continue
		}
		a, err := os.ReadFile(filepath.Join(first, e.Name()))
		b, err2 := os.ReadFile(filepath.Join(second, e.Name()))
		if err != nil || err2 != nil || !bytes.Equal(a, b) {
			t.Errorf("%s differs (%v, %v)", e.Name(), err, err2)
		}
		compared++
	}
	if compared != 3 {
		t.Errorf("compared %d files, want a .deb, a .rpm and a bill of materials", compared)
	}
}

// billOfMaterials checks that the modules of a bill are those that Go has put into the program.
func billOfMaterials(t *testing.T, path string) {
	t.Helper()
	var bill struct {
		BOMFormat, SpecVersion string
		Components             []struct{ Name, Version, Purl string }
	}
	body, err := os.ReadFile(path)
	if err == nil {
		err = json.Unmarshal(body, &bill)
	}
	if err != nil || bill.BOMFormat != "CycloneDX" {
		t.Fatalf("no bill of CycloneDX: %v, %q", err, bill.BOMFormat)
	}
	for _, name := range []string{"std", "github.com/aws/aws-sdk-go-v2", "github.com/alecthomas/kong"} {
		found := false
		for _, c := range bill.Components {
			found = found || c.Name == name && c.Version != "" && strings.HasPrefix(c.Purl, "pkg:golang/"+name+"@")
		}
		if !found {
			t.Errorf("%s is missing", name)
		}
	}
}

// installed has dpkg, rpm and systemd judge the packages, on a copy of this system that is written to memory alone.
func installed(t *testing.T, out string) {
	if os.Getuid() != 0 {
		t.Skip("only root can mount")
	}
	const script = `
		mount -t tmpfs none "$1"
		mkdir "$1/upper" "$1/work" "$1/root"
		mount -t overlay overlay -o "lowerdir=/,upperdir=$1/upper,workdir=$1/work" "$1/root" || exit 77
		mount --bind /dev "$1/root/dev" && mount -t proc proc "$1/root/proc"
		mkdir "$1/root/packages" && cp "$0"/*.deb "$0"/*.rpm "$1/root/packages"
		chroot "$1/root" sh -exc '
			cd /packages
			dpkg -i *.deb
			getent passwd repomill repomill-api repomill-resolver
			stat -c "%a %U %n" /etc/repomill /etc/repomill/worker.env /etc/repomill/repomill.env /var/lib/repomill /var/lib/repomill/staging
			! command -v systemd-analyze || ! systemd-analyze verify /usr/lib/systemd/system/repomill*.service 2>&1 | grep repomill
			echo CHANGED=yes >>/etc/repomill/worker.env
			dpkg -i *.deb
			grep CHANGED /etc/repomill/worker.env
			dpkg --purge repomill repomill-client repomill-resolver
			rpm --dbpath /packages/db -i --nodeps *.rpm
			rpm --dbpath /packages/db -V --nodeps repomill repomill-client repomill-resolver
			rpm --dbpath /packages/db -e repomill repomill-client repomill-resolver
			[ ! -e /etc/repomill ] && [ ! -e /usr/bin/repomill ] && echo left nothing'`
	cmd := exec.CommandContext(t.Context(), "unshare", "--mount", "sh", "-ec", script, out, t.TempDir())
	said, err := cmd.CombinedOutput()
	if cmd.ProcessState != nil && cmd.ProcessState.ExitCode() == 77 {
		t.Skipf("this kernel, or what it runs in, lays no folder over /:\n%s", said)
	}
	if err != nil {
		t.Fatalf("%v\n%s", err, said)
	}
	for _, want := range []string{"repomill:x:", "repomill-api:x:", "repomill-resolver:x:", "700 root /etc/repomill\n", "600 root /etc/repomill/worker.env\n", "600 root /etc/repomill/repomill.env\n", "750 repomill /var/lib/repomill\n", "2770 repomill /var/lib/repomill/staging\n", "CHANGED=yes\n", "left nothing\n"} {
		if !strings.Contains(string(said), want) {
			t.Errorf("it does not say %q:\n%s", want, said)
		}
	}
}

// sh runs a program in a folder and returns what it printed.
func sh(t *testing.T, dir, program string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), program, args...)
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s %v: %v\n%s", program, args, err, out)
	}
	return string(out)
}
