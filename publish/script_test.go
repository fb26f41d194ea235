package publish_test

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"repomill/publish/sign"
	"repomill/schemas/catalog"
	"repomill/schemas/layout"
)

// A script is run for a system in a folder of its own, by one of the shells that are here.
type script struct {
	path  string
	shell []string
	root  string
}

// shells are those that run scripts from a pipe on the systems that there are.
var shells = [][]string{{"dash"}, {"bash"}, {"busybox", "sh"}}

// newScript publishes what sets up a repository with some distributions, and returns the script of one format.
func newScript(t *testing.T, f catalog.Format, url string, change func(*catalog.Settings), distributions ...string) script {
	t.Helper()
	w := newWorld(t)
	for _, d := range distributions {
		os, version, _ := strings.Cut(d, "/")
		w.declare(catalog.Release{Repository: tools, Distribution: catalog.Distribution{OS: os, Version: version}}, "")
	}
	w.change(change)
	if err := w.publisherWith(signer(), url).Settings(t.Context(), tools); err != nil {
		t.Fatal(err)
	}
	s := script{path: filepath.Join(t.TempDir(), "script"), shell: []string{"sh"}, root: t.TempDir()}
	if err := os.WriteFile(s.path, w.bucket.Bytes(layout.ScriptKey(tools, f)), 0o600); err != nil {
		t.Fatal(err)
	}
	return s
}

func unchanged(*catalog.Settings) {}

// write writes a file of the system.
func (s script) write(t *testing.T, name, text string) {
	t.Helper()
	path := filepath.Join(s.root, name)
	if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(text), 0o644)); err != nil {
		t.Fatal(err)
	}
}

