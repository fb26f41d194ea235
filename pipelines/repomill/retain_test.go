package main_test

import (
	"database/sql"
	"encoding/json"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	_ "modernc.org/sqlite"

	"repomill/testdata/debtest"
	"repomill/testdata/proctest"
	"repomill/testdata/rpmtest"
)

// age makes the packages of a repository look as if they had come, and been seen, earlier: none leaves within 14 days.
func (s *site) age(t *testing.T, repository string, by time.Duration) {
	t.Helper()
	owner, name, _ := strings.Cut(repository, "/")
	db, err := sql.Open("sqlite", "file:"+filepath.Join(s.data, "catalog.db")+"?_pragma=busy_timeout(20000)")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	const of = ` WHERE distribution_id IN (SELECT d.id FROM distributions d JOIN repositories p ON p.id = d.repository_id WHERE p.owner = ? AND p.name = ?)`
	for _, statement := range []string{`UPDATE packages SET uploaded_at = uploaded_at - ?` + of,
		`UPDATE visibility SET came_at = came_at - ? WHERE release_id IN (SELECT id FROM releases` + of + `)`} {
		if _, err := db.Exec(statement, by.Milliseconds(), owner, name); err != nil {
			t.Fatal(err)
		}
	}
}

// madison returns the versions of a package that apt knows.
func madison(t *testing.T, a aptRoot, name string) string {
	t.Helper()
	a.Update(t)
	var got []string
	for line := range strings.Lines(a.Run(t, "apt-cache", "madison", name).Stdout) {
		got = append(got, strings.TrimSpace(strings.Split(line, "|")[1]))
	}
	return strings.Join(slices.Compact(got), " ")
}

const longAgo = 100 * 24 * time.Hour

// Old versions leave apt's view by rules, and come back; a plan of rules does what it says, or nothing.
func TestRetain(t *testing.T) {
	t.Parallel()
	proctest.Need(t, "apt-get")
	s := newSite(t)
	const repository, target = "acme/retained", "acme/retained/ubuntu/jammy"
	s.publish(t, target, newDEB(t, debtest.Spec{}), newDEB(t, debtest.Spec{Version: "2.0"}), newDEB(t, debtest.Spec{Version: "3.0"}),
		newDEB(t, debtest.Spec{Name: "data", Version: "1.0"}), newDEB(t, debtest.Spec{Name: "data", Version: "2.0"}),
		newDEB(t, debtest.Spec{Name: "app", Version: "1.0", Fields: []string{"Depends: data (= 1.0)"}}))
	a := newApt(t, "amd64")
	a.Source(t, "sources", string(s.fetch(t, target+".sources")))
	see := func(when, hello, data string) {
		t.Helper()
		if got := madison(t, a, "hello"); got != hello {
			t.Errorf("%s, apt sees hello %q, want %q", when, got, hello)
		}
		if got := madison(t, a, "data"); got != data {
			t.Errorf("%s, apt sees data %q, want %q", when, got, data)
		}
	}
	says := func(a proctest.Answer, lines ...string) {
		t.Helper()
		for _, line := range lines {
			if !strings.Contains(a.Stdout, line) {
				t.Errorf("%q is not in %s", line, a.Stdout)
			}
		}
	}
	s.does(t, 1, "no rules of retention are for "+repository, "retain", "plan", repository)
	says(s.does(t, 0, "", "retain", "set", repository, "--newest", "1"), repository+": newest 1\n", "paused: by now 0 packages would leave")
	s.does(t, 0, "", "retain", "plan", repository)
	s.age(t, repository, longAgo)
	plan := filepath.Join(t.TempDir(), "plan.json")
	says(s.does(t, 5, "", "retain", "plan", repository, "--plan", plan), "leaves: hello 1.0 all in "+target+"/main", "leaves: hello 2.0 all", target+": 2 would leave, 4 stay", "stay: 3 newest, 1 needed")
	see("with a plan", "3.0 2.0 1.0", "2.0 1.0")
	s.publish(t, target, newDEB(t, debtest.Spec{Version: "4.0"}))
	s.does(t, 1, "new: withdraw hello 3.0 all", "apply", plan)
	see("after a plan that does not hold", "4.0 3.0 2.0 1.0", "2.0 1.0")
	s.does(t, 5, "", "retain", "run", repository, "--dry-run", "--plan", plan)
	for range 2 { // a repeat changes nothing
		s.does(t, 0, "", "apply", plan, "--why", "cleanup")
	}
	see("after the plan", "4.0", "2.0 1.0")
	says(s.does(t, 0, "", "unyank", target, "hello=1.0"), "unyanked: hello 1.0")
	see("brought back", "4.0 1.0", "2.0 1.0")
	s.does(t, 1, "the plan does not hold any more", "apply", plan)
	says(s.does(t, 0, "", "retain", "run", repository), "nothing leaves")
	see("after another run", "4.0 1.0", "2.0 1.0")
	says(s.does(t, 0, "", "log", repository), "package.retain", "3 of 3 packages withdrawn that no rule keeps; the rules are: newest 1 (paused)", "hello 2.0 all", "expired", "cleanup")
	if a, _ := s.push(t, target, newDEB(t, debtest.Spec{Version: "2.0"})); a.Code != 1 || !strings.Contains(a.Stderr, "expired") {
		t.Errorf("a push of an expired package says %v", a)
	}
}

