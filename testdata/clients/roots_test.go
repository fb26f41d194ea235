package clients_test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"repomill/schemas/catalog"
	"repomill/schemas/layout"
	"repomill/testdata/debtest"
	"repomill/testdata/proctest"
	"repomill/testdata/rpmtest"
)

var roots = flag.String("clients.roots", "", "folder with the roots that deploy/client-roots made; real systems are tested in them")

// A system is a client in a root of its own, which installs from a distribution.
type system struct {
	suite   string // of the root
	program string // shows its version with --version
	target  string // distribution that has lines for this client
}

// systems are the clients that are tried. zypper stands for that of SUSE: the program is the same.
var systems = []system{
	{"bookworm", "apt-get", "debian/bookworm"},
	{"trixie", "apt-get", "debian/trixie"},
	{"sid", "apt-get", "debian/sid"},
	{"bookworm", "apt-get", "debian/bullseye"}, // one-line sources
	{"bookworm", "dnf", "el/9"},
	{"trixie", "dnf", "el/10"},
	{"sid", "dnf5", "fedora/43"},
	{"bookworm", "zypper", "opensuse/15.6"},
	{"trixie", "zypper", "opensuse/15.6"},
	{"sid", "zypper", "opensuse/15.6"},
}

// A form is a way to give a client its token: it changes the printed lines.
type form struct {
	name   string
	change func(lines, url, token string) string
}

var forms = []form{
	{"as user name, as printed", func(lines, _, _ string) string { return lines }},
	{"as password", func(lines, _, _ string) string {
		return strings.NewReplacer(`"%s:x"`, `"x:%s"`, "login %s password x", "login x password %s",
			`"username=$token" password=x`, `username=x "password=$token"`, `username=%s\npassword=x`, `username=x\npassword=%s`).Replace(lines)
	}},
	{"in the path", inPath},
}

// inPath has the token in every URL of the repository, and nowhere else.
func inPath(lines, url, token string) string {
	var kept []string
	repository := url + "/acme/secret"
	private := url + "/priv/" + token + "/acme/secret"
	for line := range strings.Lines(lines) {
		switch {
		case strings.Contains(line, "install -D"), strings.Contains(line, "sed -i -f -"), strings.Contains(line, "?credentials="):
			continue // gives the token to the client
		case strings.Contains(line, "curl"):
			if _, after, ok := strings.Cut(line, "| "); ok {
				line = after
			}
			path := strings.Fields(line[strings.Index(line, "-fsSLo"):])[1]
			line = strings.Replace(strings.Replace(line, " -K -", "", 1), repository, private, 1)
			line += fmt.Sprintf("sed -i 's#%s/#%s/#' %s &&\n", repository, private, path)
		}
		kept = append(kept, strings.ReplaceAll(line, `] `+repository, `] `+private))
	}
	return strings.Join(kept, "")
}

// Real systems install from public and private repositories by the lines that repomill hint prints, whichever way
// they give the token, and without a word of complaint.
func TestSystemsInstallByPrintedLines(t *testing.T) {
	if *roots == "" {
		t.Skip("skipped: real systems in roots of their own; make test-clients makes them and runs this")
	}
	s := newRootsSite(t)
	for _, sys := range systems {
		root := filepath.Join(*roots, sys.suite)
		if _, err := os.Stat(filepath.Join(root, "usr/bin", sys.program)); err != nil {
			t.Run(sys.suite+" "+sys.program, func(t *testing.T) { t.Skipf("SKIPPED, NOT TRIED: %v", err) })
			continue
		}
		r := newRoot(t, root)
		version := strings.Fields(proctest.Must(t, nil, "chroot", root, sys.program, "--version"))
		t.Run(fmt.Sprintf("%s %s for %s", sys.suite, strings.Join(version[:min(3, len(version))], " "), sys.target), func(t *testing.T) {
			t.Run("public", func(t *testing.T) { r.installs(t, s.hint(t, "acme/tools/"+sys.target)) })
			private := s.hint(t, "acme/secret/"+sys.target)
			for _, f := range forms {
				t.Run("private, token "+f.name, func(t *testing.T) { r.installs(t, f.change(private, s.url, s.token)) })
			}
			t.Run("private, wrong token", func(t *testing.T) { r.refuses(t, strings.Replace(private, s.token, "rmt_wrong", 1)) })
			t.Run("nothing listens", func(t *testing.T) { r.refuses(t, strings.ReplaceAll(private, s.url, "http://127.0.0.1:9")) })
		})
	}
}

