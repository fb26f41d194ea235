package main_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"repomill/schemas/catalog"
	"repomill/testdata/debtest"
	"repomill/testdata/rpmtest"
)

// A plan of every command that has --plan changes, when it is applied, exactly what it lists, and a command that gets the flag is not left out here.
func TestL2EveryPlanChangesWhatItLists(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	const jammy = "acme/life/ubuntu/jammy"
	for _, of := range []string{"acme/life", "acme/other"} {
		s.does(t, 0, "", "repo", "create", of, "--distribution", "ubuntu/jammy,el/9")
	}
	s.publish(t, jammy, newDEB(t, debtest.Spec{Name: "a"}), newDEB(t, debtest.Spec{Name: "a", Version: "2.0"}), newDEB(t, debtest.Spec{Name: "b"}), newDEB(t, debtest.Spec{Name: "d"}))
	s.publish(t, "acme/life/el/9", newRPM(t, rpmtest.Spec{Name: "c", Arch: "noarch"}))
	s.does(t, 0, "", "snapshot", "create", "acme/life", "--name", "first")
	seen := map[string]bool{"train plan": true} // TestL2TrainGoesAsPlanned
	for i, x := range []struct {
		args   []string
		before func()
		n      int // items
	}{
		{args: []string{"yank", "acme/life", "[ac]", "--all", "--reason", "bad"}, n: 4}, // the RPM is in two releases
		{args: []string{"unyank", "acme/life", "a"}, n: 2},
		{args: []string{"rollback", "acme/life", "--to", "first"}, before: func() { s.does(t, 0, "", "yank", jammy, "b=1.0", "--reason", "bad") }, n: 3},
		{args: []string{"promote", "acme/life", "acme/other", "[bc]"}, n: 3},
		{args: []string{"promote", "acme/life", "acme/other", "d=1.0", "--move"}, n: 2},
		{args: []string{"phase", jammy, "a=2.0", "10%"}, n: 1},
		{args: []string{"retain", "run", "acme/life"}, before: func() {
			s.does(t, 0, "", "phase", jammy, "a=2.0", "100%") // below, it pushes nothing out
			s.does(t, 0, "", "retain", "set", "acme/life", "--newest", "1")
			s.age(t, "acme/life", 60*24*time.Hour)
			s.forgetUnyanks(t)
		}, n: 1},
		{args: []string{"retain", "plan", "acme/other"}, before: func() {
			s.does(t, 0, "", "retain", "set", "acme/other", "--keep", "none")
		}},
		{args: []string{"repo", "delete", "acme/other/el/9"}, n: 2},
	} {
		if x.before != nil {
			x.before()
		}
		seen[x.args[0]], seen[strings.Join(x.args[:2], " ")] = true, true
		if x.n == 0 {
			continue
		}
		file := filepath.Join(t.TempDir(), fmt.Sprint(i, ".json"))
		s.does(t, 5, "", append(slices.Clone(x.args), "--dry-run", "--plan", file)...)
		before := s.shown(t)
		s.does(t, 0, "", "apply", file)
		after := s.shown(t)
		var plan catalog.Plan
		text, err := os.ReadFile(file)
		if err == nil {
			err = json.Unmarshal(text, &plan)
		}
		if err != nil {
			t.Fatal(err)
		}
		if len(plan.Items) != x.n {
			t.Errorf("%q: the plan has %d items, want %d", x.args, len(plan.Items), x.n)
		}
		if diff := cmp.Diff(after, planned(plan, before)); diff != "" {
			t.Errorf("%q (-what clients see +what the plan makes of what they saw):\n%s", x.args, diff)
		}
	}
	for _, m := range leafLine.FindAllStringSubmatch(repomill(t, "--help").Stdout, -1) {
		if has := strings.Contains(repomill(t, append(strings.Fields(m[1]), "--help")...).Stdout, "--plan="); has != seen[m[1]] {
			t.Errorf("repomill %s: it has --plan: %v; it is in this test: %v", m[1], has, seen[m[1]])
		}
	}
}

// shown returns what clients see of all distributions: "release name version arch", and the phase if there is one.
func (s *site) shown(t *testing.T) map[string]string {
	t.Helper()
	all := map[string]string{}
	for _, of := range []string{"acme/life", "acme/other"} {
		for _, k := range s.packagesOf(t, of+"/ubuntu/jammy") {
			all[strings.Join([]string{of + "/ubuntu/jammy", k.Name, k.Version, k.Arch}, " ")] = phaseIn(s.indexOf(t, of), k.Name, k.Version)
		}
		for _, k := range s.packagesOf(t, of+"/el/9") {
			for _, arch := range []string{"x86_64", "aarch64"} {
				all[strings.Join([]string{of + "/el/9/" + arch, k.Name, k.Version, k.Arch}, " ")] = ""
			}
		}
	}
	return all
}

// planned returns what a plan makes of what clients saw.
func planned(p catalog.Plan, before map[string]string) map[string]string {
	for _, i := range p.Items {
		key := strings.Join([]string{i.Release, i.Name, i.Version, i.Arch}, " ")
		switch i.Action {
		case catalog.PlanWithdraw:
			delete(before, key)
		case catalog.PlanRestore, catalog.PlanCopy:
			before[key] = ""
		case catalog.PlanRephase:
			before[key] = "10"
		}
	}
	return before
}

// phaseIn returns the phase of a .deb in an index, or "".
func phaseIn(index, name, version string) string {
	for stanza := range strings.SplitSeq(index, "\n\n") {
		if strings.HasPrefix(stanza, "Package: "+name+"\n") && strings.Contains(stanza+"\n", "\nVersion: "+version+"\n") {
			_, after, _ := strings.Cut(stanza+"\n", "\n"+catalog.PhaseField+": ")
			percent, _, _ := strings.Cut(after, "\n")
			return percent
		}
	}
	return ""
}
