package clients_test

import (
	"fmt"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// An aptRoot is an apt of its own, for amd64 and arm64: nothing of this machine's apt is read or written.
type aptRoot struct{ dir string }

// newApt returns an apt with one deb822 source.
func newApt(t *testing.T, s *site, name, source string) aptRoot {
	t.Helper()
	need(t, "apt-get", "apt-cache")
	a := aptRoot{s.folder(t, name)}
	for _, d := range []string{"etc/preferences.d", "etc/trusted.gpg.d", "etc/apt.conf.d", "state/lists/partial", "cache/archives/partial", "log"} {
		if err := os.MkdirAll(filepath.Join(a.dir, d), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	write(t, a.dir, "status", "")
	write(t, a.dir, "etc/sources.list.d/test.sources", source)
	write(t, a.dir, "apt.conf", fmt.Sprintf(`Dir %[1]q; Dir::Etc "%[1]s/etc"; Dir::State "%[1]s/state"; Dir::State::status "%[1]s/status";
Dir::Cache "%[1]s/cache"; Dir::Log "%[1]s/log"; APT::Architecture "amd64"; APT::Architectures { "amd64"; "arm64"; };
APT::Sandbox::User %[2]q; Acquire::Languages "none"; Acquire::Retries "0";
`, a.dir, sandboxUser()))
	return a
}

// sandboxUser is whom apt downloads as, if we are root.
func sandboxUser() string {
	if _, err := user.Lookup("_apt"); err != nil {
		return "root"
	}
	return "_apt"
}

// run runs a program of apt, which must have nothing to complain about.
func (a aptRoot) run(t *testing.T, program string, args ...string) answer {
	t.Helper()
	out := ask(t, []string{"APT_CONFIG=" + a.dir + "/apt.conf"}, program, args...)
	if out.code != 0 || strings.Contains(out.stderr, "W: ") || strings.Contains(out.stderr, "E: ") {
		t.Fatalf("%s %.500q: %v", program, args, out)
	}
	return out
}

func (a aptRoot) update(t *testing.T, options ...string) answer {
	t.Helper()
	return a.run(t, "apt-get", append(options, "update")...)
}

// check compares the number of versions that apt knows, and the newest ones, with what is published.
func (a aptRoot) check(t *testing.T, s *site) {
	t.Helper()
	_, after, _ := strings.Cut(a.run(t, "apt-cache", "stats").stdout, "Total distinct versions: ")
	if got, _, _ := strings.Cut(after, " "); got != strconv.Itoa(len(s.want)) {
		t.Errorf("apt-cache stats counts %q versions, want %d", got, len(s.want))
	}
	newest := map[string]string{}
	for _, r := range s.want {
		newest[r.name] = strings.TrimSpace(r.stanza) // they come in order
	}
	candidates := map[string]bool{} // dumpavail shows no other versions
	for _, stanza := range newest {
		candidates[stanza] = true
	}
	compare(t, "apt-cache dumpavail", candidates, set(t, "apt-cache dumpavail", stanzas(a.run(t, "apt-cache", "dumpavail").stdout)))
}

// stanzas cuts what apt prints. What it adds of its own is left out.
func stanzas(text string) (all []string) {
	for stanza := range strings.SplitSeq(strings.TrimSpace(text), "\n\n") {
		if before, after, ok := strings.Cut(stanza, "\nDescription-md5: "); ok {
			_, after, _ = strings.Cut(after, "\n")
			stanza = before + "\n" + after
		}
		all = append(all, strings.TrimSpace(stanza))
	}
	return all
}

// download downloads packages and compares them, and all that were downloaded before.
func (a aptRoot) download(t *testing.T, names []string, all ...realPackage) {
	t.Helper()
	a.run(t, "apt-get", append([]string{"install", "-y", "--download-only"}, names...)...)
	wantDownloads(t, a.dir+"/cache/archives/*.deb", all...)
}
