package deb_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"repomill/testdata/debtest"
)

// An entry is a member of a tar archive, as GNU tar writes it.
type entry struct {
	name string
	kind byte // a file if 0
	link string
	body string
	edit func(header []byte) // after all is written but the sum; nil for none
}

// rawTar returns an archive of any names, numbers and kinds.
func rawTar(entries ...entry) []byte {
	var all []byte
	for _, e := range entries {
		if len(e.name) > 100 {
			all = append(all, block(entry{name: "././@LongLink", kind: 'L', body: e.name + "\x00"})...)
		}
		if len(e.link) > 100 {
			all = append(all, block(entry{name: "././@LongLink", kind: 'K', body: e.link + "\x00"})...)
		}
		all = append(all, block(e)...)
	}
	return append(all, make([]byte, 1024)...)
}

// block returns a header and its content.
func block(e entry) []byte {
	h := make([]byte, 512)
	copy(h[:100], e.name)
	mode := "0000755"
	copy(h[100:], mode)
	copy(h[108:], "0000000\x000000000\x00")
	copy(h[124:], fmt.Sprintf("%011o\x0014524707400", len(e.body)))
	if h[156] = e.kind; e.kind == 0 {
		h[156] = '0'
	}
	copy(h[157:257], e.link)
	copy(h[257:], "ustar  \x00root")
	copy(h[297:], "root")
	if e.edit != nil {
		e.edit(h)
	}
	return append(resum(h), append([]byte(e.body), make([]byte, -len(e.body)&511)...)...)
}

func file(name string) entry         { return entry{name: name, body: "x"} }
func folder(name string) entry       { return entry{name: name, kind: '5'} }
func pipe(name string) entry         { return entry{name: name, kind: '6'} }
func symlink(name, to string) entry  { return entry{name: name, kind: '2', link: to} }
func hardlink(name, to string) entry { return entry{name: name, kind: '1', link: to} }
func with(name, body string) entry   { return entry{name: "./" + name, body: body} }
func times(s string, n int) string   { return strings.Repeat(s, n) }
func edited(at int, text string) entry {
	return entry{name: "./a", edit: func(h []byte) { copy(h[at:], text) }}
}

// An installCase is a package, whether an intake takes it, and whether dpkg installs it.
type installCase struct {
	name      string
	file      []byte
	ours      bool
	dpkg      bool
	differing string // why the two are not the same
}

// members is a case of files in control.tar.
func members(name string, good bool, entries ...entry) installCase {
	return named(name, good, "", entries...)
}

// named is one whose control file has these lines at its start.
func named(name string, good bool, lines string, entries ...entry) installCase {
	text := control
	if lines != "" {
		text = lines + "Maintainer: M <m@example.org>\nDescription: d\n"
	}
	packed := rawTar(append([]entry{with("control", text)}, entries...)...)
	data := rawTar(folder("./"), folder("./usr/"), file("./usr/f"))
	return installCase{name: name, ours: good, dpkg: good, file: debtest.Ar(debianBinary,
		debtest.Member{Name: "control.tar", Body: packed}, debtest.Member{Name: "data.tar.gz", Body: pack("gz", data)})}
}

// files is a case of files in data.tar.
func files(name string, good bool, entries ...entry) installCase {
	return unpacked(name, good, rawTar(append([]entry{folder("./")}, entries...)...))
}

func unpacked(name string, good bool, data []byte) installCase {
	return installCase{name: name, ours: good, dpkg: good, file: debtest.Ar(debianBinary, controlTar, debtest.Member{Name: "data.tar.gz", Body: pack("gz", data)})}
}

// listed is a case of conffiles and files.
func listed(name string, good bool, conffiles string, entries ...entry) installCase {
	packed := rawTar(with("control", control), with("conffiles", conffiles))
	return installCase{name: name, ours: good, dpkg: good, file: debtest.Ar(debianBinary, debtest.Member{Name: "control.tar", Body: packed},
		debtest.Member{Name: "data.tar.gz", Body: pack("gz", rawTar(append([]entry{folder("./")}, entries...)...))})}
}

// but marks a case in which dpkg does otherwise.
func (c installCase) but(why string) installCase {
	c.dpkg, c.differing = !c.ours, why
	return c
}

// What dpkg does with each package when it installs it into an empty root, and what we say of it.
func TestInstallVerdictIsThatOfDpkg(t *testing.T) {
	asked := os.Getuid() == 0
	if _, err := exec.LookPath("dpkg"); err != nil || !asked {
		asked = false
		t.Log("dpkg is not asked: it is not here, or we are not root")
	}
	names := map[string]bool{}
	for _, cases := range [][]installCase{conffileCases(), triggerCases(), infoCases(), headerCases(), foldedCases(), scriptCases(), nameCases(), linkCases(), placeCases(), suffixCases(), numberCases()} {
		for _, test := range cases {
			if names[test.name] {
				t.Errorf("two cases are named %s", test.name)
			}
			names[test.name] = true
			t.Run(test.name, func(t *testing.T) {
				t.Parallel()
				for _, whole := range []bool{false, true} { // both see all of these
					if err := readPayload(test.file, whole); (err == nil) != test.ours {
						t.Errorf("whole %v: we say %v, want it accepted: %v", whole, err, test.ours)
					} else if err != nil {
						checkRejection(t, err)
						t.Log(err)
					}
				}
				if complaint := dpkgInstall(t, test.file, asked); asked && (complaint == "") != test.dpkg {
					t.Errorf("dpkg says %q, want it installed: %v", complaint, test.dpkg)
				}
			})
		}
	}
}

// dpkgInstall installs a package into an empty root, if asked, and returns what dpkg has against it. A dpkg that waits
// and does not end has something against it.
func dpkgInstall(t *testing.T, file []byte, asked bool) string {
	t.Helper()
	if !asked {
		return ""
	}
	return dpkgInstallInto(t, t.TempDir(), file)
}

// dpkgInstallInto installs a package into this empty root.
func dpkgInstallInto(t *testing.T, root string, file []byte) string {
	t.Helper()
	for _, dir := range []string{"info", "updates", "triggers"} {
		if err := os.MkdirAll(filepath.Join(root, "var/lib/dpkg", dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"status", "available"} {
		if err := os.WriteFile(filepath.Join(root, "var/lib/dpkg", name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	path := filepath.Join(t.TempDir(), "x.deb")
	if err := os.WriteFile(path, file, 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "dpkg", "--root", root, "--force-depends,script-chrootless,architecture,unsafe-io", "--log=/dev/null", "-i", path)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	ended := make(chan struct{})
	waits := make(chan bool, 1)
	go func() { waits <- readsPipe(ended, root); cancel() }()
	out, err := cmd.CombinedOutput()
	close(ended)
	if <-waits {
		return "dpkg waits for a writer of the pipe " + string(out)
	}
	if err != nil {
		return string(out) + err.Error()
	}
	return ""
}

// readsPipe reports whether a process opens a pipe in the top folder of a root for reading, for which it waits until there is a
// writer, before ended is closed.
func readsPipe(ended <-chan struct{}, root string) bool {
	for {
		entries, _ := os.ReadDir(root)
		for _, e := range entries {
			if e.Type()&os.ModeNamedPipe == 0 {
				continue
			}
			if w, err := os.OpenFile(filepath.Join(root, e.Name()), os.O_WRONLY|syscall.O_NONBLOCK, 0); err == nil { // it has a reader
				w.Close()
				return true
			}
		}
		select {
		case <-ended:
			return false
		case <-time.After(50 * time.Millisecond):
		}
	}
}
