package clients_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"repomill/testdata/proctest"
)

// A shape is a root that says that it is some system.
type shape struct {
	name, suite, program string
	release              string // its os-release; empty: that of the root
	reads                string // distribution that the script finds
}

// shapes are systems by what os-release of them says. Their programs are those of the roots.
var shapes = []shape{
	{"Debian 12", "bookworm", "apt-get", "", "debian/bookworm"},
	{"Debian 13", "trixie", "apt-get", "", "debian/trixie"},
	{"Debian sid", "sid", "apt-get", "", "debian/sid"},
	{"Debian 11", "bookworm", "apt-get", "ID=debian\nVERSION_ID=\"11\"\nVERSION_CODENAME=bullseye\n", "debian/bullseye"},
	{"Ubuntu 24.04", "trixie", "apt-get", "ID=ubuntu\nID_LIKE=debian\nVERSION_ID=\"24.04\"\nVERSION_CODENAME=noble\nUBUNTU_CODENAME=noble\n", "ubuntu/noble"},
	{"Linux Mint 22.1", "trixie", "apt-get", "ID=linuxmint\nID_LIKE=\"ubuntu debian\"\nVERSION_ID=\"22.1\"\nVERSION_CODENAME=xia\nUBUNTU_CODENAME=noble\n", "ubuntu/noble"},
	{"Linux Mint Debian Edition 6", "bookworm", "apt-get", "ID=linuxmint\nID_LIKE=debian\nVERSION_ID=\"6\"\nVERSION_CODENAME=faye\nDEBIAN_CODENAME=bookworm\n", "debian/bookworm"},
	{"Kali", "sid", "apt-get", "ID=kali\nID_LIKE=debian\nVERSION_ID=\"2026.3\"\nVERSION_CODENAME=kali-rolling\n", "kali/kali-rolling"},
	{"Rocky Linux 9.4", "bookworm", "dnf", "ID=\"rocky\"\nID_LIKE=\"rhel centos fedora\"\nVERSION_ID=\"9.4\"\nPLATFORM_ID=\"platform:el9\"\n", "el/9"},
	{"Oracle Linux 9.5", "bookworm", "dnf", "ID=\"ol\"\nID_LIKE=\"fedora\"\nVERSION_ID=\"9.5\"\nPLATFORM_ID=\"platform:el9\"\n", "el/9"},
	{"Amazon Linux 2023", "trixie", "dnf", "ID=\"amzn\"\nID_LIKE=\"fedora\"\nVERSION_ID=\"2023\"\nPLATFORM_ID=\"platform:al2023\"\n", "amazon/2023"},
	{"Fedora 43", "sid", "dnf5", "ID=fedora\nVERSION_ID=43\nPLATFORM_ID=\"platform:f43\"\n", "fedora/43"},
	{"openSUSE Leap 15.6", "trixie", "zypper", "ID=\"opensuse-leap\"\nID_LIKE=\"suse opensuse\"\nVERSION_ID=\"15.6\"\n", "opensuse/15.6"},
	{"openSUSE Leap 15.6 with an older zypper", "bookworm", "zypper", "ID=\"opensuse-leap\"\nID_LIKE=\"suse opensuse\"\nVERSION_ID=\"15.6\"\n", "opensuse/15.6"},
}

// Systems of every shape are set up by the one line that fetches the script, and install.
func TestSystemsInstallByScript(t *testing.T) {
	s := newScriptSite(t)
	for _, sh := range shapes {
		t.Run(sh.name, func(t *testing.T) {
			t.Run("public", func(t *testing.T) {
				h := newHost(t, s, sh)
				before := h.etc(t)
				h.mustSay(t, "curl -fsSL "+h.script("tools")+" | sudo bash -s -- --dry-run", "would run: ", sh.reads)
				h.sameEtc(t, before, "after --dry-run")
				h.mustSay(t, "curl -fsSL "+h.script("tools")+" | sudo bash", "packages for "+sh.reads)
				h.installs(t)
				before = h.etc(t)
				h.mustSay(t, "curl -fsSL "+h.script("tools")+" | sudo sh", "is set up")
				h.sameEtc(t, before, "after the script ran once more")
			})
			t.Run("private", func(t *testing.T) {
				h := newHost(t, s, sh)
				before := h.etc(t)
				h.fails(t, "curl -fsSL -u "+s.token+": "+h.script("secret")+" | sudo bash", 2, "username=TOKEN")
				h.fails(t, "curl -fsSL -u "+s.token+": "+h.script("secret")+" | sudo username=rmt_wrong bash", 5, "nothing was changed")
				h.sameEtc(t, before, "after a wrong token")
				h.mustSay(t, "curl -fsSL -u "+s.token+": "+h.script("secret")+" | sudo username="+s.token+" bash", "is set up")
				h.installs(t)
				h.keepsSecret(t, s.token)
			})
		})
	}
}

