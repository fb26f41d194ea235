package main_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"repomill/schemas/catalog"
	"repomill/testdata/debtest"
	"repomill/testdata/proctest"
	"repomill/testdata/rpmtest"
)

// One yank over a repository takes packages out of all its distributions, as real apt sees; one unyank brings them back.
func TestYankOverARepository(t *testing.T) {
	t.Parallel()
	proctest.Need(t, "apt-get")
	s := newSite(t)
	clients := map[string]func() []string{}
	for _, codename := range []string{"jammy", "noble"} {
		target := "acme/tools/ubuntu/" + codename
		s.publish(t, target, newDEB(t, debtest.Spec{}), newDEB(t, debtest.Spec{Version: "2.0"}), newDEB(t, debtest.Spec{Name: "hello-doc"}), newDEB(t, debtest.Spec{Name: "kept"}))
		a := newApt(t, "amd64")
		a.Source(t, "sources", string(s.fetch(t, target+".sources")))
		clients[codename] = func() []string {
			a.Update(t)
			names := strings.Fields(a.Run(t, "apt-cache", "pkgnames").Stdout)
			slices.Sort(names)
			return names
		}
	}
	see := func(when string, want ...string) {
		t.Helper()
		for codename, names := range clients {
			if diff := cmp.Diff(want, names()); diff != "" {
				t.Errorf("%s, apt of %s (-want +got):\n%s", when, codename, diff)
			}
		}
	}
	revisions := func() (all []int64) {
		for _, r := range s.status(t, "acme/tools").Releases {
			all = append(all, r.Revision)
		}
		return all
	}
	see("before", "hello", "hello-doc", "kept")
	before := revisions()
	a := s.does(t, 0, "", "yank", "acme/tools", "hello*", "--reason", "breaks the login")
	if !strings.HasSuffix(a.Stdout, "\n6 packages: 6 yanked, 0 before\n") || strings.Count(a.Stdout, "yanked: hello") != 6 {
		t.Errorf("yank says %s", a.Stdout)
	}
	see("after the yank", "kept")
	for i, n := range revisions() {
		if n != before[i]+1 {
			t.Errorf("a release went from revision %d to %d: not one publish", before[i], n)
		}
	}
	if a := s.does(t, 0, "", "yank", "acme/tools", "hello*", "--reason", "again"); a.Stdout != "6 packages: 0 yanked, 6 before\n" {
		t.Errorf("a repeat says %s", a.Stdout)
	}
	if a := s.does(t, 0, "", "unyank", "acme/tools", "hello*=1.*", "--json"); strings.Count(a.Stdout, `"state":"active"`) != 4 {
		t.Errorf("unyank says %s", a.Stdout)
	}
	see("after the unyank", "hello", "hello-doc", "kept")
}

// A dry run changes nothing and says what would be; a pattern of nothing, or of everything, changes nothing either.
func TestYankOfManyRefuses(t *testing.T) {
	t.Parallel()
	s := shared(t)
	const repository, jammy, el9 = "acme/yankmany", "acme/yankmany/ubuntu/jammy", "acme/yankmany/el/9"
	s.publish(t, jammy, newDEB(t, debtest.Spec{}), newDEB(t, debtest.Spec{Name: "kept"}))
	s.publish(t, el9, newRPM(t, rpmtest.Spec{Arch: "noarch"}))
	for _, tt := range []struct {
		fact string
		code int
		args []string
		says string
	}{
		{"a glob of nothing", 1, []string{repository, "hello", "x*"}, "there is no x* in acme/yankmany; repomill ls lists what is"},
		{"a glob of nothing in a distribution", 1, []string{jammy, "x*"}, "there is no x* in acme/yankmany/ubuntu/jammy; repomill ls lists what is"},
		{"a name that is near", 1, []string{repository, "helo"}, "there is no helo in acme/yankmany; did you mean hello?"},
		{"a repository that is near", 1, []string{"acme/yankmani", "hello"}, "repository acme/yankmani is not declared; did you mean acme/yankman"},
		{"everything of one release", 1, []string{repository, "hello"}, "acme/yankmany/el/9/aarch64 would have no package left, of 1; acme/yankmany/el/9/x86_64 would have no package left, of 1; acme/yankmany/ubuntu/jammy would keep 1 of 2; add --all if that is meant"},
		{"a glob for another architecture", 1, []string{jammy, "hel*", "--arch", "arm64"}, "there is no hel* for arm64 in acme/yankmany/ubuntu/jammy"},
		{"a component of an RPM distribution", 2, []string{el9 + "/main", "hello"}, "RPM distributions have no components: leave out /main"},
		{"three names", 2, []string{repository + "/ubuntu", "hello"}, `target "acme/yankmany/ubuntu": use owner/name/os/version[/component], or owner/name`},
		{"a broken glob", 2, []string{repository, "hel[lo"}, `package "hel[lo": use NAME`},
		{"a plan without a dry run", 2, []string{repository, "hello", "--plan", "x"}, "add --dry-run"},
	} {
		t.Run(tt.fact, func(t *testing.T) {
			s.does(t, tt.code, tt.says, append([]string{"yank", "--reason", "x"}, tt.args...)...)
			if !slices.Contains(tt.args, "--plan") {
				s.does(t, tt.code, tt.says, append([]string{"yank", "--reason", "x", "--dry-run"}, tt.args...)...)
			}
		})
	}
	a := s.does(t, 5, "", "yank", repository, "hello", "--reason", "x", "--dry-run", "--all")
	want := fmt.Sprintf(`acme/yankmany/el/9/aarch64: 1 would leave, 0 stay
  withdraw: hello 1.0-1 noarch, %[1]d bytes
acme/yankmany/el/9/x86_64: 1 would leave, 0 stay
  withdraw: hello 1.0-1 noarch, %[1]d bytes
acme/yankmany/ubuntu/jammy: 1 would leave, 1 stay
  withdraw: hello 1.0 all in main, %[2]d bytes
packages: 2, releases: 3, bytes: %[3]d; the files stay for the retention period, and installed packages stay installed
`, sizesOf(a.Stdout)[0], sizesOf(a.Stdout)[2], sizesOf(a.Stdout)[0]*2+sizesOf(a.Stdout)[2])
	if diff := cmp.Diff(want, a.Stdout); diff != "" {
		t.Errorf("a dry run (-want +got):\n%s", diff)
	}
	if got := s.does(t, 0, "", "ls", jammy).Stdout; !strings.Contains(got, "hello") {
		t.Errorf("something was withdrawn: %s", got)
	}
	s.does(t, 0, "", "yank", el9, "hello=1.0-1", "--reason", "named with its version")
	s.does(t, 0, "", "unyank", repository, "h*")
	if a := s.does(t, 0, "", "unyank", repository, "h*", "--dry-run"); !strings.HasSuffix(a.Stdout, "\npackages: 0, releases: 0, bytes: 0\n") {
		t.Errorf("a dry run of what is there already: %s", a.Stdout)
	}
}

