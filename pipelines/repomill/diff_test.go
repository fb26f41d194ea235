package main_test

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"repomill/testdata/debtest"
	"repomill/testdata/rpmtest"
)

// differences returns what diff says, as "change distribution component name arch from to", after the lines that it prints.
func (s *site) differences(t *testing.T, code int, a, b string) (all []string, text string) {
	t.Helper()
	d := json.NewDecoder(strings.NewReader(s.does(t, code, "", "diff", a, b, "--json").Stdout))
	for {
		type version struct {
			Version, SHA256 string
			Size            int64
		}
		var i struct {
			Change, Distribution, Component, Name, Arch string
			From, To                                    version
		}
		err := d.Decode(&i)
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		for _, v := range []version{i.From, i.To} {
			if (v.Version != "") != (v.Size > 0 && len(v.SHA256) == 64) {
				t.Errorf("%+v", i)
			}
		}
		all = append(all, strings.Join(strings.Fields(strings.Join([]string{i.Change, i.Distribution, i.Component, i.Name, i.Arch, i.From.Version, ">", i.To.Version}, " ")), " "))
	}
	text = s.does(t, code, "", "diff", a, b).Stdout
	if n := strings.Count(text, "\n  "); n < len(all) {
		t.Errorf("%d of %d differences are printed:\n%s", n, len(all), text)
	}
	return all, text
}

