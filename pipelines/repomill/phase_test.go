package main_test

import (
	"bytes"
	"compress/gzip"
	"database/sql"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	_ "modernc.org/sqlite"

	"repomill/testdata/debtest"
	"repomill/testdata/proctest"
	"repomill/testdata/rpmtest"
)

// twoBinaries returns the two binaries of the source package hello in a version.
func twoBinaries(t *testing.T, version string) []packageFile {
	t.Helper()
	return []packageFile{
		newDEB(t, debtest.Spec{Version: version, Arch: "amd64"}),
		newDEB(t, debtest.Spec{Name: "libhello1", Version: version, Arch: "amd64", Fields: []string{"Source: hello"}}),
	}
}

// upgrades returns what apt says to an upgrade on a host with a machine-id that has both binaries in version 1.0: the packages that it
// would install, and those that it holds back.
func (a aptRoot) upgrades(t *testing.T, machine string) (installs, held string) {
	t.Helper()
	out := a.Run(t, "apt-get", "-s", "-o", "APT::Get::Download-Only=false", "-o", "APT::Machine-ID="+machine, "-o", "Dir::Bin::ischroot=/bin/false", "upgrade")
	if out.Code != 0 {
		t.Fatal(out)
	}
	for _, says := range []string{"kept back:\n", "deferred due to phasing:\n"} { // apt 2.6, and later ones
		if _, after, is := strings.Cut(out.Stdout, says); is {
			line, _, _ := strings.Cut(after, "\n")
			held = strings.TrimSpace(line)
		}
	}
	var names []string
	for line := range strings.Lines(out.Stdout) {
		if name, inst := strings.CutPrefix(line, "Inst "); inst {
			names = append(names, strings.Fields(name)[0])
		}
	}
	slices.Sort(names)
	return strings.Join(names, " "), held
}

// machineID returns one of many machine-ids.
func machineID(n int) string { return fmt.Sprintf("%032x", n+1) }