// A host that has just started runs apt by itself: the script waits for it.
func TestSystemsWaitForAnotherApt(t *testing.T) {
	s := newScriptSite(t)
	h := newHost(t, s, shapeOf(t, "Debian 13"))
	a := h.sh(t, `python3 -c 'import fcntl, time
f = open("/var/lib/apt/lists/lock", "w")
fcntl.lockf(f, fcntl.LOCK_EX)
time.sleep(4)' &
sleep 1
curl -fsSL `+h.script("tools")+` | sudo bash`)
	if a.Code != 0 || !strings.Contains(a.Stderr, "Could not get lock") || !strings.Contains(a.Stdout, "is set up") {
		t.Fatal(a)
	}
	h.installs(t)
}

// newScriptSite serves what all shapes read.
func newScriptSite(t *testing.T) *rootsSite {
	t.Helper()
	if *roots == "" {
		t.Skip("skipped: real systems in roots of their own; make test-clients makes them and runs this")
	}
	var targets []string
	for _, sh := range shapes {
		targets = append(targets, sh.reads)
	}
	return newRootsSiteOf(t, targets)
}

// A host is a system of some shape, over a root that stays as it is.
type host struct {
	shape
	overlay
	url string
}

func newHost(t *testing.T, s *rootsSite, sh shape) host {
	t.Helper()
	root := filepath.Join(*roots, sh.suite)
	if _, err := os.Stat(filepath.Join(root, "usr/bin", sh.program)); err != nil {
		t.Skipf("SKIPPED, NOT TRIED: %v", err)
	}
	h := host{sh, newOverlay(t, root), s.url}
	a := h.sh(t, fmt.Sprintf(`printf '#!/bin/sh\nexec env "$@"\n' >/usr/local/bin/sudo && chmod 755 /usr/local/bin/sudo && dpkg --add-architecture i386
echo 'quiet "0";' >/etc/apt/apt.conf.d/90notices
if command -v dnf5 >/dev/null; then ln -sf "$(command -v dnf5)" /usr/local/bin/dnf; fi
rm -rf /etc/zypp/systemCheck.d /etc/zypp/systemCheck /etc/dnf/libdnf5-plugins/local.conf /root/.rpmdb /var/lib/rpm /usr/lib/sysimage/rpm
mkdir -p /etc/yum.repos.d /etc/zypp/repos.d
if [ -n '%[1]s' ]; then rm -f /etc/os-release; printf '%%s' '%[1]s' >/etc/os-release; fi`, sh.release))
	if a.Code != 0 {
		t.Fatal(a)
	}
	return h
}

// script returns the URL of the script for a repository.
func (h host) script(repository string) string {
	kind := "rpm"
	if h.program == "apt-get" {
		kind = "deb"
	}
	return h.url + "/install/repositories/acme/" + repository + "/script." + kind + ".sh"
}

func (h host) mustSay(t *testing.T, line string, words ...string) string {
	t.Helper()
	a := h.sh(t, line)
	for _, w := range words {
		if a.Code != 0 || !strings.Contains(a.Stdout, w) {
			t.Fatalf("%s: want %q, got %v", line, w, a)
		}
	}
	return a.Stdout
}

func (h host) fails(t *testing.T, line string, code int, words string) {
	t.Helper()
	if a := h.sh(t, line); a.Code != code || !strings.Contains(a.Stderr, words) {
		t.Fatalf("%s: want exit code %d and %q, got %v", line, code, words, a)
	}
}

// install wants the client to install the package.
func (h host) install(t *testing.T) proctest.Answer {
	t.Helper()
	install := map[string]string{"apt-get": "apt-get update && apt-get install -y", "dnf": "dnf install -y", "dnf5": "dnf5 install -y", "zypper": "zypper --non-interactive install"}
	a := h.sh(t, install[h.program]+" hello-mill && test -e /usr/share/hello-mill")
	if a.Code != 0 {
		t.Fatalf("not installed: %v", a)
	}
	return a
}

// installs is install by a client that has nothing to complain about.
func (h host) installs(t *testing.T) {
	t.Helper()
	a := h.install(t)
	for _, complaint := range []string{"\nW: ", "\nN: ", "\nE: ", "Skipping acquire"} {
		if strings.Contains(strings.ReplaceAll("\n"+a.Stdout+"\n"+a.Stderr, "\r", "\n"), complaint) {
			t.Errorf("a client complains: %v", a)
		}
	}
}

// etc returns everything that configures clients: names, modes and contents.
func (h host) etc(t *testing.T) string {
	t.Helper()
	return h.mustSay(t, `cd /etc && find apt yum.repos.d zypp -printf '%M %u %p\n' | sort && find apt yum.repos.d zypp -type f | sort | xargs md5sum`)
}

func (h host) sameEtc(t *testing.T, before, when string) {
	t.Helper()
	if after := h.etc(t); after != before {
		t.Errorf("%s, the configuration was\n%s\nand is\n%s", when, before, after)
	}
}

// keepsSecret fails if a user of the host can read the token.
func (h host) keepsSecret(t *testing.T, token string) {
	t.Helper()
	if a := h.sh(t, "grep -rl "+token+" /etc"); len(strings.Fields(a.Stdout)) != 1 {
		t.Errorf("files with the token: %v", a)
	}
	if a := h.sh(t, "find /etc -perm /044 -type f | xargs grep -l "+token); a.Stdout != "" {
		t.Errorf("every user reads the token in %s", a.Stdout)
	}
}
