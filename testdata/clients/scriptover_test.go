package clients_test

import (
	"strings"
	"testing"

	"repomill/testdata/proctest"
)

// A host that packagecloud's script set up, twice with keys in different places, of which apt refuses to read anything at
// all, is mended by the script; and takes the keyring package then.
func TestSystemsAreTakenOverFromOldScripts(t *testing.T) {
	s := newScriptSite(t)
	for _, tt := range []struct {
		shape shape
		old   string // what the old script does, where URL is the server
		stops string // what another old entry beside it does; empty: nothing
		words string // of the client then

		keyring, owns string // what installs the keyring package, and a file of that
	}{
		{
			shapeOf(t, "Debian 13"), `set -e
mkdir -p /etc/apt/keyrings
curl -fsSL URL/acme/tools/gpgkey | gpg --dearmor >/etc/apt/keyrings/acme_tools-archive-keyring.gpg
curl -sSf "URL/install/repositories/acme/tools/config_file.list?os=Debian&dist=13&source=script" >/etc/apt/sources.list.d/acme_tools.list
apt-get update`, `cp /etc/apt/keyrings/acme_tools-archive-keyring.gpg /usr/share/keyrings/
sed 's#/etc/apt/keyrings#/usr/share/keyrings#' /etc/apt/sources.list.d/acme_tools.list >/etc/apt/sources.list.d/older.list
apt-get update`, "Conflicting values set for option Signed-By",
			`for n in $(seq 60); do apt-get update && apt-get install -y acme-tools-archive-keyring && break; sleep 1; done
dpkg -S /usr/share/keyrings/acme-tools-archive-keyring.asc`, "acme-tools-archive-keyring: /usr/share/keyrings/acme-tools-archive-keyring.asc",
		},
		{
			shapeOf(t, "Rocky Linux 9.4"), `set -e
curl -sSf "URL/install/repositories/acme/tools/config_file.repo?os=rocky&dist=9&source=script" >/etc/yum.repos.d/acme_tools.repo
dnf -q makecache -y --disablerepo='*' --enablerepo=acme_tools`, `cp /etc/yum.repos.d/acme_tools.repo /etc/yum.repos.d/older.repo
dnf makecache`, "listed more than once",
			`for n in $(seq 60); do dnf -y install --refresh acme-tools-release && break; sleep 1; done
rpm -ql acme-tools-release`, "/etc/pki/rpm-gpg/RPM-GPG-KEY-acme-tools",
		},
	} {
		t.Run(tt.shape.name, func(t *testing.T) {
			h := newHost(t, s, tt.shape)
			at := func(script string) string { return strings.ReplaceAll(script, "URL", s.url) }
			h.mustSay(t, at(tt.old), "")
			h.install(t)
			if a := h.sh(t, tt.stops); !strings.Contains(a.Stdout+a.Stderr, tt.words) {
				t.Fatalf("want %q: %v", tt.words, a)
			}
			h.mustSay(t, "curl -fsSL "+h.script("tools")+" | sudo bash", "which is kept as ", "is set up")
			h.isRead(t, tt.words)
			proctest.Must(t, nil, s.program, "repo", "set", "--data", s.data, "acme/tools", "--keyring-package", "on")
			if h.program == "apt-get" { // it has the place of the keys from the script
				h.mustSay(t, at(`for n in $(seq 60); do
	curl -fsSL URL/install/repositories/acme/tools/script.deb.sh | grep -q '^keyring=./usr/share/keyrings' && break; sleep 1
done
curl -fsSL URL/install/repositories/acme/tools/script.deb.sh | sudo bash`), "wrote /usr/share/keyrings/acme-tools-archive-keyring.asc")
			}
			h.mustSay(t, tt.keyring, tt.owns)
			h.isRead(t, tt.words)
		})
	}
}

// isRead wants the client to read the repository, and to say nothing of some words.
func (h host) isRead(t *testing.T, words string) {
	t.Helper()
	refresh := "apt-get update"
	if h.program != "apt-get" {
		refresh = "dnf makecache"
	}
	a := h.sh(t, refresh)
	if a.Code != 0 || strings.Contains(a.Stdout+a.Stderr, words) || !strings.Contains(a.Stdout, "acme") {
		t.Errorf("%s: %v", refresh, a)
	}
}

// shapeOf returns the shape of this name.
func shapeOf(t *testing.T, name string) shape {
	t.Helper()
	for _, sh := range shapes {
		if sh.name == name {
			return sh
		}
	}
	t.Fatalf("there is no shape %s", name)
	return shape{}
}
