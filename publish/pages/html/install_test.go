package html_test

import (
	"os/exec"
	"slices"
	"strings"
	"testing"

	"golang.org/x/net/html"

	"repomill/publish/pages/model"
	"repomill/publish/pages/pagestest"
	"repomill/schemas/catalog"
	"repomill/schemas/layout"
	"repomill/schemas/setup"

	pages "repomill/publish/pages/html"
)

// commandsOf returns the texts that people copy from an element.
func commandsOf(n *html.Node) (texts []string) {
	for _, pre := range all(n, "pre") {
		if class, _ := attr(pre, "class"); class == "copy" {
			texts = append(texts, text(pre))
		}
	}
	return texts
}

// setUpOf returns the commands of a distribution on the front page of a repository of the site: with the script, by hand, in a container
// and, if it is private, to build that.
func setUpOf(t *testing.T, r catalog.Repository, d string) []string {
	t.Helper()
	for _, p := range sitePages() {
		if p.Key != layout.FrontPageKey(r) {
			continue
		}
		for _, n := range all(parse(t, p), "details") {
			if id, _ := attr(n, "id"); id == "install-"+d {
				return commandsOf(n)
			}
		}
	}
	t.Fatalf("%s has no lines for %s", r, d)
	return nil
}

func TestFrontPagesSetUpEachDistribution(t *testing.T) {
	const packages = "https://packages.example.org"
	for _, tt := range []struct {
		repository             catalog.Repository
		distribution           string
		script, container, run string
	}{
		{pagestest.Tools, "ubuntu/jammy",
			"curl -fsSL " + packages + "/install/repositories/acme/tools/script.deb.sh | sudo bash\nsudo apt-get install acme-tools-archive-keyring hello-mill",
			`FROM ubuntu:jammy
RUN apt-get update && apt-get install -y --no-install-recommends ca-certificates
ADD --chmod=644 https://packages.example.org/acme/tools/gpgkey /usr/share/keyrings/acme-tools-archive-keyring.asc
ADD --chmod=644 https://packages.example.org/acme/tools/ubuntu/jammy.sources /etc/apt/sources.list.d/acme_tools.sources
RUN apt-get update && apt-get install -y acme-tools-archive-keyring hello-mill && rm -rf /var/lib/apt/lists/*`, ""},
		{pagestest.Tools, "ubuntu/focal",
			"curl -fsSL " + packages + "/install/repositories/acme/tools/script.deb.sh | sudo bash\nsudo apt-get install acme-tools-archive-keyring hello-mill",
			`FROM ubuntu:focal
RUN apt-get update && apt-get install -y --no-install-recommends apt-transport-https ca-certificates
ADD --chmod=644 https://packages.example.org/acme/tools/gpgkey /usr/share/keyrings/acme-tools-archive-keyring.asc
RUN echo "deb [signed-by=/usr/share/keyrings/acme-tools-archive-keyring.asc] https://packages.example.org/acme/tools/ubuntu focal main" >/etc/apt/sources.list.d/acme_tools.list
RUN apt-get update && apt-get install -y acme-tools-archive-keyring hello-mill && rm -rf /var/lib/apt/lists/*`, ""},
		{pagestest.Wide, "debian/trixie",
			"curl -fsSL " + packages + "/install/repositories/acme/wide/script.deb.sh | sudo bash\nsudo apt-get install acme-agent",
			`FROM debian:trixie
RUN apt-get update && apt-get install -y --no-install-recommends ca-certificates
ADD --chmod=644 https://packages.example.org/acme/wide/debian/trixie.sources /etc/apt/sources.list.d/acme_wide.sources
RUN apt-get update && apt-get install -y acme-agent && rm -rf /var/lib/apt/lists/*`, ""},
		{pagestest.Wide, "el/9",
			"curl -fsSL " + packages + "/install/repositories/acme/wide/script.rpm.sh | sudo bash\nsudo dnf install acme-agent",
			`FROM almalinux:9
ADD --chmod=644 https://packages.example.org/acme/wide/el/9.repo /etc/yum.repos.d/acme_wide.repo
RUN dnf install -y acme-agent && dnf clean all`, ""},
		{pagestest.Wide, "opensuse/15.6",
			"curl -fsSL " + packages + "/install/repositories/acme/wide/script.rpm.sh | sudo bash\nsudo zypper install acme-agent",
			`FROM opensuse/leap:15.6
ADD --chmod=644 https://packages.example.org/acme/wide/opensuse/15.6.repo /etc/zypp/repos.d/acme_wide.repo
RUN zypper --non-interactive --gpg-auto-import-keys install acme-agent && zypper clean --all`, ""},
		{pagestest.Secret, "ubuntu/jammy",
			"curl -fsSL -u TOKEN: " + packages + "/install/repositories/acme/secret/script.deb.sh | sudo username=TOKEN bash\nsudo apt-get install probe",
			`FROM ubuntu:jammy
RUN apt-get update && apt-get install -y --no-install-recommends ca-certificates curl
RUN --mount=type=secret,id=token \
    token=$(cat /run/secrets/token) && \
    printf 'user = "%s:x"\n' "$token" | curl -K - -fsSLo /etc/apt/sources.list.d/acme_secret.sources https://packages.example.org/acme/secret/ubuntu/jammy.sources && \
    sed -i "/^Suites:/a Architectures: $(echo $(dpkg --print-architecture; dpkg --print-foreign-architectures | grep -xE 'amd64|arm64'))" /etc/apt/sources.list.d/acme_secret.sources && \
    printf 'machine packages.example.org/acme/secret/ login %s password x\n' "$token" | install -D -m 600 /dev/stdin /etc/apt/auth.conf.d/acme_secret.conf && \
    apt-get update && \
    apt-get install -y probe && \
    rm /etc/apt/auth.conf.d/acme_secret.conf`, "docker build --secret id=token,src=FILE ."},
	} {
		t.Run(tt.repository.Name+" "+tt.distribution, func(t *testing.T) {
			got := setUpOf(t, tt.repository, tt.distribution)
			want := []string{tt.script, got[1], tt.container}
			if tt.run != "" {
				want = append(want, tt.run)
			}
			if !slices.Equal(got, want) {
				t.Errorf("lines are\n%s\nwant\n%s", strings.Join(got, "\n---\n"), strings.Join(want, "\n---\n"))
			}
		})
	}
}

