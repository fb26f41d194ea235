package main_test

import (
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"

	"repomill/testdata/debtest"
	"repomill/testdata/proctest"
	"repomill/testdata/rpmtest"
)

// What no rule keeps moves to the archive; apt sees it there, and not here any more. What cannot go there stays, and is said.
func TestRetainArchive(t *testing.T) {
	t.Parallel()
	proctest.Need(t, "apt-get")
	s := newSite(t)
	const repository, target, archive, there = "acme/archived", "acme/archived/ubuntu/jammy", "acme/attic", "acme/attic/ubuntu/jammy"
	s.publish(t, target, newDEB(t, debtest.Spec{}), newDEB(t, debtest.Spec{Version: "2.0"}), newDEB(t, debtest.Spec{Version: "3.0"}))
	s.publish(t, there, newDEB(t, debtest.Spec{Version: "2.0", Fields: []string{"Homepage: https://other.example"}}))
	s.age(t, repository, longAgo)
	s.does(t, 0, "", "retain", "set", repository, "--newest", "1")
	a := s.does(t, 0, "", "retain", "set", repository, "--archive", archive)
	says(t, a, repository+": newest 1, archive "+archive+"\n", "paused: by now 2 packages would leave")
	says(t, s.does(t, 0, "", "retain", "list", repository), "newest 1, archive acme/attic; paused")
	plan := filepath.Join(t.TempDir(), "plan.json")
	says(t, s.does(t, 5, "", "retain", "plan", repository, "--plan", plan), "leaves: hello 1.0 all in "+target+"/main, ", "goes to "+there+"/main\n",
		"stays: hello 2.0 all in "+target+"/main, ", "cannot go to "+there+"/main: it has other bytes there",
		"archive: 1 to copy, ", "0 are there, 0 on their way, 1 cannot go there and stay")
	for range 2 { // the same again changes nothing
		s.does(t, 0, "", "apply", plan)
	}
	says(t, s.does(t, 0, "", "log", repository), "hello 1.0 all to "+there+"/main, to be withdrawn here")
	here, attic := newApt(t, "amd64"), newApt(t, "amd64")
	here.Source(t, "sources", string(s.fetch(t, target+".sources")))
	attic.Source(t, "sources", string(s.fetch(t, there+".sources")))
	if got := madison(t, here, "hello"); got != "3.0 2.0" {
		t.Errorf("apt sees hello %s here", got)
	}
	if got := madison(t, attic, "hello"); got != "2.0 1.0" {
		t.Errorf("apt sees hello %s in the archive", got)
	}
	says(t, s.does(t, 1, "", "retain", "plan", repository), "stays: hello 2.0 all")
	s.does(t, 1, "1 packages stay that no rule keeps, since the archive does not have them", "retain", "run", repository)
	says(t, s.does(t, 0, "", "unyank", target, "hello=1.0"), "unyanked: hello 1.0")
}

// An RPM for all architectures goes to each directory of the archive, and JSON says how its packages moved.
func TestRetainArchiveRPM(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	const repository, target, archive = "acme/archivedrpm", "acme/archivedrpm/el/9", "acme/atticrpm"
	s.publish(t, target, newRPM(t, rpmtest.Spec{Arch: "noarch"}), newRPM(t, rpmtest.Spec{Arch: "noarch", Version: "2.0"}))
	s.does(t, 0, "", "repo", "create", archive, "--distribution", "el/9", "--arch", "x86_64", "--arch", "aarch64")
	s.age(t, repository, longAgo)
	s.does(t, 0, "", "retain", "set", target, "--newest", "1", "--archive", archive)
	var moved struct{ Package, To, State, Move string }
	a := s.does(t, 0, "", "retain", "run", repository, "--json")
	if err := json.Unmarshal([]byte(a.Stdout), &moved); err != nil || moved.Package != "hello 1.0-1 noarch" || moved.To != archive+"/el/9" || moved.State != "published" || moved.Move != "done" {
		t.Errorf("%v: %s", err, a.Stdout)
	}
	for _, dir := range []string{"x86_64", "aarch64"} {
		if a := s.does(t, 0, "", "ls", archive+"/el/9/"+dir); !strings.Contains(a.Stdout, "1.0-1") {
			t.Errorf("the archive has %s", a.Stdout)
		}
		if a := s.does(t, 0, "", "ls", target+"/"+dir); strings.Contains(a.Stdout, "1.0-1") {
			t.Errorf("the repository has %s", a.Stdout)
		}
	}
}