// A rootsSite serves a public and a private repository with a package for every system.
type rootsSite struct {
	site
	token, tokenFile string
}

func newRootsSite(t *testing.T) *rootsSite {
	t.Helper()
	var targets []string
	for _, sys := range systems {
		targets = append(targets, sys.target)
	}
	return newRootsSiteOf(t, targets)
}

// newRootsSiteOf serves repositories with some distributions, which may be repeated.
func newRootsSiteOf(t *testing.T, distributions []string) *rootsSite {
	t.Helper()
	s := &rootsSite{site: site{data: proctest.OpenDir(t)}}
	var err error
	if s.program, err = program(); err != nil {
		t.Fatal(err)
	}
	s.start(t)
	create := []string{"repo", "create", "--data", s.data, "acme/secret", "--visibility", "private"}
	targets := map[string]bool{}
	for _, target := range distributions {
		if !targets[target] {
			create = append(create, "--distribution", target)
		}
		targets[target] = true
	}
	proctest.Must(t, nil, s.program, create...)
	dir := t.TempDir()
	debFile := write(t, dir, "hello-mill.deb", string(debtest.Build(t, debtest.Spec{Name: "hello-mill", Control: "gz", Data: "gz", Files: map[string]string{"usr/share/hello-mill": "x"}})))
	rpmFile := write(t, dir, "hello-mill.rpm", string(rpmtest.Build(t, rpmtest.Spec{Name: "hello-mill", Arch: "noarch", Files: map[string]string{"/usr/share/hello-mill": "x"}})))
	for target := range targets {
		file := rpmFile
		if distro, rej := layout.DefaultTable().Lookup(distributionOf(target)); rej == nil && distro.Format == catalog.DEB {
			file = debFile
		}
		for _, repository := range []string{"acme/tools/", "acme/secret/"} {
			proctest.Must(t, nil, s.program, "push", "--wait", "--timeout", "5m", "--staging", "file://"+s.data+"/staging", repository+target, file)
		}
	}
	s.token = strings.TrimSpace(proctest.Must(t, nil, s.program, "token", "create", "--data", s.data, "acme/secret", "ci"))
	s.tokenFile = write(t, dir, "token", s.token+"\n")
	s.awaitToken(t)
	return s
}

func distributionOf(target string) catalog.Distribution {
	os, version, _ := strings.Cut(target, "/")
	return catalog.Distribution{OS: os, Version: version}
}

// awaitToken waits until the resolver knows the token.
func (s *rootsSite) awaitToken(t *testing.T) {
	t.Helper()
	a := proctest.Run(t, nil, "curl", "-fsSLo", "/dev/null", "--retry", "20", "--retry-delay", "1", "--retry-all-errors",
		s.url+"/priv/"+s.token+"/acme/secret/el/9.repo")
	if a.Code != 0 {
		t.Fatalf("the token is not taken: %v", a)
	}
}

// hint returns the lines that repomill hint prints, without the heading.
func (s *rootsSite) hint(t *testing.T, target string) string {
	t.Helper()
	out := proctest.Must(t, nil, s.program, "hint", "--data", s.data, "--token-file", s.tokenFile, target)
	_, lines, ok := strings.Cut(out, "\n")
	if !ok || !strings.Contains(lines, s.url) {
		t.Fatalf("hint printed %s", out)
	}
	return lines
}

// A root is a system that tests change, and put back.
type root struct{ dir string }