// Real apt holds back what is phased on most hosts, both binaries of a source or none, and installs it when the phase is 100%.
func TestPhase(t *testing.T) {
	t.Parallel()
	proctest.Need(t, "apt-get")
	s := newSite(t)
	const target, both = "acme/tools/ubuntu/jammy", "hello libhello1"
	s.publish(t, target, append(twoBinaries(t, "1.0"), twoBinaries(t, "2.0")...)...)
	a := newApt(t, "amd64")
	a.Source(t, "sources", string(s.fetch(t, target+".sources")))
	installed := ""
	for name := range strings.FieldsSeq(both) {
		installed += "Package: " + name + "\nStatus: install ok installed\nVersion: 1.0\nArchitecture: amd64\nMaintainer: me\nDescription: a test\n\n"
	}
	a.Write(t, "status", installed)
	a.Update(t)
	if installs, held := a.upgrades(t, machineID(0)); installs != both || held != "" {
		t.Fatalf("without a phase apt installs %q and holds back %q", installs, held)
	}

	d := s.does(t, 5, "", "phase", target, "libhello1=2.0", "10%", "--dry-run")
	for _, line := range []string{target + ": 2 would have the phase 10%, 4 stay", "  phase: hello 2.0 amd64 in main, from 100%"} {
		if !strings.Contains(d.Stdout, line) {
			t.Errorf("the dry run lacks %q: %s", line, d.Stdout)
		}
	}
	s.does(t, 0, "", "phase", target, "libhello1=2.0", "10%", "--by", "kim", "--why", "new parser")
	a.Update(t)
	in, out := "", ""
	for n := 0; n < 200 && (in == "" || out == ""); n++ {
		switch installs, held := a.upgrades(t, machineID(n)); {
		case installs == both && held == "":
			in = machineID(n)
		case installs == "" && held == both:
			out = machineID(n)
		default:
			t.Fatalf("host %d installs %q and holds back %q", n, installs, held)
		}
	}
	if in == "" || out == "" {
		t.Fatalf("of 200 hosts, %q installs and %q does not", in, out)
	}
	see := func(when, machine, installs string) {
		t.Helper()
		a.Update(t)
		got, held := a.upgrades(t, machine)
		if got != installs || held != strings.TrimSpace(strings.TrimSuffix(both, installs)) {
			t.Errorf("%s, apt installs %q and holds back %q, want %q", when, got, held, installs)
		}
	}
	if l := s.does(t, 0, "", "phase", "acme/tools"); !strings.HasPrefix(l.Stdout, "hello 2.0 in "+target+"/main: 10%, 2 packages, since ") || !strings.HasSuffix(l.Stdout, " by kim: new parser\n") {
		t.Errorf("it lists %q", l.Stdout)
	}
	proctest.Eventually(t, "the page and its twin have the phase", func() bool {
		return strings.Contains(string(s.fetch(t, "acme/tools/p/hello/2.0/")), "10% of hosts upgrade") && strings.Contains(string(s.fetch(t, "acme/tools/p/hello.json")), `"phase":10,`)
	})
	p := s.does(t, 0, "0% reduces and does not stop", "phase", target, "hello=2.*", "pause")
	if !strings.Contains(p.Stdout, "0%: hello 2.0 amd64 in acme/tools ubuntu/jammy (before: 10%)\n") {
		t.Errorf("pause says %s", p.Stdout)
	}
	see("paused", out, "")
	s.publish(t, target, newDEB(t, debtest.Spec{Name: "hello-doc", Version: "2.0", Fields: []string{"Source: hello"}}))
	if l := s.does(t, 0, "", "phase", target, "--json"); !strings.Contains(l.Stdout, `"source":"hello","version":"2.0","percent":0,"packages":3,`) {
		t.Errorf("with a third binary it lists %q", l.Stdout)
	}
	s.does(t, 0, "", "phase", target, "hello=2.0", "100%")
	see("for everyone", out, both)
	if l := s.does(t, 0, "has a phase: all hosts get all", "phase", target); l.Stdout != "" {
		t.Errorf("at the end it lists %q", l.Stdout)
	}
	for _, line := range []string{"hello 2.0: 10% (before: 100%)", "hello 2.0: 0% (before: 10%)", "hello 2.0: 100% (before: 0%)"} {
		if l := s.does(t, 0, "", "log", "acme/tools"); !strings.Contains(l.Stdout, line) {
			t.Errorf("the log lacks %q: %s", line, l.Stdout)
		}
	}
}

// dayLater makes what is due a day from now due now.
func (s *site) dayLater(t *testing.T) {
	t.Helper()
	db, err := sql.Open("sqlite", "file:"+s.data+"/catalog.db?_pragma=busy_timeout(10000)")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.Exec(`UPDATE phases SET next_at = next_at - 86400000`); err != nil {
		t.Fatal(err)
	}
}