// run runs the script with some environment, and returns what it says and its exit code.
func (s script) run(t *testing.T, env []string, args ...string) (out string, code int) {
	t.Helper()
	f, err := os.Open(s.path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	cmd := exec.Command(s.shell[0], append(append(s.shell[1:len(s.shell):len(s.shell)], "-s", "--", "--root", s.root), args...)...)
	cmd.Env = append([]string{"PATH=" + os.Getenv("PATH")}, env...)
	cmd.Stdin = f // as from curl
	b, err := cmd.CombinedOutput()
	if _, failed := errors.AsType[*exec.ExitError](err); err != nil && !failed {
		t.Fatal(err)
	}
	return string(b), cmd.ProcessState.ExitCode()
}

// mustRun is run of a script that must succeed.
func (s script) mustRun(t *testing.T, env []string, args ...string) string {
	t.Helper()
	out, code := s.run(t, env, args...)
	if code != 0 {
		t.Fatalf("exit code %d: %s", code, out)
	}
	return out
}

// files returns the files of the system by name, each after its mode.
func (s script) files(t *testing.T) map[string]string {
	t.Helper()
	all := map[string]string{}
	err := filepath.WalkDir(s.root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		b, err := os.ReadFile(path)
		all[strings.TrimPrefix(path, s.root+"/")] = info.Mode().String() + "\n" + string(b)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

const trixie = "ID=debian\nVERSION_ID=\"13\"\nVERSION_CODENAME=trixie\n"

// Every shell writes the same files, and another run changes none of them.
func TestScriptForAptInEveryShell(t *testing.T) {
	s := newScript(t, catalog.DEB, publicURL, unchanged, "debian/trixie")
	keys, err := sign.PublicPackets(signer().Public())
	if err != nil {
		t.Fatal(err)
	}
	architecture, err := exec.Command("dpkg", "--print-architecture").Output()
	if err != nil {
		t.Skip("dpkg is not installed")
	}
	want := map[string]string{
		"etc/os-release": "-rw-r--r--\n" + trixie,
		"etc/apt/keyrings/acme_tools-archive-keyring.gpg": "-rw-r--r--\n" + string(keys),
		"etc/apt/sources.list.d/acme_tools.sources": "-rw-r--r--\n# acme/tools for debian/trixie, by script.deb.sh\nTypes: deb\nURIs: https://packages.example.org/acme/tools/debian/\n" +
			"Suites: trixie\nComponents: main\nArchitectures: " + string(architecture) + "Signed-By: /etc/apt/keyrings/acme_tools-archive-keyring.gpg\n",
	}
	for _, shell := range shells {
		if _, err := exec.LookPath(shell[0]); err != nil {
			t.Logf("SKIPPED, NOT TRIED: %v", err)
			continue
		}
		s.shell, s.root = shell, t.TempDir()
		s.write(t, "etc/os-release", trixie)
		if out := s.mustRun(t, nil, "--dry-run"); len(s.files(t)) != 1 || !strings.Contains(out, "would write /etc/apt/sources.list.d/acme_tools.sources (mode 644):") || !strings.Contains(out, "nothing was changed") {
			t.Errorf("%s, --dry-run: %s and %v", shell, out, s.files(t))
		}
		for range 2 {
			s.mustRun(t, nil)
			if diff := cmp.Diff(want, s.files(t)); diff != "" {
				t.Errorf("%s (-want +got):\n%s", shell, diff)
			}
		}
	}
}

// The .repo file is the one that is published, with the token where the client looks for it.
func TestScriptForRPM(t *testing.T) {
	for _, tt := range []struct {
		name, release, file string
		private             bool
		want                []string
		mode                string
	}{
		{"public, by dnf", "ID=\"rocky\"\nVERSION_ID=\"9.4\"\n", "etc/yum.repos.d/acme_tools.repo", false, []string{"\nbaseurl=https://packages.example.org/acme/tools/el/9/$basearch\nenabled=1\n"}, "-rw-r--r--"},
		{"public, by zypper", "ID=\"opensuse-leap\"\nVERSION_ID=\"15.6\"\n", "etc/zypp/repos.d/acme_tools.repo", false, []string{"\nbaseurl=https://packages.example.org/acme/tools/opensuse/15.6/$basearch\nenabled=1\n"}, "-rw-r--r--"},
		{
			"private, by dnf", "ID=\"rocky\"\nVERSION_ID=\"9.4\"\n", "etc/yum.repos.d/acme_tools.repo", true,
			[]string{"\nbaseurl=https://packages.example.org/acme/tools/el/9/$basearch\nusername=rmt_1\npassword=x\nenabled=1\n", "\ngpgkey=https://packages.example.org/gpg.key\n"}, "-rw-------",
		},
		{
			"private, by zypper", "ID=\"opensuse-leap\"\nVERSION_ID=\"15.6\"\n", "etc/zypp/repos.d/acme_tools.repo", true,
			[]string{"\nbaseurl=https://packages.example.org/acme/tools/opensuse/15.6/$basearch?credentials=acme_tools\nenabled=1\n"}, "-rw-r--r--",
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := newScript(t, catalog.RPM, publicURL, func(s *catalog.Settings) {
				if tt.private {
					s.Visibility = catalog.Private
				}
			}, "opensuse/15.6")
			s.write(t, "etc/os-release", tt.release)
			for _, program := range []string{"zypper", "dnf"} {
				if strings.Contains(tt.name, program) {
					s.write(t, "usr/bin/"+program, "")
					if err := os.Chmod(filepath.Join(s.root, "usr/bin", program), 0o755); err != nil {
						t.Fatal(err)
					}
				}
			}
			s.mustRun(t, []string{"username=rmt_1"})
			files := s.files(t)
			got := files[tt.file]
			for _, w := range tt.want {
				if !strings.Contains(got, w) {
					t.Errorf("want %q in %s", w, got)
				}
			}
			if !strings.HasPrefix(got, tt.mode+"\n") {
				t.Errorf("%s has mode %.10s, want %s", tt.file, got, tt.mode)
			}
			for name, text := range files {
				if strings.Contains(text, "rmt_1") && (!tt.private || !strings.HasPrefix(text, "-rw-------\n")) {
					t.Errorf("%s has the token: %s", name, text)
				}
			}
			if credentials := "-rw-------\nusername=rmt_1\npassword=x\n"; tt.name == "private, by zypper" && files["etc/zypp/credentials.d/acme_tools"] != credentials {
				t.Errorf("credentials: %q", files["etc/zypp/credentials.d/acme_tools"])
			}
		})
	}
}

// A script that was cut off anywhere changes nothing, not even if only its arguments are missing.
func TestScriptThatIsCutOffDoesNothing(t *testing.T) {
	for f, release := range map[catalog.Format]string{catalog.DEB: trixie, catalog.RPM: "ID=el\nVERSION_ID=9\n"} {
		s := newScript(t, f, publicURL, unchanged, "debian/trixie")
		s.write(t, "etc/os-release", release)
		whole, err := os.ReadFile(s.path)
		if err != nil {
			t.Fatal(err)
		}
		last := bytes.LastIndexByte(bytes.TrimSuffix(whole, []byte("\n")), '\n')
		for n := range len(whole) - 2 { // all but the last brace, which alone is missing for nothing but its newline
			if n < last && (n%97 != 0 || testing.Short()) {
				continue
			}
			if err := os.WriteFile(s.path, whole[:n], 0o600); err != nil {
				t.Fatal(err)
			}
			if out, code := s.run(t, nil); len(s.files(t)) != 1 || strings.Contains(out, "packages for") {
				t.Fatalf("cut off after %d bytes of %d it ended with code %d: %s", n, len(whole), code, out)
			}
		}
		if err := os.WriteFile(s.path, whole, 0o600); err != nil {
			t.Fatal(err)
		}
		if s.mustRun(t, nil); len(s.files(t)) == 1 {
			t.Errorf("all of it changes nothing")
		}
	}
}

// The script is shell that a linter has nothing against.
func TestScriptIsLinted(t *testing.T) {
	if _, err := exec.LookPath("shellcheck"); err != nil {
		t.Skip("shellcheck is not installed")
	}
	for _, f := range []catalog.Format{catalog.DEB, catalog.RPM} {
		s := newScript(t, f, publicURL, func(s *catalog.Settings) { s.Visibility = catalog.Private })
		if out, err := exec.Command("shellcheck", "--shell=sh", "--severity=warning", s.path).CombinedOutput(); err != nil {
			t.Errorf("%v: %s", err, out)
		}
	}
}