// RPM packages of all architectures leave every directory at once, and JSON says what leaves.
func TestRetainRPM(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	const repository, target = "acme/retainedrpm", "acme/retainedrpm/el/9"
	s.publish(t, target, newRPM(t, rpmtest.Spec{Arch: "noarch"}), newRPM(t, rpmtest.Spec{Arch: "noarch", Version: "2.0"}), newRPM(t, rpmtest.Spec{Version: "3.0"}))
	s.age(t, repository, longAgo)
	s.does(t, 0, "", "retain", "set", target, "--newest", "1")
	a := s.does(t, 5, "", "retain", "plan", target, "--json")
	lines := strings.Split(strings.TrimSpace(a.Stdout), "\n")
	var sum struct {
		Releases []struct {
			Release     string
			Leave, Stay int
		}
		Kept     map[string]int
		Packages int
	}
	if err := json.Unmarshal([]byte(lines[len(lines)-1]), &sum); err != nil || len(lines) != 2 || sum.Packages != 1 || sum.Kept["newest"] != 2 {
		t.Errorf("%v: %+v of %s", err, sum, a.Stdout)
	}
	for _, r := range sum.Releases {
		if strings.HasSuffix(r.Release, "SRPMS") != (r.Leave == 0) {
			t.Errorf("%+v", r)
		}
	}
	if a := s.does(t, 0, "", "retain", "run", target); !strings.Contains(a.Stdout, target+": 1 packages withdrawn") {
		t.Errorf("it says %s", a.Stdout)
	}
}