// An archive that is none is refused.
func TestRetainArchiveRefuses(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	const repository = "acme/noarchive"
	s.does(t, 0, "", "repo", "create", repository, "--visibility", "private", "--distribution", "ubuntu/jammy")
	s.does(t, 0, "", "repo", "create", "acme/openattic", "--distribution", "ubuntu/jammy")
	for _, tt := range []struct {
		fact string
		code int
		args []string
		says string
	}{
		{"an unknown archive", 1, []string{"--newest", "1", "--archive", "acme/unknown"}, "the archive acme/unknown is not declared"},
		{"itself", 1, []string{"--newest", "1", "--archive", repository}, "cannot be its own archive"},
		{"no name", 2, []string{"--newest", "1", "--archive", "attic"}, "use owner/name"},
		{"an open one", 1, []string{"--newest", "1", "--archive", "acme/openattic"}, "use retain set --archive acme/openattic --to-public if that is meant"},
		{"open to nothing", 2, []string{"--newest", "1", "--to-public"}, "--to-public is for the archive"},
		{"an archive without rules", 1, []string{"--archive", "acme/openattic", "--to-public"}, "has no rules of retention"},
		{"an archive that is wanted open", 0, []string{"--newest", "1", "--archive", "acme/openattic", "--to-public"}, ""},
	} {
		t.Run(tt.fact, func(t *testing.T) {
			s.does(t, tt.code, tt.says, append([]string{"retain", "set", repository}, tt.args...)...)
		})
	}
	says(t, s.does(t, 0, "", "retain", "set", repository, "--newest", "2"), "newest 2, archive acme/openattic\n")
	if a := s.does(t, 0, "", "retain", "set", repository, "--archive", "none"); !strings.Contains(a.Stdout, ": newest 2\n") {
		t.Errorf("it says %s", a.Stdout)
	}
}

// Workers move what leaves to the archive each day, and say what cannot go there.
func TestRetainArchiveAutomatic(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	const repository, target, there = "acme/daily", "acme/daily/ubuntu/jammy", "acme/dailyattic/ubuntu/jammy"
	s.publish(t, target, newDEB(t, debtest.Spec{}), newDEB(t, debtest.Spec{Version: "2.0"}), newDEB(t, debtest.Spec{Version: "3.0"}))
	s.publish(t, there, newDEB(t, debtest.Spec{Version: "2.0", Fields: []string{"Homepage: https://other.example"}}))
	s.age(t, repository, longAgo)
	s.does(t, 0, "", "retain", "set", repository, "--newest", "1", "--archive", "acme/dailyattic", "--automatic", "--allow-shrink")
	if err := s.Stop(); err != nil {
		t.Fatal(err)
	}
	s = restart(t, s.data) // a worker looks at its start
	proctest.Eventually(t, "what cannot go to the archive is said", func() bool {
		return strings.Contains(s.does(t, 0, "", "status", repository).Stdout, "1 packages stay that no rule keeps, since they cannot go to acme/dailyattic, such as hello 2.0 all: it has other bytes there")
	})
	proctest.Eventually(t, "a package moves to the archive", func() bool {
		here, attic := s.does(t, 0, "", "ls", target).Stdout, s.does(t, 0, "", "ls", there).Stdout
		return !strings.Contains(here, " 1.0 ") && strings.Contains(here, " 2.0 ") && strings.Contains(attic, " 1.0 ")
	})
}
