package main_test

import (
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"repomill/schemas/catalog"
	"repomill/testdata/debtest"
)

// The bytes that clients see in a mutable repository are promoted there once more, beside others that were replaced: with --move they
// leave their old place, and the command ends.
func TestPromoteBesideReplaced(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	jammy, _ := s.mutable(t, "acme/beside")
	const stable = "acme/besidestable/ubuntu/jammy"
	debs, _ := builds(t, 2)
	s.does(t, 0, "", "repo", "create", "acme/besidestable", "--distribution", "ubuntu/jammy")
	s.publish(t, jammy, debs[0])
	s.publish(t, jammy, debs[1])
	s.publish(t, stable, debs[1])
	if a := s.does(t, 0, "", "promote", stable, jammy, "hello=1.0"); !strings.Contains(a.Stdout, "there: hello 1.0 amd64") {
		t.Errorf("promote says %s", a.Said())
	}
	s.does(t, 0, "", "promote", stable, jammy, "hello=1.0", "--move")
	s.shows(t, "moved", jammy, debs[1])
	if index := s.packages(t, stable); index != "" {
		t.Errorf("what was moved is there still:\n%s", index)
	}
}

// What was moved away from a mutable repository comes back with a promotion.
func TestPromoteBackToMutable(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	jammy, _ := s.mutable(t, "acme/home")
	const away = "acme/away/ubuntu/jammy"
	debs, _ := builds(t, 2)
	s.does(t, 0, "", "repo", "create", "acme/away", "--distribution", "ubuntu/jammy")
	s.publish(t, jammy, debs[0])
	s.publish(t, jammy, debs[1])
	s.does(t, 0, "", "promote", jammy, away, "hello=1.0", "--move")
	s.shows(t, "moved", away, debs[1])
	s.does(t, 0, "", "promote", away, jammy, "hello=1.0", "--move")
	s.shows(t, "moved back", jammy, debs[1])
	s.does(t, 0, "", "promote", jammy, away, "hello=1.0", "--move") // and once more
	s.shows(t, "moved once more", away, debs[1])
	if err := s.checkBucket(); err != nil {
		t.Error(err)
	}
}

// What yank --now withdraws does not come back: neither what was replaced before, nor what was moved away.
func TestYankNowBans(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	jammy, _ := s.mutable(t, "acme/banned")
	debs, _ := builds(t, 2)
	s.publish(t, jammy, debs[0])
	s.publish(t, jammy, debs[1])
	for _, more := range [][]string{nil, {"--now"}, {"--dry-run"}} { // with that reason a push would bring it back
		s.does(t, 1, `the reason "replaced" is what a mutable repository itself records`, append([]string{"yank", jammy, "hello=1.0", "--reason", "replaced"}, more...)...)
	}
	s.does(t, 0, "", "yank", "--now", jammy, "hello=1.0", "--reason", "malware")
	for i, f := range debs {
		if a, vs := s.push(t, jammy, f); a.Code != 1 || len(vs) != 1 || vs[0].Reason != catalog.YankedIdentity || !strings.Contains(vs[0].Detail, "malware") {
			t.Errorf("build %d is pushed again: %v", i, a)
		}
	}

	const from, to = "acme/bannedfrom/ubuntu/jammy", "acme/bannedto/ubuntu/jammy"
	for _, r := range []string{"acme/bannedfrom", "acme/bannedto"} {
		s.does(t, 0, "", "repo", "create", r, "--distribution", "ubuntu/jammy")
	}
	s.publish(t, from, debs[0])
	s.does(t, 0, "", "promote", from, to, "hello=1.0", "--move")
	s.does(t, 0, "", "yank", "--now", from, "hello=1.0", "--reason", "malware")
	s.does(t, 1, "it was withdrawn there", "promote", to, from, "hel*")
	if index := s.packages(t, from); index != "" {
		t.Errorf("a glob restores what was withdrawn:\n%s", index)
	}
}

// The plan of a train says which bytes get others in their place, and is applied as it says or not at all.
func TestTrainPlanSaysReplaced(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	jammy, _ := s.mutable(t, "acme/replan")
	debs, _ := builds(t, 3)
	s.publish(t, jammy, debs[0])
	s.hold(t, "replan", jammy, debs[1])
	file := filepath.Join(t.TempDir(), "plan.json")
	a := s.does(t, 5, "", "train", "plan", "acme/replan", "--plan", file)
	if want := "replaced: hello 1.0 amd64 in acme/replan/ubuntu/jammy/main: sha256 " + debs[1].sha256() + " in place of " + debs[0].sha256() + "; "; !strings.Contains(a.Stdout, want) || !strings.Contains(a.Stdout, ": 1 package would come, ") {
		t.Errorf("the plan says %s, want %s", a.Said(), want)
	}
	s.publish(t, jammy, debs[2]) // in place of the one that the plan names
	s.does(t, 1, "", "apply", file)
	s.shows(t, "after a plan that moved on", jammy, debs[2])
	if a := s.does(t, 5, "", "train", "plan", "acme/replan", "--plan", file); !strings.Contains(a.Stdout, "in place of "+debs[2].sha256()) {
		t.Errorf("the next plan says %s", a.Said())
	}
	s.does(t, 0, "", "apply", file)
	s.shows(t, "applied", jammy, debs[1])
}