// newRoot prepares a root once: a sudo that has nothing to do, a foreign architecture, about which apt prints
// notices if a repository lacks it, the name that Fedora has for dnf5, no plugin of Debian's dnf5 that keeps copies by createrepo_c, and no demand of
// zypper for SUSE's glibc.
func newRoot(t *testing.T, dir string) root {
	t.Helper()
	if err := os.Chmod(write(t, dir, "usr/local/bin/sudo", "#!/bin/sh\nexec \"$@\"\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	r := root{dir}
	a := r.sh(t, `dpkg --add-architecture i386
echo 'quiet "0";' >/etc/apt/apt.conf.d/90notices # which apt keeps to itself without a terminal
if command -v dnf5 >/dev/null; then ln -sf "$(command -v dnf5)" /usr/local/bin/dnf; fi
rm -f /etc/zypp/systemCheck.d/* /etc/zypp/systemCheck /etc/dnf/libdnf5-plugins/local.conf`)
	if a.Code != 0 {
		t.Fatal(a)
	}
	return r
}

func (r root) sh(t *testing.T, script string) proctest.Answer {
	t.Helper()
	return proctest.Run(t, []string{"HOME=/root", "LC_ALL=C", "DEBIAN_FRONTEND=noninteractive"}, "unshare", "--mount", "/bin/sh", "-c",
		`mount --rbind /dev "$0/dev" && mount -t proc proc "$0/proc" && exec chroot "$0" /bin/sh -c "$1"`, r.dir, script)
}

// reset removes all that lines may have left.
func (r root) reset(t *testing.T) {
	t.Helper()
	a := r.sh(t, `rm -rf /etc/apt/sources.list /etc/apt/sources.list.d/* /etc/apt/auth.conf.d/* /usr/share/keyrings/acme_* /var/lib/apt/lists/* \
	/etc/yum.repos.d /etc/zypp/repos.d/* /etc/zypp/credentials.d /var/cache/dnf /var/cache/libdnf5 /var/cache/zypp /var/lib/dnf /var/lib/zypp
mkdir -p /etc/yum.repos.d /etc/zypp/repos.d
if dpkg -s hello-mill >/dev/null 2>&1; then dpkg -P hello-mill; fi
rm -rf /root/.rpmdb /var/lib/rpm /usr/lib/sysimage/rpm /usr/share/hello-mill`)
	if a.Code != 0 || r.installed() {
		t.Fatalf("reset: %v", a)
	}
}

func (r root) installed() bool {
	_, err := os.Stat(filepath.Join(r.dir, "usr/share/hello-mill"))
	return err == nil
}

// installs wants lines to install the package, to keep the token from users, and apt to have nothing to say.
func (r root) installs(t *testing.T, lines string) {
	t.Helper()
	r.reset(t)
	a := r.sh(t, lines)
	if a.Code != 0 || !r.installed() {
		t.Fatalf("not installed by\n%s%v", lines, a)
	}
	for _, complaint := range []string{"\nW: ", "\nN: ", "\nE: ", "Skipping acquire"} {
		if strings.Contains(strings.ReplaceAll("\n"+a.Stdout+"\n"+a.Stderr, "\r", "\n"), complaint) {
			t.Errorf("a client complains: %v", a)
		}
	}
	for _, pattern := range []string{"etc/apt/auth.conf.d/*", "etc/zypp/credentials.d/*"} {
		for _, path := range glob(t, filepath.Join(r.dir, pattern)) {
			if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
				t.Errorf("%s has mode %v, want 0600", path, info.Mode())
			}
		}
	}
	for _, path := range glob(t, filepath.Join(r.dir, "etc/yum.repos.d/*")) {
		body, err := os.ReadFile(path)
		info, err2 := os.Stat(path)
		if err != nil || err2 != nil || strings.Contains(string(body), "username=") && info.Mode().Perm() != 0o600 {
			t.Errorf("%s has the token and mode %v", path, info.Mode())
		}
	}
}

// refuses wants lines to fail and to leave no configuration of the repository.
func (r root) refuses(t *testing.T, lines string) {
	t.Helper()
	r.reset(t)
	a := r.sh(t, lines)
	if a.Code == 0 || r.installed() {
		t.Errorf("installed by\n%s%v", lines, a)
	}
	for _, pattern := range []string{"etc/apt/sources.list.d/*", "etc/apt/auth.conf.d/*", "usr/share/keyrings/acme_*", "etc/yum.repos.d/*", "etc/zypp/repos.d/*"} {
		if left := glob(t, filepath.Join(r.dir, pattern)); len(left) > 0 {
			t.Errorf("left behind: %q", left)
		}
	}
}

func glob(t *testing.T, pattern string) []string {
	t.Helper()
	paths, err := filepath.Glob(pattern)
	if err != nil {
		t.Fatal(err)
	}
	return paths
}
