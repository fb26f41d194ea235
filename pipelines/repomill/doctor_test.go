package main_test

import (
	"bytes"
	"encoding/json"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp/armor"
	"github.com/google/go-cmp/cmp"

	"repomill/publish/sign"
	"repomill/testdata/debtest"
	"repomill/testdata/proctest"
	"repomill/testdata/rpmtest"
)

// A hostRoot is a folder with those files of a host that doctor reads.
type hostRoot struct {
	dir  string
	site *site
}

const (
	jammyHost = "PRETTY_NAME=\"Ubuntu 22.04.4 LTS\"\nID=ubuntu\nVERSION_ID=\"22.04\"\nVERSION_CODENAME=jammy\nID_LIKE=debian\n"
	mintHost  = "PRETTY_NAME=\"Linux Mint 21.3\"\nID=linuxmint\nVERSION_ID=\"21.3\"\nVERSION_CODENAME=virginia\nUBUNTU_CODENAME=jammy\nID_LIKE=\"ubuntu debian\"\n"
	rockyHost = "PRETTY_NAME=\"Rocky Linux 9.4\"\nID=rocky\nVERSION_ID=\"9.4\"\nID_LIKE=\"rhel centos fedora\"\n"
	leapHost  = "PRETTY_NAME=\"openSUSE Leap 15.6\"\nID=opensuse-leap\nVERSION_ID=\"15.6\"\nID_LIKE=\"suse opensuse\"\n"
)

// newHostRoot returns the root of a host. %URL%, %HOST% and %KEY% in its files stand for the site's URL, its host, and the
// key of acme/doctor, armoured and indented as in a .sources file.
func newHostRoot(t *testing.T, s *site, release string) hostRoot {
	t.Helper()
	h := hostRoot{proctest.OpenDir(t), s}
	h.write(t, "etc/os-release", release)
	if strings.Contains(release, "debian") {
		h.write(t, "var/lib/dpkg/status", "Package: dash\nArchitecture: all\n\nPackage: dpkg\nStatus: install ok installed\nArchitecture: amd64\n")
		h.write(t, "etc/passwd", "root:x:0:0:root:/root:/bin/sh\n_apt:x:42:65534::/nonexistent:/usr/sbin/nologin\n")
	}
	return h
}