func unzipped(t *testing.T, b []byte) string {
	t.Helper()
	z, err := gzip.NewReader(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// A worker makes the steps; another phase ends them. A plan does what it says, or nothing.
func TestPhaseSteps(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	const target = "acme/tools/ubuntu/jammy"
	s.publish(t, target, twoBinaries(t, "1.0")...)
	plan := filepath.Join(t.TempDir(), "plan.json")
	s.does(t, 5, "", "phase", target, "hello=1.0", "--steps", "10%,50%,100%", "--every", "24h", "--dry-run", "--plan", plan)
	for range 2 { // a repeat changes nothing
		s.does(t, 0, "", "apply", plan)
	}
	s.does(t, 0, "", "phase", target, "hello=1.0", "--steps", "10%,50%,100%", "--every", "24h", "--dry-run")
	list := func() string { return s.does(t, 0, "", "phase", "acme/tools").Stdout }
	if l := list(); !strings.Contains(l, ": 10%, 2 packages") || !strings.Contains(l, "; next 50%,100%, the first on ") || !strings.HasSuffix(l, ", one every 24h\n") {
		t.Errorf("it lists %q", l)
	}
	s.dayLater(t)
	proctest.Eventually(t, "clients see the step", func() bool {
		return strings.Count(unzipped(t, s.fetch(t, "acme/tools/ubuntu/dists/jammy/main/binary-amd64/Packages.gz")), "\nPhased-Update-Percentage: 50\n") == 2
	})
	if l := list(); !strings.Contains(l, ": 50%, 2 packages") || !strings.Contains(l, "; next 100%, the first on ") {
		t.Errorf("after a step it lists %q", l)
	}
	s.does(t, 1, "the plan does not hold any more", "apply", plan)
	s.does(t, 0, "", "phase", target, "hello=1.0", "50%") // ends the steps
	if l := list(); !strings.Contains(l, ": 50%, 2 packages") || strings.Contains(l, "next") {
		t.Errorf("stopped, it lists %q", l)
	}
	if l := s.does(t, 0, "", "log", "acme/tools"); !strings.Contains(l.Stdout, "hello 1.0: 50%, then 100%, one every 24h (a step)") {
		t.Errorf("the log lacks the step: %s", l.Stdout)
	}
}

// What cannot have a phase changes nothing, and says why.
func TestPhaseRefuses(t *testing.T) {
	t.Parallel()
	s := shared(t)
	const jammy, el9 = "acme/phased/ubuntu/jammy", "acme/phased/el/9"
	s.publish(t, jammy, newDEB(t, debtest.Spec{}))
	s.publish(t, el9, newRPM(t, rpmtest.Spec{Arch: "noarch"}))
	for _, tt := range []struct {
		fact string
		code int
		says string
		args []string
	}{
		{"an RPM package", 1, "is an RPM package: dnf and zypper know no phased updates, so nothing is changed: name a DEB distribution", []string{el9, "hello=1.0*", "10%"}},
		{"an RPM package among others", 1, "is an RPM package: dnf and zypper know no phased updates", []string{"acme/phased", "hello=1.0*", "10%"}},
		{"a package without a version", 2, "name the version, as in hello=2.0", []string{jammy, "hello", "10%"}},
		{"an architecture", 2, "a phase is of all architectures: leave out :amd64", []string{jammy, "hello=1.0:amd64", "10%"}},
		{"a pattern of nothing", 1, "there is no bye in " + jammy, []string{jammy, "bye=1.*", "10%"}},
		{"an unknown version", 1, "hello", []string{jammy, "hello=9", "10%"}},
		{"an unknown repository", 1, "repository acme/none is not declared", []string{"acme/none", "hello=1.0", "10%"}},
		{"no phase", 2, "say which part of the hosts is to get hello=1.0", []string{jammy, "hello=1.0"}},
		{"too much", 2, `phase "101%": use a percentage from 0% to 100%`, []string{jammy, "hello=1.0", "101%"}},
		{"a word", 2, `phase "stop": use a percentage from 0% to 100%, such as 10%, or pause`, []string{jammy, "hello=1.0", "stop"}},
		{"steps down", 2, "each must be greater than the one before", []string{jammy, "hello=1.0", "--steps", "50%,10%", "--every", "24h"}},
		{"steps without a period", 2, "say how long each lasts with --every", []string{jammy, "hello=1.0", "--steps", "10%,100%"}},
		{"a short period", 2, "use a period from 1m0s to 8784h", []string{jammy, "hello=1.0", "--steps", "10%,100%", "--every", "1s"}},
		{"a phase and steps", 2, "leave out 10%", []string{jammy, "hello=1.0", "10%", "--steps", "10%,100%", "--every", "24h"}},
		{"a period of nothing", 2, "is the period of --steps", []string{jammy, "hello=1.0", "10%", "--every", "24h"}},
	} {
		t.Run(tt.fact, func(t *testing.T) {
			s.does(t, tt.code, tt.says, append([]string{"phase"}, tt.args...)...)
			s.does(t, tt.code, tt.says, append([]string{"phase", "--dry-run"}, tt.args...)...)
		})
	}
	for _, tt := range []struct {
		code int
		says string
		args []string
	}{
		{1, "repository acme/none is not declared", []string{"acme/none"}},
		{1, "acme/phased", []string{"acme/phased/ubuntu/noble"}},
		{2, "name it, as in repomill phase", []string{jammy, "--steps", "10%"}},
		{2, "leave out --dry-run and --plan", []string{jammy, "--dry-run"}},
		{0, "no package of " + jammy + " has a phase", []string{jammy}},
	} {
		s.does(t, tt.code, tt.says, append([]string{"phase"}, tt.args...)...)
	}
}
