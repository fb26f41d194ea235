package real_test

import (
	_ "embed"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

//go:embed packages.txt
var packagesList string

// An archive is Debian's, as this machine's apt is configured, read with lists and folders of our own.
type archive struct {
	dir    string
	config string // of apt
	uri    string // of the main archive
	suite  string // codename
	arch   string
	known  map[string]paragraph // newest version of each package, by name
}

// openArchive reads the index of the release that this machine runs: no updates, no other archives.
func openArchive(t *testing.T) *archive {
	t.Helper()
	a := &archive{dir: t.TempDir(), arch: strings.TrimSpace(must(t, nil, "dpkg", "--print-architecture"))}
	release, err := os.ReadFile("/etc/os-release")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(release)) {
		if v, ok := strings.CutPrefix(strings.TrimSpace(line), "VERSION_CODENAME="); ok {
			a.suite = strings.Trim(v, `"`)
		}
	}
	a.uri = mainArchive(t, a.suite)
	for _, d := range []string{"state/lists/partial", "cache/archives/partial", "etc/preferences.d", "etc/apt.conf.d", "debs"} {
		if err := os.MkdirAll(filepath.Join(a.dir, d), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	write(t, a.dir+"/status", "")
	write(t, a.dir+"/etc/sources.list", fmt.Sprintf("deb %s %s main\n", a.uri, a.suite))
	a.config = write(t, a.dir+"/apt.conf", fmt.Sprintf(`Dir::Etc "%[1]s/etc"; Dir::Etc::trustedparts "/etc/apt/trusted.gpg.d"; Dir::State "%[1]s/state";
Dir::State::status "%[1]s/status"; Dir::Cache "%[1]s/cache"; Acquire::Languages "none"; APT::Sandbox::User "root"; APT::Get::List-Cleanup "0";
`, a.dir))
	a.run(t, "apt-get", "-qq", "update")
	a.known = map[string]paragraph{}
	index := a.run(t, "apt-get", "indextargets", "--format", "$(FILENAME)", "Created-By: Packages")
	for _, p := range paragraphs(must(t, nil, "/usr/lib/apt/apt-helper", "cat-file", strings.Fields(index)[0])) {
		a.known[p["package"]] = p
	}
	return a
}

// mainArchive returns where this machine's apt gets the release itself.
func mainArchive(t *testing.T, suite string) string {
	t.Helper()
	targets := must(t, nil, "apt-get", "indextargets", "--format", "$(REPO_URI) $(RELEASE) $(CODENAME) $(COMPONENT) $(ORIGIN)", "Created-By: Packages")
	for line := range strings.Lines(targets) {
		if f := strings.Fields(line); len(f) == 5 && f[4] == "Debian" && f[3] == "main" && f[2] == suite && (f[1] == suite || f[1] == "stable") {
			return f[0]
		}
	}
	t.Skipf("SKIPPED: the apt of this machine has no archive of Debian %s; run apt-get update\n%s", suite, targets)
	return ""
}

func (a *archive) run(t *testing.T, program string, args ...string) string {
	t.Helper()
	return must(t, []string{"APT_CONFIG=" + a.config}, program, args...)
}

// wanted returns the names of the list that the archive has, and how many it does not have.
func (a *archive) wanted(t *testing.T) (names []string, gone int) {
	t.Helper()
	for line := range strings.Lines(packagesList) {
		name := strings.TrimSpace(line)
		switch {
		case name == "" || strings.HasPrefix(name, "#"):
		case a.known[name] == nil:
			gone++
		default:
			names = append(names, name)
		}
	}
	if a.suite == "bookworm" && runtime.GOARCH == "amd64" && len(names) < 290 {
		t.Fatalf("only %d packages of the list are in the archive", len(names))
	}
	return names, gone
}

// minbase returns the packages of a minimal system, as debootstrap finds them in Debian's own archive.
func (a *archive) minbase(t *testing.T) []string {
	t.Helper()
	out := must(t, nil, "debootstrap", "--print-debs", "--variant=minbase", "--arch="+a.arch, a.suite, filepath.Join(t.TempDir(), "root"), a.uri)
	return strings.Fields(out)
}

// download fetches packages and returns their files.
func (a *archive) download(t *testing.T, names []string) []string {
	t.Helper()
	cmd := append([]string{"-c", `cd "$0" && exec apt-get download -qq "$@"`, a.dir + "/debs"}, names...)
	a.run(t, "sh", cmd...)
	files, err := filepath.Glob(a.dir + "/debs/*.deb")
	if err != nil || len(files) == 0 {
		t.Fatalf("no packages were downloaded: %v", err)
	}
	return files
}
