package doctor_test

import (
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"repomill/pipelines/client/doctor"
)

func (h *host) remove(t *testing.T, name string) {
	t.Helper()
	if err := os.RemoveAll(filepath.Join(h.dir, name)); err != nil {
		t.Fatal(err)
	}
}

// A root may be a few files that a user has sent: its architecture is not known then, and that of this machine is a guess.
func TestRootWithoutDpkgIsOfDebianStill(t *testing.T) {
	t.Parallel()
	m := newMill(t)
	h := newHost(t, serve(t, m), m)
	h.remove(t, "var")
	names := map[string]string{"386": "i386", "arm": "armhf", "ppc64le": "ppc64el"}
	own := names[runtime.GOARCH]
	if own == "" {
		own = runtime.GOARCH
	}
	for fact, release := range map[string]string{
		"by its os-release": "ID=debian\nVERSION_ID=\"13\"\nVERSION_CODENAME=trixie\n", "by its folder of apt": "ID=strange\n",
	} {
		h.write(t, "etc/os-release", release)
		r, text := h.examine(t)
		if len(r.Host.Architectures) != 1 || r.Host.Architectures[0] != own || !strings.Contains(text, own+" as this machine") {
			t.Errorf("%s: architectures %q, want %s\n%s", fact, r.Host.Architectures, own, text)
		}
		if strings.Contains(text, "problem  architecture") {
			t.Errorf("%s: a problem that is not there:\n%s", fact, text)
		}
	}
	text, err := m.keys.Clear([]byte("Codename: trixie\nDate: "+time.Now().UTC().Format(http.TimeFormat)+"\nArchitectures: s390x\nComponents: main\n"), time.Now())
	if err != nil {
		t.Fatal(err)
	}
	m.file("/acme/other/debian/dists/trixie/InRelease", string(text))
	m.file("/acme/other/gpgkey", string(m.keys.Public()))
	h.write(t, "etc/os-release", "ID=debian\nVERSION_ID=\"13\"\nVERSION_CODENAME=trixie\n")
	h.opt.URL = strings.Replace(h.opt.URL, "/tools", "/other", 1)
	h.write(t, "etc/apt/sources.list.d/acme_tools.list", "deb [signed-by=/etc/apt/keyrings/acme_tools.asc] "+h.opt.URL+"/debian trixie main\n")
	h.wants(t, "an architecture that was guessed", doctor.Warning, "warning  architecture: the release has packages for s390x; the files of the host do not say what it is")
	h.write(t, "var/lib/dpkg/status", "Package: dpkg\nArchitecture: amd64\n")
	h.wants(t, "one that is known", doctor.Problem, "problem  architecture: the release has packages for s390x; this source asks for amd64")
}

func TestTokenInAURLIsAWarning(t *testing.T) {
	t.Parallel()
	m := newMill(t)
	m.file("/priv/"+tokenOfTests+"/acme/tools/debian/dists/trixie/InRelease", m.release(t, time.Now(), ""))
	m.file("/priv/"+tokenOfTests+"/acme/tools/gpgkey", string(m.keys.Public()))
	server := serve(t, m)
	at := strings.TrimPrefix(server, "http://")
	h := newHost(t, server, m)
	const file = "etc/apt/sources.list.d/acme_tools.list"
	for fact, base := range map[string]string{"as a user": "http://" + tokenOfTests + ":@" + at, "in its path": server + "/priv/" + tokenOfTests} {
		h.source(t, base)
		h.wants(t, fact, doctor.Warning, "warning  token: it has a token in its URL, which every user of the host can read",
			`do:    put "machine `+server+`/acme/tools/ login TOKEN password x" into /etc/apt/auth.conf.d/acme_tools.conf, and write the URL without it: `+server+"/acme/tools/debian\n")
		if err := os.Chmod(filepath.Join(h.dir, file), 0o600); err != nil {
			t.Fatal(err)
		}
		h.wants(t, fact+", in a file for root", doctor.OK, "ok       token: it has a token in its URL, in a file that not every user of the host can read")
		h.remove(t, file)
	}
}

// The advice names no file that the server does not have.
func TestHostWithoutAnEntryIsSetUpWithWhatThereIs(t *testing.T) {
	t.Parallel()
	m := newMill(t)
	m.file("/acme/jammy/gpgkey", string(m.keys.Public()))
	m.file("/acme/jammy/ubuntu/dists/jammy/InRelease", m.release(t, time.Now(), ""))
	m.file("/acme/all/gpgkey", string(m.keys.Public()))
	m.file("/acme/all/any/dists/any/InRelease", m.release(t, time.Now(), ""))
	server := serve(t, m)
	h := newHost(t, server, m)
	h.remove(t, "etc/apt/sources.list.d")
	script := func(r string) string {
		return "do:    set it up: curl -fsSL " + server + "/install/repositories/acme/" + r + "/script.deb.sh | sudo bash"
	}
	for _, tt := range []struct{ fact, repository, says string }{
		{"a release for it", "tools", "do:    set it up: sudo curl -fsSLo /etc/apt/sources.list.d/acme_tools.sources " + server + "/acme/tools/debian/trixie.sources\n"},
		{"none for it", "jammy", "do:    it has nothing for this host, as is said below: ask the operator to publish packages for debian/trixie\n"},
		{"one for all systems", "all", script("all")},
		{"no repository, or a private one", "none", script("none") + "; if it is private, with a token: curl -fsSL -u TOKEN: "},
	} {
		h.opt.URL = server + "/acme/" + tt.repository
		r, text := h.examine(t)
		if r.Worst() != doctor.Problem || !strings.Contains(text, tt.says) {
			t.Errorf("%s: want %q in\n%s", tt.fact, tt.says, text)
		}
		if sources := strings.Contains(text, ".sources"); sources != (tt.repository == "tools") {
			t.Errorf("%s: a .sources file is named: %t\n%s", tt.fact, sources, text)
		}
	}
}