// What cannot be changes nothing, and says why.
func TestRetainRefuses(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	const repository, jammy = "acme/refused", "acme/refused/ubuntu/jammy"
	s.publish(t, jammy, newDEB(t, debtest.Spec{}), newDEB(t, debtest.Spec{Version: "2.0"}))
	s.age(t, repository, longAgo)
	if a := s.does(t, 0, "", "retain", "set", repository, "--newest", "1", "--keep", "hello=1*", "--keep", "helo=1*"); !strings.Contains(a.Stderr, "note: --keep helo=1* keeps nothing by now") || strings.Contains(a.Stderr, "hello=1*") {
		t.Errorf("patterns of which one has a wrong letter: %v", a)
	}
	s.does(t, 0, "", "retain", "set", repository, "--off")
	for _, tt := range []struct {
		fact string
		code int
		args []string
		says string
	}{
		{"no rule", 2, []string{"set", repository}, "name rules, such as --newest 3"},
		{"0 versions", 2, []string{"set", repository, "--newest", "0"}, "--newest 0: use 1 or more, or leave it out"},
		{"an archive without a name", 2, []string{"set", repository, "--newest", "1", "--archive", ""}, "--archive has no value"},
		{"too many versions", 2, []string{"set", repository, "--newest", "1000001"}, "the number of versions that stay is from 1"},
		{"days that always stay", 2, []string{"set", repository, "--younger", "7d"}, "packages of up to 14 days always stay"},
		{"no pattern", 2, []string{"set", repository, "--keep", "a=["}, "NAME=VERSION"},
		{"a component", 2, []string{"set", jammy + "/main", "--newest", "1"}, "leave out /main"},
		{"two states", 2, []string{"set", repository, "--newest", "1", "--automatic", "--paused"}, "use one of them"},
		{"a limit of nothing", 2, []string{"set", repository, "--newest", "1", "--allow-shrink"}, "add --automatic"},
		{"rules that are removed", 2, []string{"set", repository, "--newest", "1", "--off"}, "leave out the others"},
		{"a state of no rules", 1, []string{"set", repository, "--automatic"}, "has no rules of retention"},
		{"rules that leave nothing", 1, []string{"set", repository, "--younger", "30d"}, "no package would stay in " + jammy + "; nothing is changed: add a rule such as --newest 1"},
		{"an unknown repository", 1, []string{"set", "acme/unknown", "--newest", "1"}, "repository acme/unknown is not declared"},
		{"an unknown distribution", 1, []string{"set", repository + "/ubuntu/noble", "--newest", "1"}, "does not have distribution ubuntu/noble"},
		{"a run without rules", 1, []string{"run", repository}, "no rules of retention are for"},
		{"a plan of an unknown repository", 1, []string{"plan", "acme/unknown"}, "repository acme/unknown is not declared"},
	} {
		t.Run(tt.fact, func(t *testing.T) { s.does(t, tt.code, tt.says, append([]string{"retain"}, tt.args...)...) })
	}
	if a := s.does(t, 0, "", "retain", "list", repository); a.Stdout != "no rules of retention: everything stays\n" {
		t.Errorf("it lists %s", a.Stdout)
	}
	s.does(t, 0, "", "retain", "set", repository, "--younger", "200d")
	s.age(t, repository, 2*longAgo) // by now they are too old
	s.does(t, 1, "no package would stay in "+jammy, "retain", "plan", repository)
	s.does(t, 1, "no package would stay in "+jammy, "retain", "run", repository)
	if n := s.status(t, jammy).Releases[0].Packages; n != 2 {
		t.Errorf("%d packages stay, want 2", n)
	}
}

// Workers apply automatic rules, and stop if too much would leave.
func TestRetainAutomatic(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	const repository, jammy = "acme/automatic", "acme/automatic/ubuntu/jammy"
	files := []packageFile{newDEB(t, debtest.Spec{Version: "1.0"}), newDEB(t, debtest.Spec{Version: "2.0"})}
	s.publish(t, jammy, files...)
	s.age(t, repository, longAgo)
	s.does(t, 0, "", "retain", "set", repository, "--newest", "1", "--automatic")
	if err := s.Stop(); err != nil {
		t.Fatal(err)
	}
	s = restart(t, s.data) // a worker looks at its start
	stopped := func() bool {
		return strings.Contains(s.does(t, 0, "", "retain", "list", repository).Stdout, "stopped: 1 of 2 packages of "+jammy+" would leave, more than 20 %; nothing is changed: look at repomill retain plan "+jammy)
	}
	proctest.Eventually(t, "retention stops", stopped)
	if a := s.does(t, 0, "", "status", repository); !strings.Contains(a.Stdout, "would leave, more than 20 %") {
		t.Errorf("status says %s", a.Stdout)
	}
	if n := s.status(t, jammy).Releases[0].Packages; n != 2 {
		t.Errorf("%d packages stay, want 2", n)
	}
	s.does(t, 0, "", "retain", "set", repository, "--automatic", "--allow-shrink")
	if err := s.Stop(); err != nil {
		t.Fatal(err)
	}
	s = restart(t, s.data) // a worker looks at its start
	proctest.Eventually(t, "a package expires", func() bool {
		return strings.Contains(s.does(t, 0, "", "retain", "list", repository).Stdout, "1 packages withdrawn")
	})
	proctest.Eventually(t, "clients see it", func() bool {
		r := s.status(t, jammy).Releases[0]
		return r.Packages == 1 && r.Published == r.Revision
	})
}