// Lines by hand are those of repomill hint, in all distributions of all repositories; a shell can read each of them, and the steps of a
// Dockerfile.
func TestLinesAreThoseOfHintAndOfAShell(t *testing.T) {
	seen := 0
	for _, f := range pagestest.NewSite().Fronts {
		for _, d := range f.Distributions {
			lines := setUpOf(t, f.Name, d.Distribution.String())
			s := catalog.Settings{Repository: f.Name, Visibility: catalog.Public, Distributions: []catalog.DistributionSettings{d.Settings}}
			pkg := d.Package
			if f.Private {
				s.Visibility = catalog.Private
			}
			if f.Keyring {
				s.Keyring = &catalog.KeyringPackage{On: true}
				pkg = layout.KeyringName(f.Name, d.Format) + " " + pkg
			}
			if want := strings.Join(setup.Lines(pagestest.PublicURL, s, d.Distro, pkg, "TOKEN"), "\n"); lines[1] != want {
				t.Errorf("%s %s: by hand\n%s\nwant\n%s", f.Name, d.Distribution, lines[1], want)
			}
			for _, step := range strings.Split("\n"+lines[2], "\nRUN ")[1:] {
				step, _, _ = strings.Cut(step, "\nADD ")
				lines = append(lines, strings.TrimPrefix(step, "--mount=type=secret,id=token \\\n"))
			}
			for _, line := range append(lines[:2:2], lines[3:]...) {
				seen++
				if out, err := exec.Command("sh", "-n", "-c", line).CombinedOutput(); err != nil {
					t.Errorf("%s %s: a shell does not read\n%s\n%s", f.Name, d.Distribution, line, out)
				}
			}
		}
	}
	if seen < 150 {
		t.Errorf("only %d lines were seen", seen)
	}
}

