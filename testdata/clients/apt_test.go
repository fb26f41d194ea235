package clients_test

import (
	"strings"
	"testing"
)

// apt sees every stanza, and downloads the packages at the ends of members.
func readApt(t *testing.T, s *site) func(*testing.T, realPackage) {
	a := newApt(t, s, "apt", s.fetch(t, "acme/tools/ubuntu/jammy.sources"))
	a.Update(t)
	a.check(t, s)
	all, asked, args := map[string]bool{}, map[string]bool{}, []string{"show"}
	for _, r := range s.want {
		all[strings.TrimSpace(r.stanza)] = true
		if !asked[r.name] {
			args = append(args, strings.TrimSuffix(r.name+":"+r.arch, ":all"))
		}
		asked[r.name] = true
	}
	compare(t, "apt-cache show", all, set(t, "apt-cache show", stanzas(a.Run(t, "apt-cache", args...).Stdout)))
	a.download(t, realNames(s.real), s.real...)
	return func(t *testing.T, more realPackage) {
		out := a.Update(t, "-o", "Debug::Acquire::http=true").Said()
		if !strings.Contains(out, "/by-hash/SHA256/") || strings.Contains(out, "/Packages.gz") {
			t.Errorf("indexes are not asked for by hash:\n%s", out)
		}
		a.check(t, s)
		a.download(t, []string{more.name}, append(s.real, more)...)
	}
}

// The bucket is a repository by itself, for apt too.
func readAptFolder(t *testing.T, s *site) func(*testing.T, realPackage) {
	source := s.fetch(t, "acme/tools/ubuntu/jammy.sources")
	a := newApt(t, s, "apt-folder", strings.ReplaceAll(source, "URIs: "+s.url, "URIs: file://"+s.data+"/bucket"))
	a.Update(t)
	a.check(t, s)
	return func(t *testing.T, _ realPackage) {
		a.Update(t)
		a.check(t, s)
	}
}
