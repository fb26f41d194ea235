package clients_test

import (
	"strconv"
	"strings"
	"testing"

	"repomill/testdata/proctest"
)

// An aptRoot is an apt with a root of its own, for amd64 and arm64.
type aptRoot struct{ proctest.Apt }

// newApt returns an apt with one deb822 source.
func newApt(t *testing.T, s *site, name, source string) aptRoot {
	t.Helper()
	a := aptRoot{proctest.NewAptIn(t, s.folder(t, name), "amd64", "arm64")}
	a.Source(t, "sources", source)
	return a
}

// check compares the number of versions that apt knows, and the newest ones, with what is published.
func (a aptRoot) check(t *testing.T, s *site) {
	t.Helper()
	_, after, _ := strings.Cut(a.Must(t, "apt-cache", "stats").Stdout, "Total distinct versions: ")
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
	compare(t, "apt-cache dumpavail", candidates, set(t, "apt-cache dumpavail", stanzas(a.Must(t, "apt-cache", "dumpavail").Stdout)))
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
	a.Download(t, names...)
	wantDownloads(t, a.Dir+"/cache/archives/*.deb", all...)
}