// Each client has its own form for one version of a package.
func TestVersionPagesHaveTheLineOfEachClient(t *testing.T) {
	pkg := func(d, name, version, arch string, state catalog.PackageState) model.Package {
		os, v, _ := strings.Cut(d, "/")
		distro, rej := layout.DefaultTable().Lookup(catalog.Distribution{OS: os, Version: v})
		if rej != nil {
			t.Fatal(rej)
		}
		return model.Package{Package: catalog.Package{Distribution: distro.Distribution, Format: distro.Format, Name: name, Version: version, Arch: arch, State: state}}
	}
	for _, tt := range []struct {
		fact     string
		packages []model.Package
		want     []string
	}{
		{"apt takes the version with its epoch", []model.Package{pkg("debian/trixie", "hello", "1:2.10-3", "amd64", catalog.Active), pkg("ubuntu/focal", "hello", "1:2.10-3", "all", catalog.Active)},
			[]string{"sudo apt-get install hello=1:2.10-3"}},
		{"packages that differ in the epoch have a line each", []model.Package{pkg("debian/trixie", "hello", "1:2.10-3", "amd64", catalog.Active), pkg("ubuntu/focal", "hello", "2.10-3", "amd64", catalog.Active)},
			[]string{"sudo apt-get install hello=1:2.10-3", "sudo apt-get install hello=2.10-3"}},
		{"a tilde and a plus need no quotes", []model.Package{pkg("debian/sid", "libx++1", "3.0~rc2+dfsg-1", "amd64", catalog.Active)}, []string{"sudo apt-get install libx++1=3.0~rc2+dfsg-1"}},
		{"a foreign architecture is named", []model.Package{pkg("debian/sid", "wine32", "9.0-1", "i386", catalog.Active)}, []string{"sudo dpkg --add-architecture i386 && sudo apt-get update && sudo apt-get install wine32:i386=9.0-1"}},
		{"the foreign architecture is that of the version", []model.Package{pkg("debian/sid", "libx", "1:1-1", "amd64", catalog.Active), pkg("debian/sid", "libx", "1-1", "i386", catalog.Active)},
			[]string{"sudo apt-get install libx=1:1-1", "sudo dpkg --add-architecture i386 && sudo apt-get update && sudo apt-get install libx:i386=1-1"}},
		{"dnf takes NAME-VERSION-RELEASE", []model.Package{pkg("el/9", "hello", "2.10-3.el9", "x86_64", catalog.Active)}, []string{"sudo dnf install hello-2.10-3.el9"}},
		{"dnf takes the epoch after the name", []model.Package{pkg("fedora/43", "hello", "2:2.10-3.fc43", "noarch", catalog.Active)}, []string{"sudo dnf install hello-2:2.10-3.fc43"}},
		{"yum takes no epoch", []model.Package{pkg("el/7", "hello", "2:2.10-3.el7", "x86_64", catalog.Active)}, []string{"sudo yum install hello-2.10-3.el7"}},
		{"zypper takes NAME=VERSION-RELEASE with the epoch", []model.Package{pkg("opensuse/15.6", "hello", "2:2.10-3", "x86_64", catalog.Active)}, []string{"sudo zypper install hello=2:2.10-3"}},
		{"withdrawn and source packages are not installed", []model.Package{pkg("debian/sid", "hello", "1-1", "amd64", catalog.Yanked), pkg("el/9", "hello", "1-1", "src", catalog.Active)}, nil},
		{"a name that is no word is quoted", []model.Package{pkg("debian/sid", "x;id", "1'2", "amd64", catalog.Active)}, []string{`sudo apt-get install 'x;id=1'\''2'`}},
	} {
		t.Run(tt.fact, func(t *testing.T) {
			v := model.VersionPage{Repository: model.Repository{Name: pagestest.Tools}, Package: tt.packages[0].Name, Version: model.Version{Version: "v", Packages: tt.packages}}
			if got := commandsOf(parse(t, pages.New(pagestest.PublicURL).VersionPage(v)[0])); !slices.Equal(got, tt.want) {
				t.Errorf("lines are %q, want %q", got, tt.want)
			}
		})
	}
}

// A package that exists for 32-bit x86 alone needs that architecture on its host, in each way to install it.
func TestFrontPagesAddI386(t *testing.T) {
	distro, rej := layout.DefaultTable().Lookup(catalog.Distribution{OS: "debian", Version: "trixie"})
	if rej != nil {
		t.Fatal(rej)
	}
	p := pages.New(pagestest.PublicURL).Front(model.Front{Repository: model.Repository{Name: pagestest.Tools},
		Distributions: []model.Distribution{{Distro: distro, Settings: catalog.DistributionSettings{Distribution: distro.Distribution, Format: catalog.DEB, Components: []string{"main"}}, Package: "wine32:i386"}}})[0]
	lines := commandsOf(all(parse(t, p), "details")[0])
	if len(lines) != 3 {
		t.Fatalf("lines are %q", lines)
	}
	for _, line := range lines {
		if !strings.Contains(line, "dpkg --add-architecture i386") || !strings.Contains(line, "wine32:i386") {
			t.Errorf("there is no i386 in\n%s", line)
		}
	}
}