// sizesOf returns the numbers before "bytes", a line each.
func sizesOf(text string) (all []int) {
	for line := range strings.Lines(text) {
		if strings.Contains(line, " bytes") {
			all = append(all, sizeOf(line))
		}
	}
	return append(all, 0, 0, 0) // of a text that is too short
}

// A plan that is applied changes what it says, once; one that does not hold any more changes nothing and says why.
func TestL2PlansChangeWhatTheySay(t *testing.T) {
	t.Parallel()
	s := shared(t)
	dir := t.TempDir()
	const jammy, stable = "acme/planned/ubuntu/jammy", "acme/plannedstable"
	s.publish(t, jammy, newDEB(t, debtest.Spec{}), newDEB(t, debtest.Spec{Name: "kept"}))
	s.does(t, 0, "", "repo", "create", stable, "--distribution", "ubuntu/jammy")
	plans := map[string][]string{
		"yank":    {"yank", jammy, "hello*", "--reason", "bad", "--by", "kim"},
		"promote": {"promote", "acme/planned", stable, "hello*"},
	}
	file := func(kind string) string { return filepath.Join(dir, kind+".json") }
	for kind, args := range plans {
		s.does(t, 5, "repomill apply makes it so", append(args, "--dry-run", "--plan", file(kind))...)
	}
	s.publish(t, jammy, newDEB(t, debtest.Spec{Version: "2.0"}))
	for kind, action := range map[string]string{"yank": "withdraw", "promote": "copy"} {
		s.does(t, 1, "the plan does not hold any more, and nothing was changed: new: "+action+" hello 2.0 all in ", "apply", file(kind))
	}
	if got := s.does(t, 0, "", "ls", jammy).Stdout; !strings.Contains(got, "hello") || strings.Contains(s.does(t, 0, "", "log", stable).Stdout, "package.promote") {
		t.Errorf("something was changed: %s", got)
	}
	s.does(t, 0, "", "yank", jammy, "hello=2.0", "--reason", "back to what was planned")
	if a := s.does(t, 0, "", "apply", file("promote")); a.Stdout != "published: hello 1.0 all from "+jammy+"/main to "+stable+"/ubuntu/jammy/main\n" {
		t.Errorf("apply of promote says %v", a)
	}
	if a := s.does(t, 0, "", "apply", file("promote")); !strings.HasPrefix(a.Stdout, "there: hello 1.0 all") {
		t.Errorf("apply of promote again: %v", a)
	}
	if a := s.does(t, 0, "", "apply", file("yank"), "--by", "lee"); !strings.Contains(a.Stdout, "yanked: hello 1.0 all from acme/planned ubuntu/jammy\n") {
		t.Errorf("apply of yank says %s", a.Stdout)
	}
	if a := s.does(t, 0, "", "apply", file("yank")); !strings.HasSuffix(a.Stdout, "2 packages: 0 yanked, 2 before\n") {
		t.Errorf("apply of yank again: %v", a)
	}
	if log := s.does(t, 0, "", "log", "acme/planned").Stdout; !strings.Contains(log, "  lee  package.yank  "+jammy+"/main  hello 1.0 all  (bad)") {
		t.Errorf("the log says %s", log)
	}
	s.does(t, 5, "", "unyank", jammy, "hello=1.0", "--dry-run", "--plan", file("unyank"))
	s.does(t, 0, "", "unyank", jammy, "hello=1.0")
	if a := s.does(t, 0, "", "apply", file("unyank")); a.Stdout != "was not yanked: hello 1.0 all in acme/planned ubuntu/jammy\n" {
		t.Errorf("apply of what another command did: %v", a)
	}
	refusesPlans(t, s, file("yank"))
}