// What a mutable repository has of a version is listed with its digest.
func TestListsOfMutableHaveDigests(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	jammy, _ := s.mutable(t, "acme/listed")
	debs, _ := builds(t, 2)
	for _, f := range debs {
		s.publish(t, jammy, f)
	}
	for _, args := range [][]string{{"ls", jammy}, {"status", "acme/listed", "hello=1.0"}} {
		if a := s.does(t, 0, "", args...); strings.Count(a.Stdout, debs[1].sha256()) != 1 || strings.Contains(a.Stdout, debs[0].sha256()) {
			t.Errorf("%q says %s, want sha256 %s", args, a.Said(), debs[1].sha256())
		}
	}
	s.publish(t, "acme/unlisted/ubuntu/jammy", debs[0])
	if a := s.does(t, 0, "", "ls", "acme/unlisted/ubuntu/jammy"); strings.Contains(a.Stdout, "SHA256") || strings.Contains(a.Stdout, debs[0].sha256()) {
		t.Errorf("ls of a repository that is not mutable says %s", a.Said())
	}
}

// A dry run promises nothing that the run refuses.
func TestDryRunsRefuseAsRuns(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	const contrib = "acme/promised/ubuntu/jammy/contrib"
	s.does(t, 0, "", "repo", "create", "acme/promised", "--distribution", "ubuntu/jammy", "--component", "contrib")
	deb := newDEB(t, debtest.Spec{Name: "promised"})
	v := s.publish(t, contrib, deb)[0]
	then := strconv.FormatInt(v.Releases[0].Revision, 10)
	s.does(t, 0, "", "repo", "delete", contrib, "--yes")
	const deleted = "component " + contrib + ": it was deleted on "
	for _, flags := range [][]string{{"--dry-run"}, {}} {
		s.does(t, 1, deleted, append([]string{"rollback", "acme/promised/ubuntu/jammy", "--to", then}, flags...)...)
		s.does(t, 1, deleted, append([]string{"unyank", contrib, "promised=1.0"}, flags...)...)
	}
	s.does(t, 0, "", "repo", "undelete", contrib)
	s.hold(t, "promised", contrib, newDEB(t, debtest.Spec{Name: "waits"}))
	for _, flag := range []string{"--dry-run", "--yes"} {
		s.does(t, 1, contrib+" is not deleted: release trains hold packages of it", "repo", "delete", contrib, flag)
		s.does(t, 1, "acme/promised is not deleted: release trains hold packages of it", "repo", "delete", "acme/promised", flag)
	}
	s.does(t, 0, "", "train", "drop", "acme/promised")
	s.does(t, 0, "", "repo", "delete", contrib, "--yes")
	for _, flag := range []string{"--dry-run", "--yes"} {
		s.does(t, 1, "it is the only component of its distribution", "repo", "delete", "acme/promised/ubuntu/jammy/main", flag)
	}
}

// Archives do not lead in a circle, and the deletion of one says whose archive it is.
func TestArchivesInACircle(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	for _, r := range []string{"acme/round1", "acme/round2", "acme/round3"} {
		s.does(t, 0, "", "repo", "create", r, "--distribution", "ubuntu/jammy")
	}
	set := func(code int, says, of, archive string) {
		t.Helper()
		s.does(t, code, says, "retain", "set", of, "--newest", "1", "--archive", archive)
	}
	set(0, "", "acme/round1", "acme/round2")
	set(1, "packages would go round: acme/round2 is the archive of acme/round1, which is to be an archive of it; name another repository", "acme/round2", "acme/round1")
	set(0, "", "acme/round2", "acme/round3")
	set(1, "packages would go round: acme/round3 is the archive of acme/round2, which is to be an archive of it", "acme/round3", "acme/round1")
	const says = "acme/round2 is the archive of acme/round1: what no rule of retention keeps there stays"
	s.does(t, 5, says, "repo", "delete", "acme/round2", "--dry-run")
	s.does(t, 0, says, "repo", "delete", "acme/round2", "--yes", "--undo-period", "1s", "--no-wait")
}