// Diff compares revisions, times, distributions, components and repositories as clients saw them.
func TestDiff(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	const repository, jammy, noble, el9 = "acme/diff", "acme/diff/ubuntu/jammy", "acme/diff/ubuntu/noble", "acme/diff/el/9"
	check := func(when string, code int, a, b string, want ...string) (text string) {
		t.Helper()
		got, text := s.differences(t, code, a, b)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", when, diff)
		}
		return text
	}
	revision := func() string { return fmt.Sprintf("%s@%d", jammy, s.status(t, jammy).Releases[0].Published) }
	s.publish(t, jammy, newDEB(t, debtest.Spec{Name: "tool", Arch: "amd64"}), newDEB(t, debtest.Spec{Name: "gone"}), newDEB(t, debtest.Spec{Name: "kept"}))
	first := revision()
	then := repository + "@" + time.Now().UTC().Format("2006-01-02T15:04:05.999Z")
	s.does(t, 0, "", "yank", jammy, "tool=1.0", "gone", "--reason", "x")
	s.publish(t, jammy, newDEB(t, debtest.Spec{Name: "tool", Version: "1.1", Arch: "amd64", Size: 5000}), newDEB(t, debtest.Spec{Name: "kept", Version: "2.0"}))
	s.publish(t, el9, newRPM(t, rpmtest.Spec{Arch: "noarch"}))

	text := check("two revisions", 1, first, jammy, "removed ubuntu/jammy main gone all 1.0 >", "added ubuntu/jammy main kept all > 2.0", "changed ubuntu/jammy main tool amd64 1.0 > 1.1")
	lines := strings.Split(text, "\n")
	if len(lines) != 10 || !strings.HasPrefix(lines[0], "--- "+jammy+", revision ") || !strings.HasPrefix(lines[1], "+++ "+jammy+", revision ") ||
		!strings.HasPrefix(lines[5], "  ~ tool 1.0 -> 1.1 amd64, ") || !strings.HasSuffix(lines[7], "  all") || strings.Fields(lines[8])[3] != "1" {
		t.Errorf("it prints\n%s", text)
	}
	check("and back", 1, jammy, first, "added ubuntu/jammy main gone all > 1.0", "removed ubuntu/jammy main kept all 2.0 >", "changed ubuntu/jammy main tool amd64 1.1 > 1.0")
	check("a time, over a repository that has more since", 1, then, repository, "added el/9 hello noarch > 1.0-1",
		"removed ubuntu/jammy main gone all 1.0 >", "added ubuntu/jammy main kept all > 2.0", "changed ubuntu/jammy main tool amd64 1.0 > 1.1")
	s.does(t, 0, "", "snapshot", "create", repository, "--name", "before-noble")
	if text := check("nothing", 0, repository, repository); text != "--- "+repository+"\n+++ "+repository+"\nno difference in 4 packages\n" {
		t.Errorf("it prints %s", text)
	}

	s.publish(t, noble+"/testing", newDEB(t, debtest.Spec{Name: "kept", Version: "2.0"}), newDEB(t, debtest.Spec{Name: "new"}))
	check("a snapshot of what is now", 0, jammy+"@before-noble", jammy)
	check("a snapshot of what was", 1, first, jammy+"@before-noble", "removed ubuntu/jammy main gone all 1.0 >", "added ubuntu/jammy main kept all > 2.0", "changed ubuntu/jammy main tool amd64 1.0 > 1.1")
	check("two distributions", 1, jammy, noble, "removed ubuntu/jammy -> ubuntu/noble main kept all 1.0 >", "removed ubuntu/jammy -> ubuntu/noble main kept all 2.0 >",
		"added ubuntu/jammy -> ubuntu/noble testing kept all > 2.0", "added ubuntu/jammy -> ubuntu/noble testing new all > 1.0", "removed ubuntu/jammy -> ubuntu/noble main tool amd64 1.1 >")
	s.publish(t, noble, newDEB(t, debtest.Spec{Name: "kept", Version: "1.0"}))
	check("two components", 1, noble+"/testing", noble+"/main", "changed ubuntu/noble kept all 2.0 > 1.0", "removed ubuntu/noble new all 1.0 >")

	s.publish(t, "acme/diffother/ubuntu/jammy", newDEB(t, debtest.Spec{Name: "kept", Version: "2.0", Size: 9000}), newDEB(t, debtest.Spec{Name: "kept"}))
	check("two repositories", 1, jammy, "acme/diffother/ubuntu/jammy", "replaced ubuntu/jammy main kept all 2.0 > 2.0", "removed ubuntu/jammy main tool amd64 1.1 >")

	for _, tt := range []struct{ fact, a, b, says string }{
		{"two formats", jammy, el9, "one is of DEB packages and the other of RPM packages"},
		{"a repository and a distribution", repository, jammy, "compare two repositories, two distributions, or two components"},
		{"a distribution and a component", jammy, jammy + "/main", "compare two repositories, two distributions, or two components"},
		{"a revision of several releases", repository + "@2", repository, "a revision is of one release, and acme/diff has several: name a time"},
		{"a revision that never was", jammy, jammy + "@999", jammy + "@999: that revision was never published"},
		{"an unknown snapshot", repository + "@none", repository, "none is no revision, no snapshot of acme/diff, and no time"},
		{"no point", jammy + "@a b", jammy, "name behind the @ a revision, such as 41"},
		{"a time to come", jammy + "@2099-01-01", jammy, "name an earlier time"},
		{"an unknown repository", "acme/dif", repository, "repository acme/dif is not declared; did you mean acme/diff?"},
		{"another name of a distribution", repository + "/ubuntu/22.04", jammy, "use acme/diff/ubuntu/jammy"},
		{"an unknown distribution", repository + "/ubuntu/focal", jammy, "acme/diff has no distribution ubuntu/focal; it has el/9; ubuntu/jammy; ubuntu/noble"},
		{"an unknown component", jammy + "/none", jammy + "/main", "has no component none; it has main"},
		{"a component of RPM", el9 + "/main", jammy + "/main", "RPM distributions have no components: leave out /main"},
		{"three names", "acme/diff/ubuntu", repository, "use owner/name/os/version[/component], or owner/name"},
	} {
		t.Run(tt.fact, func(t *testing.T) { s.does(t, 2, tt.says, "diff", tt.a, tt.b) })
	}
}
