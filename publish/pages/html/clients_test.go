package html_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"repomill/publish/pages/model"
	"repomill/publish/pages/pagestest"
	"repomill/schemas/catalog"
	"repomill/testdata/debtest"
	"repomill/testdata/rpmtest"

	pages "repomill/publish/pages/html"
)

// The word of a version page names one version, with its epoch, to apt, dnf and zypper themselves: another version, which is newer, is there
// as well.
func TestClientsReadTheWordsOfVersions(t *testing.T) {
	for _, tt := range []struct {
		client   string
		programs []string
		os       catalog.Distribution
		format   catalog.Format
		arch     string
		run      func(t *testing.T, dir, word string) string
	}{
		{"apt", []string{"apt-get", "dpkg-scanpackages"}, catalog.Distribution{OS: "debian", Version: "trixie"}, catalog.DEB, "all", runApt},
		{"dnf", []string{"dnf", "createrepo_c"}, catalog.Distribution{OS: "el", Version: "9"}, catalog.RPM, "noarch", runDnf},
		{"zypper", []string{"zypper", "createrepo_c"}, catalog.Distribution{OS: "opensuse", Version: "15.6"}, catalog.RPM, "noarch", runZypper},
	} {
		t.Run(tt.client, func(t *testing.T) {
			for _, program := range tt.programs {
				if _, err := exec.LookPath(program); err != nil {
					t.Skip(program + " is not installed")
				}
			}
			v := model.VersionPage{Repository: model.Repository{Name: pagestest.Tools}, Package: "hello", Version: model.Version{Version: "2.10-3",
				Packages: []model.Package{{Package: catalog.Package{Distribution: tt.os, Format: tt.format, Name: "hello", Version: "2:2.10-3", Arch: tt.arch}}}}}
			line := commandsOf(parse(t, pages.New(pagestest.PublicURL).VersionPage(v)[0]))[0]
			_, word, _ := strings.Cut(line, " install ")
			if out := tt.run(t, t.TempDir(), word); !strings.Contains(out, "2.10-3") || strings.Contains(out, "2.11-3") {
				t.Errorf("%s %s does not install 2:2.10-3:\n%s", tt.client, word, out)
			}
		})
	}
}

// output returns what a program prints that simulates an installation, for which some end with an error.
func output(name string, args ...string) string {
	out, err := exec.Command(name, args...).CombinedOutput()
	if err != nil {
		out = append(out, []byte("\n"+err.Error())...)
	}
	return string(out)
}

func write(t *testing.T, name string, b []byte) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, b, 0o600); err != nil {
		t.Fatal(err)
	}
}

func runApt(t *testing.T, dir, word string) string {
	for _, version := range []string{"2:2.10-3", "2:2.11-3"} {
		write(t, filepath.Join(dir, "repo", version[2:]+".deb"), debtest.Build(t, debtest.Spec{Version: version}))
	}
	packages, err := exec.Command("sh", "-c", "cd "+dir+"/repo && dpkg-scanpackages -m .").Output()
	if err != nil {
		t.Fatal(err)
	}
	write(t, dir+"/repo/Packages", packages)
	write(t, dir+"/etc/sources.list", []byte("deb [trusted=yes] file://"+dir+"/repo ./\n"))
	write(t, dir+"/state/lists/partial/x", nil)
	write(t, dir+"/cache/archives/partial/x", nil)
	write(t, dir+"/status", nil)
	write(t, dir+"/apt.conf", []byte(`Dir::Etc "`+dir+`/etc"; Dir::Etc::sourceparts "-"; Dir::Etc::parts "-"; Dir::State "`+dir+`/state"; Dir::State::status "`+dir+`/status"; Dir::Cache "`+dir+
		`/cache"; APT::Sandbox::User ""; Acquire::Languages "none";`))
	if out := output("apt-get", "-c", dir+"/apt.conf", "update"); strings.Contains(out, "exit status") {
		t.Fatal(out)
	}
	return output("apt-get", "-c", dir+"/apt.conf", "-s", "install", word)
}

// rpms makes a repository with two versions.
func rpms(t *testing.T, dir string) {
	t.Helper()
	for _, version := range []string{"2.10", "2.11"} {
		write(t, dir+"/repo/"+version+".rpm", rpmtest.Build(t, rpmtest.Spec{Name: "hello", Epoch: 2, Version: version, Release: "3", Arch: "noarch"}))
	}
	if out, err := exec.Command("createrepo_c", "-q", dir+"/repo").CombinedOutput(); err != nil {
		t.Fatalf("createrepo_c: %v\n%s", err, out)
	}
}

func runDnf(t *testing.T, dir, word string) string {
	rpms(t, dir)
	return output("dnf", "--noplugins", "--installroot="+dir+"/root", "--setopt=cachedir="+dir+"/cache", "--setopt=reposdir="+dir, "--releasever=9", "--repofrompath=x,file://"+dir+"/repo",
		"--nogpgcheck", "--assumeno", "install", word)
}

func runZypper(t *testing.T, dir, word string) string {
	rpms(t, dir)
	if out := output("zypper", "--root", dir+"/root", "--no-gpg-checks", "addrepo", "-G", "-f", "file://"+dir+"/repo", "x"); strings.Contains(out, "exit status") {
		t.Fatal(out)
	}
	return output("zypper", "--root", dir+"/root", "--no-gpg-checks", "--non-interactive", "-vv", "install", "--dry-run", word)
}