// refusesPlans applies what is not the plan that was made.
func refusesPlans(t *testing.T, s *site, plan string) {
	t.Helper()
	text, err := os.ReadFile(plan)
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		fact, text string
		code       int
		says       string
	}{
		{"changed by hand", strings.Replace(string(text), `"version": "1.0"`, `"version": "2.0"`, 1), 1, "the plan was changed after it was made"},
		{"other patterns", strings.Replace(string(text), `"hello*"`, `"*"`, 1), 1, "the plan was changed after it was made"},
		{"a part", string(text[:len(text)/2]), 2, "is not a plan, or not a whole one"},
		{"something else", `{"a":1}`, 2, "is not a plan"},
		{"of a later version", strings.Replace(string(text), `"format": 1`, `"format": 9`, 1), 1, "the plan has format 9"},
		{"of an unknown kind", sealed(t, string(text), "explode", ""), 2, `is a plan of "explode", which this version does not know: it applies those of delete, phase, promote, retain, rollback, train, unyank, yank`},
		{"with unknown arguments", sealed(t, string(text), "yank", `{"patterns":["hello*"],"reason":"bad","more":1}`), 2, `unknown field "more"`},
		{"of a kind that does not fit", sealed(t, string(text), "unyank", ""), 2, "unknown field"},
	} {
		name := filepath.Join(t.TempDir(), "plan.json")
		if err := os.WriteFile(name, []byte(tt.text), 0o644); err != nil {
			t.Fatal(err)
		}
		t.Run(tt.fact, func(t *testing.T) { s.does(t, tt.code, tt.says, "apply", name) })
	}
	s.does(t, 2, "no such file", "apply", plan+".none")
}

// sealed returns a plan with another kind and, unless they are empty, other arguments, with the digest that belongs to it.
func sealed(t *testing.T, text, kind, args string) string {
	t.Helper()
	var p catalog.Plan
	err := json.Unmarshal([]byte(text), &p)
	p.Kind = catalog.PlanKind(kind)
	if args != "" {
		p.Args = json.RawMessage(args)
	}
	if err == nil {
		err = p.Seal()
	}
	if err != nil {
		t.Fatal(err)
	}
	changed, err := json.Marshal(p)
	if err != nil {
		t.Fatal(err)
	}
	return string(changed)
}

// yank --now of many removes all files and staging copies, says so, and a glob leaves out the keyring package.
func TestYankNowOfMany(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	const jammy = "acme/now/ubuntu/jammy"
	vs := append(s.publish(t, jammy, newDEB(t, debtest.Spec{}), newDEB(t, debtest.Spec{Version: "2.0"})), s.publish(t, "acme/now/ubuntu/noble", newDEB(t, debtest.Spec{}))...)
	s.does(t, 0, "", "repo", "set", "acme/now", "--keyring-package", "on")
	a := s.does(t, 5, "", "yank", "acme/now", "*", "--reason", "leaked", "--now", "--all", "--dry-run")
	for _, line := range []string{"left out: acme-now-archive-keyring ", ": it has the keys of acme/now, and is withdrawn by its name alone\n", "packages: 3, releases: 2, ", "go at once"} {
		if !strings.Contains(a.Stdout, line) {
			t.Errorf("the dry run has no %q: %s", line, a.Stdout)
		}
	}
	s.does(t, 1, "acme/now/ubuntu/jammy would have no package left, of 2", "yank", "acme/now", "*", "--reason", "leaked")
	a = s.does(t, 0, "", "yank", "acme/now", "*", "--reason", "leaked", "--now", "--all")
	for _, v := range vs {
		for _, path := range []string{"bucket/" + v.Key, "staging/" + v.Object} {
			if s.lies(t, path) {
				t.Errorf("%s is there", path)
			}
		}
		if !strings.Contains(a.Stdout, "removed: "+v.Key+"\n") {
			t.Errorf("it does not say that %s is removed: %s", v.Key, a.Stdout)
		}
	}
	if n := strings.Count(a.Stdout, "removed from staging: "); n != 3 {
		t.Errorf("it says %d times that a staging copy is removed: %s", n, a.Stdout)
	}
	if got := s.does(t, 0, "", "ls", jammy).Stdout; !strings.Contains(got, "acme-now-archive-keyring") {
		t.Errorf("the keyring package is gone: %s", got)
	}
	s.does(t, 1, "nothing is restored: hello 1.0 all in acme/now/ubuntu/jammy/main is left out: its file was removed", "unyank", "acme/now", "hel*")
	s.does(t, 1, "nothing is withdrawn: acme-now-archive-keyring ", "yank", "acme/now", "acme-*", "--reason", "x")
}