func (h hostRoot) write(t *testing.T, name, text string) {
	t.Helper()
	path := filepath.Join(h.dir, name)
	text = strings.NewReplacer("%URL%", h.site.url, "%HOST%", strings.TrimPrefix(h.site.url, "http://")).Replace(text)
	err := os.MkdirAll(filepath.Dir(path), 0o755)
	if err == nil {
		err = os.WriteFile(path, []byte(text), 0o644)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// leadsToItself makes paths in the host's files mean the same to a program that reads the root from outside: in the root, the
// folder's own path leads to the root.
func (h hostRoot) leadsToItself(t *testing.T) {
	t.Helper()
	err := os.MkdirAll(filepath.Join(h.dir, filepath.Dir(h.dir)), 0o755)
	if err == nil {
		err = os.Symlink("/", filepath.Join(h.dir, h.dir))
	}
	if err != nil {
		t.Fatal(err)
	}
}

func (h hostRoot) doctor(t *testing.T, args ...string) proctest.Answer {
	t.Helper()
	return repomill(t, append([]string{"doctor", "--root", h.dir}, args...)...)
}

// dearmored returns the packets of an armoured key.
func dearmored(t *testing.T, text []byte) string {
	t.Helper()
	block, err := armor.Decode(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(block.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// unrelatedKey returns the armoured public part of a key that signs nothing.
func unrelatedKey(t *testing.T) string {
	t.Helper()
	key, err := sign.Generate("another key", sign.MinRSABits, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	return string(key.Public())
}

const (
	keyAt   = "usr/share/keyrings/acme_doctor.asc"
	listAt  = "etc/apt/sources.list.d/acme_doctor.list"
	sources = "etc/apt/sources.list.d/acme_doctor.sources"
	line    = "deb [signed-by=/" + keyAt + "] %URL%/acme/doctor/ubuntu jammy main\n"
)

// Each fault of a host that apt meets is found by its name, and what is sound is not.
func TestDoctorFindsFaultsOfApt(t *testing.T) {
	t.Parallel()
	s := shared(t)
	s.publish(t, "acme/doctor/ubuntu/jammy", newDEB(t, debtest.Spec{}))
	s.publish(t, "acme/doctor/ubuntu/noble", newDEB(t, debtest.Spec{}))
	s.publish(t, "acme/doctor/any/any", newDEB(t, debtest.Spec{}))
	key := string(s.fetch(t, "acme/doctor/gpgkey"))
	ready := string(s.fetch(t, "acme/doctor/ubuntu/jammy.sources"))
	other := unrelatedKey(t)
	for _, tt := range []struct {
		fact  string
		files map[string]string
		code  int
		says  []string // lines, in this order, without the ": " and what follows "..."
		not   string
	}{
		{"the file that the server gives", map[string]string{sources: ready}, 0, []string{
			"ok       sources: 1 source for", "ok       fetch: InRelease fetched from", "ok       clock:", "ok       key: the key in /" + sources + " has the key that signs", "ok       architecture: the release has packages for amd64", "ok       distribution: the source is for ubuntu/jammy, which this host is", "1 source examined: all is well"}, "problem "},
		{"a line with a key file", map[string]string{keyAt: key, listAt: line}, 0, []string{"1 source examined: all is well"}, ""},
		{"a line of GitLab's layout, with options", map[string]string{keyAt: key, listAt: "deb [ arch=amd64,arm64 signed-by=/" + keyAt + " ] %URL%/acme/doctor/ubuntu/jammy jammy main # tools\n"}, 0, []string{"1 source examined: all is well"}, ""},
		{"nothing", nil, 1, []string{"problem  sources: the host has no entry for %URL%/acme/doctor", "do:    set it up: sudo curl -fsSLo /etc/apt/sources.list.d/acme_doctor.sources %URL%/acme/doctor/ubuntu/jammy.sources", "not in the configuration", "ok       fetch"}, ""},
		{"an entry that an upgrade disabled", map[string]string{keyAt: key, listAt: "# " + line}, 1, []string{"problem  sources: the entry for %URL%/acme/doctor is disabled: /" + listAt + ":1"}, ""},
		{"an entry with Enabled: no", map[string]string{sources: "Enabled: no\n" + ready}, 1, []string{"is disabled: /" + sources + ":1", `do:    remove "Enabled: no" there`}, ""},
		{"an old list beside new sources", map[string]string{keyAt: key, listAt: line, sources: ready}, 1, []string{
			"ok       sources: 2 sources", "problem  duplicate: /" + listAt + ":1 and /" + sources + ":2 are of the same release, and their Signed-By differs: apt reads no source at all", "do:    keep one of them: sudo rm /" + listAt}, ""},
		{"the same entry twice", map[string]string{keyAt: key, listAt: line + line}, 0, []string{"warning  duplicate: /" + listAt + ":1 and /" + listAt + ":2 are of the same release: apt fetches it twice", "2 sources examined: no problem, 1 warning"}, ""},
		{"both layouts", map[string]string{keyAt: key, listAt: line + "deb [signed-by=/" + keyAt + "] %URL%/acme/doctor/ubuntu/jammy/ jammy main\n"}, 0, []string{"warning  duplicate: ", "in two layouts"}, ""},
		{"another host of the same repository", map[string]string{sources: ready, listAt: "deb https://packagecloud.io/acme/doctor/ubuntu/ jammy main\n"}, 0, []string{"warning  sources: /" + listAt + ":1 names a repository acme/doctor on another host, packagecloud.io"}, ""},
		{"a key file that is not there", map[string]string{listAt: line}, 1, []string{"problem  key: the key file /" + keyAt + " that Signed-By names is not there", "do:    fetch it: sudo curl -fsSLo /" + keyAt + " %URL%/acme/doctor/gpgkey"}, ""},
		{"an armoured key in a binary's place", map[string]string{"etc/apt/keyrings/a.gpg": key, listAt: strings.Replace(line, keyAt, "etc/apt/keyrings/a.gpg", 1)}, 1, []string{"problem  key: /etc/apt/keyrings/a.gpg is armoured text, and its name does not end in .asc", "gpg --dearmor"}, ""},
		{"a binary key in its place", map[string]string{"etc/apt/keyrings/a.gpg": dearmored(t, []byte(key)), listAt: strings.Replace(line, keyAt, "etc/apt/keyrings/a.gpg", 1)}, 0, []string{"ok       key: /etc/apt/keyrings/a.gpg has the key that signs"}, ""},
		{"a binary key in armour's place", map[string]string{keyAt: dearmored(t, []byte(key)), listAt: line}, 1, []string{"problem  key: /" + keyAt + " is not armoured text, and its name ends in .asc"}, ""},
		{"a page in a key's place", map[string]string{keyAt: "-----BEGIN PGP PUBLIC KEY BLOCK-----\n\n<html>\n", listAt: line}, 1, []string{"problem  key: /" + keyAt + " cannot be used: bad armour"}, ""},
		{"the key before it was replaced", map[string]string{keyAt: other, listAt: line}, 1, []string{"problem  key: the release is signed with ", ": the key was replaced", "do:    fetch it: sudo curl -fsSLo /" + keyAt + " %URL%/acme/doctor/gpgkey"}, ""},
		{"no Signed-By and the key among all", map[string]string{"etc/apt/trusted.gpg.d/acme.asc": key, listAt: "deb %URL%/acme/doctor/ubuntu jammy main\n"}, 0, []string{"warning  key: the source has no Signed-By", "ok       key: /etc/apt/trusted.gpg.d/acme.asc has the key"}, ""},
		{"no key anywhere", map[string]string{listAt: "deb %URL%/acme/doctor/ubuntu jammy main\n"}, 1, []string{"problem  key: the host has no key for this source", "and name that file in Signed-By"}, ""},
		{"another distribution", map[string]string{keyAt: key, listAt: strings.Replace(line, "jammy", "noble", 1)}, 0, []string{"warning  distribution: the source is for ubuntu/noble, and this host is ubuntu/jammy (Ubuntu 22.04.4 LTS)"}, ""},
		{"a distribution that is not published", map[string]string{keyAt: key, listAt: strings.Replace(line, "jammy", "focal", 1)}, 1, []string{"problem  fetch: 404: acme/doctor has no release for ubuntu/focal; it has ubuntu/jammy, ubuntu/noble", "do:    this host is ubuntu/jammy: use that"}, ""},
		{"a component that is not there", map[string]string{keyAt: key, listAt: strings.Replace(line, "main", "contrib", 1)}, 1, []string{"problem  sources: the release has no component contrib; it has main"}, ""},
		{"an architecture that is not there", map[string]string{keyAt: key, listAt: line, "var/lib/dpkg/arch": "riscv64\n"}, 1, []string{"problem  architecture: the release has packages for all, amd64, arm64; this source asks for riscv64"}, ""},
		{"what is for all systems", map[string]string{keyAt: key, listAt: "deb [signed-by=/" + keyAt + "] %URL%/acme/doctor/any any main\n"}, 0, []string{"ok       key: ", "ok       distribution: the source is for any/any", "all is well"}, ""},
		{"a name that apt ignores", map[string]string{sources: ready, "etc/apt/sources.list.d/acme tools.list": line}, 0, []string{"warning  files: /etc/apt/sources.list.d/acme tools.list is ignored by apt because of its name"}, ""},
		{"a proxy that is away", map[string]string{sources: ready, "etc/apt/apt.conf.d/95proxy": "Acquire { http { Proxy \"http://user:secretword@127.0.0.1:1\"; }; };\n"}, 1, []string{"GET      %URL%/acme/doctor/ubuntu/dists/jammy/InRelease: the proxy 127.0.0.1:1 (Acquire::http::Proxy) refuses connections, through http://***@127.0.0.1:1 (Acquire::http::Proxy)", "problem  proxy: the proxy 127.0.0.1:1 (Acquire::http::Proxy) refuses connections"}, "secretword"},
		{"a proxy for other hosts", map[string]string{sources: ready, "etc/apt/apt.conf": "Acquire::http::Proxy \"http://127.0.0.1:1\"; // all\nAcquire::http::Proxy::127.0.0.1 \"DIRECT\";\n"}, 0, []string{"1 source examined: all is well"}, ""},
	} {
		h := newHostRoot(t, s, jammyHost)
		for name, text := range tt.files {
			h.write(t, name, text)
		}
		a := h.doctor(t, s.url+"/acme/doctor")
		rest := a.Stdout
		for _, want := range tt.says {
			want = strings.ReplaceAll(want, "%URL%", s.url)
			_, after, found := strings.Cut(rest, want)
			if !found {
				t.Errorf("%s: want %q in its place in\n%v", tt.fact, want, a)
				break
			}
			rest = after
		}
		if a.Code != tt.code || a.Stderr != "" || tt.not != "" && strings.Contains(a.String(), tt.not) {
			t.Errorf("%s: want code %d, without %q: %v", tt.fact, tt.code, tt.not, a)
		}
	}
}

// A private repository: where the token was found, and what the server makes of it. It is never printed.
func TestDoctorOfAPrivateRepository(t *testing.T) {
	t.Parallel()
	s := shared(t)
	s.publish(t, "acme/concealed/ubuntu/jammy", newDEB(t, debtest.Spec{}))
	s.publish(t, "acme/concealed/el/9", newRPM(t, rpmtest.Spec{}))
	key := string(s.fetch(t, "acme/concealed/gpgkey"))
	if a := repomill(t, "repo", "set", "acme/concealed", "--visibility", "private", "--data", s.data); a.Code != 0 {
		t.Fatal(a)
	}
	token := strings.TrimSpace(repomill(t, "token", "create", "acme/concealed", "doctor", "--data", s.data).Stdout)
	const (
		keyFile = "etc/apt/keyrings/acme_concealed.asc"
		list    = "etc/apt/sources.list.d/acme_concealed.list"
		auth    = "etc/apt/auth.conf.d/acme_concealed.conf"
		entry   = "deb [signed-by=/" + keyFile + "] %URL%/acme/concealed/ubuntu jammy main\n"
		repo    = "[acme_concealed]\nname=hidden\nbaseurl=%URL%/acme/concealed/el/9/$basearch\nrepo_gpgcheck=1\nenabled=1\ngpgkey=%URL%/acme/concealed/gpgkey\n"
	)
	for _, tt := range []struct {
		fact, release string
		files         map[string]string
		code          int
		says          string
	}{
		{"a token for the repository", jammyHost, map[string]string{list: entry, auth: "machine http://%HOST%/acme/concealed/ login " + token + " password x\n"}, 0, "ok       token: the server takes the token in /" + auth},
		{"a token in the URL", jammyHost, map[string]string{list: strings.Replace(entry, "%URL%", "http://"+token+":@%HOST%", 1)}, 0, "deb http://***@%HOST%/acme/concealed/ubuntu jammy main"},
		{"a token in the path", jammyHost, map[string]string{list: strings.Replace(entry, "/acme/", "/priv/"+token+"/acme/", 1)}, 0, "/priv/***/acme/concealed/ubuntu"},
		{"no entry", jammyHost, nil, 1, "problem  sources: the host has no entry for %URL%/acme/concealed\n"},
		{"no token", jammyHost, map[string]string{list: entry}, 1, "problem  token: 401: acme/concealed is private, or there is none of this name; the host sends no token\n    do:    put \"machine %URL%/acme/concealed/ login TOKEN password x\" into /" + auth},
		{"a token that is wrong", jammyHost, map[string]string{list: entry, auth: "machine http://%HOST%\nlogin another-secret\npassword x\n"}, 1, "problem  token: 401: the server refuses the token in /" + auth},
		{"a token for https", jammyHost, map[string]string{list: entry, auth: "machine %HOST%/acme/concealed/ login " + token + " password x\n"}, 1, "warning  token: the token in /" + auth + " is not sent: its entry is for another scheme than http"},
		{"a token for another path", jammyHost, map[string]string{list: entry, auth: "machine http://%HOST%/acme/hiden/ login " + token + " password x\n"}, 1, "is not sent: it is for %HOST%/acme/hiden/"},
		{"dnf with a token", rockyHost, map[string]string{"etc/yum.repos.d/acme_concealed.repo": repo + "username=" + token + "\npassword=x\n"}, 0, "ok       token: the server takes the token in /etc/yum.repos.d/acme_concealed.repo:1"},
		{"dnf without one", rockyHost, map[string]string{"etc/yum.repos.d/acme_concealed.repo": repo}, 1, "do:    put username=TOKEN and password=x into /etc/yum.repos.d/acme_concealed.repo"},
	} {
		h := newHostRoot(t, s, tt.release)
		if tt.release == jammyHost {
			h.write(t, keyFile, key)
		}
		for name, text := range tt.files {
			h.write(t, name, strings.ReplaceAll(text, "%URL%", s.url))
		}
		says := strings.NewReplacer("%URL%", s.url, "%HOST%", strings.TrimPrefix(s.url, "http://")).Replace(tt.says)
		for _, flags := range [][]string{nil, {"--json"}} {
			a := h.doctor(t, append(flags, s.url+"/acme/concealed")...)
			if a.Code != tt.code || len(flags) == 0 && !strings.Contains(a.Stdout, says) || a.Stderr != "" {
				t.Errorf("%s: want code %d, %q: %v", tt.fact, tt.code, says, a)
			}
			if strings.Contains(a.String(), token) || strings.Contains(a.String(), "another-secret") {
				t.Errorf("%s: the token is printed: %v", tt.fact, a)
			}
		}
	}
}

// What a user may not read is named; the rest is examined.
func TestDoctorWithoutRoot(t *testing.T) {
	t.Parallel()
	proctest.Need(t, "setpriv")
	if os.Geteuid() != 0 {
		t.Skip("only root can be another user")
	}
	s := shared(t)
	s.publish(t, "acme/doctor/ubuntu/jammy", newDEB(t, debtest.Spec{}))
	h := newHostRoot(t, s, jammyHost)
	h.write(t, sources, string(s.fetch(t, "acme/doctor/ubuntu/jammy.sources")))
	h.write(t, "etc/apt/auth.conf.d/other.conf", "machine h login secretword\n")
	path, err := program()
	if err != nil {
		t.Fatal(err)
	}
	says := "  warning  files: /etc/apt/auth.conf.d/other.conf cannot be read by this user\n    do:    run repomill doctor with sudo to have it examined too\n"
	for fact, name := range map[string]string{"a token for root alone": "etc/apt/auth.conf.d/other.conf", "a source for root alone": sources} {
		if err := os.Chmod(filepath.Join(h.dir, name), 0o600); err != nil {
			t.Fatal(err)
		}
		a := proctest.Run(t, nil, "setpriv", "--reuid", "65534", "--clear-groups", path, "doctor", "--root", h.dir, s.url+"/acme/doctor")
		if !strings.Contains(a.Stdout, strings.ReplaceAll(says, "etc/apt/auth.conf.d/other.conf", name)) || a.Stderr != "" {
			t.Errorf("%s: %v", fact, a)
		}
		if code := map[string]int{sources: 1}[name]; a.Code != code || code == 1 && !strings.Contains(a.Stdout, "has no entry for "+s.url+"/acme/doctor in what could be read") {
			t.Errorf("%s: want code %d: %v", fact, code, a)
		}
		if err := os.Chmod(filepath.Join(h.dir, name), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// A command line that cannot be meant says how it is written, without the token in it.
func TestDoctorUsage(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{{"packages.example.org/secret-token"}, {"ftp://secret-token@h/a/b"}, {"--root", "/nonexistent/root"}, {"--timeout", "0s"}, {"--distributions", "/nonexistent"}} {
		if a := repomill(t, append([]string{"doctor"}, args...)...); a.Code != 2 || a.Stdout != "" || strings.Contains(a.Stderr, "secret-token") {
			t.Errorf("%q: %v", args, a)
		}
	}
}

// The same of hosts with RPM.
func TestDoctorFindsFaultsOfRPM(t *testing.T) {
	t.Parallel()
	s := shared(t)
	s.publish(t, "acme/doctor/el/9", newRPM(t, rpmtest.Spec{}))
	s.publish(t, "acme/doctor/opensuse/15.6", newRPM(t, rpmtest.Spec{}))
	el, suse := string(s.fetch(t, "acme/doctor/el/9.repo")), string(s.fetch(t, "acme/doctor/opensuse/15.6.repo"))
	const dnf, zypp = "etc/yum.repos.d/acme_doctor.repo", "etc/zypp/repos.d/acme_doctor.repo"
	local := regexp.MustCompile(`(?m)^gpgkey=.*\n(?: .*\n)*`)
	for _, tt := range []struct {
		fact, release string
		files         map[string]string
		code          int
		says          string
	}{
		{"the file that the server gives to dnf", rockyHost, map[string]string{dnf: el}, 0, "-primary.xml.gz fetched, as the release lists it"},
		{"the file that the server gives to zypper", leapHost, map[string]string{zypp: suse}, 0, "ok       key: %URL%/acme/doctor/gpgkey has the key that signs the release"},
		{"nothing", rockyHost, nil, 1, "do:    set it up: sudo curl -fsSLo /etc/yum.repos.d/acme_doctor.repo %URL%/acme/doctor/el/9.repo"},
		{"nothing for zypper", leapHost, nil, 1, "set it up: sudo curl -fsSLo /etc/zypp/repos.d/acme_doctor.repo %URL%/acme/doctor/opensuse/15.6.repo"},
		{"a repository that is off", rockyHost, map[string]string{dnf: strings.ReplaceAll(el, "enabled=1", "enabled=0")}, 1, "do:    set enabled=1 there"},
		{"the same name twice", rockyHost, map[string]string{dnf: el, "etc/yum.repos.d/old.repo": el}, 1, "problem  duplicate: /" + dnf + ":1 and /etc/yum.repos.d/old.repo:1 have the same name [acme_doctor]"},
		{"another name for the same", rockyHost, map[string]string{dnf: el, "etc/yum.repos.d/old.repo": strings.Replace(el, "[acme_doctor", "[old", 1)}, 0, "warning  duplicate: [acme_doctor] in /" + dnf + " and [old] in /etc/yum.repos.d/old.repo are of the same release"},
		{"a key file that is not there", rockyHost, map[string]string{dnf: local.ReplaceAllString(el, "gpgkey=file:///etc/pki/rpm-gpg/acme\n")}, 1, "problem  key: the key file /etc/pki/rpm-gpg/acme that gpgkey names cannot be read"},
		{"a key file of another key", rockyHost, map[string]string{dnf: local.ReplaceAllString(el, "gpgkey=file:///etc/pki/rpm-gpg/acme\n"), "etc/pki/rpm-gpg/acme": unrelatedKey(t)}, 1, "do:    fetch it: sudo curl -fsSLo /etc/pki/rpm-gpg/acme %URL%/acme/doctor/gpgkey"},
		{"no key", rockyHost, map[string]string{dnf: local.ReplaceAllString(el, "")}, 1, "problem  key: repo_gpgcheck=1 without gpgkey"},
		{"no check", rockyHost, map[string]string{dnf: strings.ReplaceAll(el, "repo_gpgcheck=1", "repo_gpgcheck=0")}, 0, "warning  key: repo_gpgcheck is not 1"},
		{"a proxy of dnf that is away", rockyHost, map[string]string{dnf: el, "etc/dnf/dnf.conf": "[main]\nproxy=http://127.0.0.1:1\nproxy_username=u\nproxy_password=secretword\n"}, 1, "problem  proxy: the proxy 127.0.0.1:1 (/etc/dnf/dnf.conf) refuses connections"},
		{"an architecture that is not there", rockyHost, map[string]string{dnf: strings.ReplaceAll(el, "$basearch", "s390x")}, 1, "problem  architecture: 404: acme/doctor has el/9 for SRPMS, aarch64, x86_64, and not for s390x"},
		{"a repository that has no such release", rockyHost, map[string]string{dnf: strings.ReplaceAll(el, "/el/9/", "/el/8/")}, 1, "problem  fetch: 404: acme/doctor has no release for el/8; it has el/9"},
	} {
		h := newHostRoot(t, s, tt.release)
		for name, text := range tt.files {
			h.write(t, name, text)
		}
		a := h.doctor(t, s.url+"/acme/doctor")
		if says := strings.ReplaceAll(tt.says, "%URL%", s.url); a.Code != tt.code || !strings.Contains(a.Stdout, says) || strings.Contains(a.String(), "secretword") {
			t.Errorf("%s: want code %d, %q: %v", tt.fact, tt.code, says, a)
		}
	}
}

// Without a URL, entries in the layout of repomill and packagecloud are examined, and no others.
func TestDoctorWithoutAURL(t *testing.T) {
	t.Parallel()
	s := shared(t)
	s.publish(t, "acme/doctor/ubuntu/jammy", newDEB(t, debtest.Spec{}))
	h := newHostRoot(t, s, mintHost)
	h.write(t, "etc/apt/sources.list", "deb http://archive.ubuntu.com/ubuntu jammy main universe\ndeb https://download.docker.com/linux/ubuntu jammy stable\n")
	if a := h.doctor(t); a.Code != 1 || !strings.Contains(a.Stdout, "problem  sources: none of the 2 sources of this host looks like one of repomill or packagecloud") {
		t.Errorf("without one: %v", a)
	}
	h.write(t, sources, string(s.fetch(t, "acme/doctor/ubuntu/jammy.sources")))
	var report struct {
		Host    struct{ Distribution string }
		Sources []struct{ Place string }
	}
	a := h.doctor(t, "--json")
	if err := json.Unmarshal([]byte(a.Stdout), &report); err != nil || a.Code != 0 {
		t.Fatalf("%v: %v", err, a)
	}
	if len(report.Sources) != 1 || report.Sources[0].Place != "/"+sources+":2" || report.Host.Distribution != "ubuntu/jammy" {
		t.Errorf("got %+v", report)
	}
}

// A whole report, as it is pasted.
func TestDoctorReport(t *testing.T) {
	t.Parallel()
	s := shared(t)
	s.publish(t, "acme/report/ubuntu/jammy", newDEB(t, debtest.Spec{}))
	h := newHostRoot(t, s, jammyHost)
	h.write(t, "usr/share/keyrings/acme_report.asc", unrelatedKey(t))
	h.write(t, "etc/apt/sources.list.d/acme_report.list", "deb [signed-by=/usr/share/keyrings/acme_report.asc] %URL%/acme/report/ubuntu jammy main\n")
	h.write(t, "etc/apt/sources.list.d/acme_report.sources", string(s.fetch(t, "acme/report/ubuntu/jammy.sources")))
	a := h.doctor(t, s.url+"/acme/report/ubuntu/jammy")
	location, err := url.Parse(ask(t, "GET", s.url+"/acme/report/gpgkey").Header.Get("Location"))
	if err != nil {
		t.Fatal(err)
	}
	got := strings.NewReplacer(s.url, "http://H", location.Host, "EDGE").Replace(a.Stdout)
	got = strings.ReplaceAll(got, strings.TrimPrefix(s.url, "http://"), "H")
	got = regexp.MustCompile(`doctor .* of`).ReplaceAllString(got, "doctor VERSION of")
	got = regexp.MustCompile(`\d{4}-\d\d-\d\dT\S+Z`).ReplaceAllString(got, "TIME")
	got = regexp.MustCompile(`[0-9A-F]{40}`).ReplaceAllString(got, "KEY")
	const want = `repomill doctor VERSION of http://H/acme/report/ubuntu/jammy, TIME
host: Ubuntu 22.04.4 LTS (ubuntu/jammy), amd64
  ok       sources: 2 sources for http://H/acme/report/ubuntu/jammy
  problem  duplicate: /etc/apt/sources.list.d/acme_report.list:1 and /etc/apt/sources.list.d/acme_report.sources:2 are of the same release, and their Signed-By differs: apt reads no source at all (Conflicting values set for option Signed-By)
    do:    keep one of them: sudo rm /etc/apt/sources.list.d/acme_report.list

/etc/apt/sources.list.d/acme_report.list:1
  deb http://H/acme/report/ubuntu jammy main
  GET      http://H/acme/report/ubuntu/dists/jammy/InRelease: 302
  GET      http://EDGE/acme/report/ubuntu/dists/jammy/InRelease?...: 200
  ok       fetch: InRelease fetched from EDGE, to which the server redirects
  ok       clock: the host's clock agrees with the server's
  problem  key: the release is signed with KEY, and /usr/share/keyrings/acme_report.asc has KEY: the key was replaced
    do:    fetch it: sudo curl -fsSLo /usr/share/keyrings/acme_report.asc http://H/acme/report/gpgkey
  ok       architecture: the release has packages for amd64
  ok       index: main/binary-amd64/Packages.gz fetched, as the release lists it
  ok       distribution: the source is for ubuntu/jammy, which this host is

/etc/apt/sources.list.d/acme_report.sources:2
  deb http://H/acme/report/ubuntu/ jammy main
  GET      http://H/acme/report/ubuntu/dists/jammy/InRelease: 302
  GET      http://EDGE/acme/report/ubuntu/dists/jammy/InRelease?...: 200
  ok       fetch: InRelease fetched from EDGE, to which the server redirects
  ok       clock: the host's clock agrees with the server's
  ok       key: the key in /etc/apt/sources.list.d/acme_report.sources has the key that signs the release, KEY
  ok       architecture: the release has packages for amd64
  ok       index: main/binary-amd64/Packages.gz fetched, as the release lists it
  ok       distribution: the source is for ubuntu/jammy, which this host is

2 sources examined: 2 problems, 0 warnings
`
	if diff := cmp.Diff(want, got); diff != "" || a.Code != 1 {
		t.Errorf("code %d (-want +got):\n%s", a.Code, diff)
	}
}

// What doctor calls sound apt reads without a complaint; of what apt complains, doctor finds the cause.
func TestDoctorAgreesWithApt(t *testing.T) {
	t.Parallel()
	proctest.Need(t, "apt-get")
	s := shared(t)
	s.publish(t, "acme/doctor/ubuntu/jammy", newDEB(t, debtest.Spec{}))
	key := string(s.fetch(t, "acme/doctor/gpgkey"))
	for _, tt := range []struct {
		fact, ring, key string
		mode            os.FileMode
		second          string // another source
		sound           bool
	}{
		{"a key in armour", "ring.asc", key, 0o644, "", true},
		{"a binary key", "ring.gpg", dearmored(t, []byte(key)), 0o644, "", true},
		{"armour in a binary's place", "ring.gpg", key, 0o644, "", false},
		{"another key", "ring.asc", unrelatedKey(t), 0o644, "", false},
		{"a key for root alone", "ring.asc", key, 0o600, "", false},
		{"Signed-By of two kinds", "ring.asc", key, 0o644, string(s.fetch(t, "acme/doctor/ubuntu/jammy.sources")), false},
		{"a release that is not there", "ring.asc", key, 0o644, "Types: deb\nURIs: %URL%/acme/doctor/ubuntu\nSuites: focal\nComponents: main\nSigned-By: %ROOT%/etc/apt/ring.asc\n", false},
	} {
		if tt.mode == 0o600 && (os.Geteuid() != 0 || proctest.SandboxUser() == "root") {
			continue // apt reads as this user then
		}
		a := newApt(t, "amd64")
		h := newHostRoot(t, s, jammyHost)
		for _, dir := range []string{"apt.conf.d", "preferences.d", "trusted.gpg.d", "sources.list.d"} {
			if err := os.MkdirAll(filepath.Join(h.dir, "etc/apt", dir), 0o755); err != nil {
				t.Fatal(err)
			}
		}
		h.write(t, "etc/apt/"+tt.ring, tt.key)
		h.write(t, "etc/apt/sources.list.d/a.list", "deb [signed-by="+h.dir+"/etc/apt/"+tt.ring+"] %URL%/acme/doctor/ubuntu jammy main\n")
		if tt.second != "" {
			h.write(t, "etc/apt/sources.list.d/b.sources", strings.ReplaceAll(tt.second, "%ROOT%", h.dir))
		}
		h.leadsToItself(t)
		if err := os.Chmod(filepath.Join(h.dir, "etc/apt", tt.ring), tt.mode); err != nil {
			t.Fatal(err)
		}
		update := a.Run(t, "apt-get", "-o", "Dir::Etc="+h.dir+"/etc/apt", "update")
		said := h.doctor(t, s.url+"/acme/doctor")
		if aptSound := update.Code == 0 && len(proctest.AptComplaints(update)) == 0; aptSound != tt.sound || (said.Code == 0) != tt.sound {
			t.Errorf("%s: apt: %v\ndoctor: %v", tt.fact, update, said)
		}
	}
}

// The same of dnf.
func TestDoctorAgreesWithDnf(t *testing.T) {
	t.Parallel()
	proctest.Need(t, "dnf")
	s := shared(t)
	s.publish(t, "acme/doctor/el/9", newRPM(t, rpmtest.Spec{}))
	key, repo := string(s.fetch(t, "acme/doctor/gpgkey")), string(s.fetch(t, "acme/doctor/el/9.repo"))
	const file = "etc/pki/rpm-gpg/acme"
	own := regexp.MustCompile(`(?m)^gpgkey=.*\n(?: .*\n)*`).ReplaceAllString(repo, "gpgkey=file://%ROOT%/"+file+"\n")
	for _, tt := range []struct {
		fact, repo, key string
		sound           bool
	}{
		{"the file that the server gives", repo, "", true},
		{"a key file", own, key, true},
		{"another key", own, unrelatedKey(t), false},
		{"a key file that is not there", own, "", false},
		{"a page in a key's place", own, "<html>\n", false},
		{"an architecture that is not there", strings.ReplaceAll(repo, "$basearch", "s390x"), "", false},
	} {
		h := newHostRoot(t, s, rockyHost)
		text := strings.ReplaceAll(tt.repo, "%ROOT%", h.dir)
		h.write(t, "etc/yum.repos.d/acme_doctor.repo", text)
		if tt.key != "" {
			h.write(t, file, tt.key)
		}
		h.leadsToItself(t)
		makecache := newDnf(t, text).run(t, "makecache")
		said := h.doctor(t, s.url+"/acme/doctor")
		if (makecache.Code == 0) != tt.sound || (said.Code == 0) != tt.sound {
			t.Errorf("%s: dnf: %v\ndoctor: %v", tt.fact, makecache, said)
		}
	}
}
