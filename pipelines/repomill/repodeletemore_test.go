package main_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"repomill/schemas/catalog"
	"repomill/testdata/debtest"
	"repomill/testdata/proctest"
	"repomill/testdata/rpmtest"
)

// The catalog is lost while a distribution is deleted: the bucket says so, and pushes are refused still.
func TestRepoDeleteDistributionOutlivesTheCatalog(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	const jammy, el9 = "acme/part5/ubuntu/jammy", "acme/part5/el/9"
	s.publish(t, jammy, newDEB(t, debtest.Spec{Arch: "amd64"}))
	s.publish(t, el9, newRPM(t, rpmtest.Spec{Arch: "noarch"}))
	s.does(t, 0, "", "repo", "delete", el9, "--yes", "--why", "end of life")
	want := s.settings(t, "acme/part5").DeletedParts
	if err := s.Kill(); err != nil {
		t.Fatal(err)
	}
	loseCatalog(t, s.data)
	s = restart(t, s.data)
	s.untilDeclared(t, "acme/part5")
	if got := s.settings(t, "acme/part5").DeletedParts; len(want) != 1 || !slices.EqualFunc(got, want, func(a, b catalog.DeletedPart) bool {
		return a.Distribution == b.Distribution && a.At.Equal(b.At) && a.Until.Equal(b.Until) && a.Why == b.Why
	}) {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if a, verdicts := s.push(t, el9, newRPM(t, rpmtest.Spec{Name: "late", Arch: "noarch"})); a.Code != 1 || len(verdicts) != 1 || !strings.HasPrefix(verdicts[0].Detail, "distribution "+el9+" takes no packages: it was deleted on ") {
		t.Errorf("a push: %v", a)
	}
	s.does(t, 0, "", "reindex", "acme/part5", "--from", "published")
	s.does(t, 1, "has no index entries of the withdrawn packages", "repo", "undelete", el9)
	says(t, s.does(t, 0, "", "ls", jammy), "hello")
	s.publish(t, jammy, newDEB(t, debtest.Spec{Name: "more"}))
}

// Nothing but the revocation of tokens changes a deleted repository, and what would go there is refused with what to do.
func TestRepoDeleteRefusesChanges(t *testing.T) {
	t.Parallel()
	s := shared(t)
	const jammy, from = "acme/part6/ubuntu/jammy", "acme/part6from/ubuntu/jammy"
	s.publish(t, jammy, newDEB(t, debtest.Spec{}))
	s.publish(t, from, newDEB(t, debtest.Spec{Name: "more"}))
	s.does(t, 0, "", "token", "create", "acme/part6", "host", "--no-wait")
	s.publish(t, "acme/part6/ubuntu/noble", newDEB(t, debtest.Spec{}))
	s.does(t, 0, "", "repo", "delete", "acme/part6/ubuntu/noble", "--yes", "--no-wait")
	s.does(t, 1, "distribution acme/part6/ubuntu/noble: it was deleted on ", "retain", "set", "acme/part6/ubuntu/noble", "--newest", "3")
	s.does(t, 0, "", "repo", "delete", "acme/part6", "--yes")
	for _, args := range [][]string{
		{"repo", "set", "acme/part6", "--visibility", "private"}, {"token", "create", "acme/part6", "ci", "--scope", "push"}, {"token", "create", "acme/part6", "other"},
		{"retain", "set", "acme/part6", "--newest", "3"}, {"snapshot", "schedule", "acme/part6", "daily"}, {"phase", jammy, "hello=1.0", "10%"},
		{"promote", from, jammy, "more", "--dry-run"}, {"promote", from, jammy, "more"}, {"yank", jammy, "hello", "--reason", "x"},
	} {
		s.does(t, 1, "repomill repo undelete brings it back", args...)
	}
	s.does(t, 0, "", "token", "revoke", "acme/part6", "host", "--no-wait")
}

// What was moved moves back. The reports of a repository do not name a private one to those who have no right in it.
func TestPromoteMovesBack(t *testing.T) {
	t.Parallel()
	s := shared(t)
	const a, b = "acme/moving7/ubuntu/jammy", "acme/secret7/ubuntu/jammy"
	deb := newDEB(t, debtest.Spec{})
	s.publish(t, a, deb)
	s.does(t, 0, "", "repo", "create", "acme/secret7", "--distribution", "ubuntu/jammy", "--visibility", "private")
	says(t, s.does(t, 0, "", "promote", "--move", a, b, "hello"), "published: hello 1.0 all", "withdrawn: hello 1.0 all")
	says(t, s.does(t, 5, "", "promote", "--move", b, a, "hello", "--to-public", "--dry-run"), "copy: hello 1.0 all", "it was withdrawn there, and comes back")
	says(t, s.does(t, 0, "", "promote", "--move", b, a, "hello", "--to-public"), "published: hello 1.0 all", "withdrawn: hello 1.0 all from "+b+"/main")
	says(t, s.does(t, 0, "", "ls", a), "hello")
	s.does(t, 0, "", "yank", a, "hello", "--reason", "bad", "--all")
	s.publish(t, "acme/other7/ubuntu/jammy", deb)
	says(t, s.does(t, 1, "", "promote", "acme/other7/ubuntu/jammy", a, "hel*", "--dry-run"), "withdrawn: hello 1.0 all") // a glob undoes no withdrawal
	says(t, s.does(t, 0, "", "promote", "acme/other7/ubuntu/jammy", a, "hello=1.0"), "published: hello 1.0 all")

	address := s.url + "/api/v1/repos/acme/moving7/status.json"
	one := visit(t, address, apiToken(t, s.data, "acme/moving7", "one", "push"))
	all := visit(t, address, apiToken(t, s.data, "acme", "all7", "push"))
	if one.status != http.StatusOK || strings.Contains(one.body, "secret7") || !strings.Contains(one.body, "hello 1.0 all from another repository, to be withdrawn there") {
		t.Errorf("a token of one repository sees %d %s", one.status, one.body)
	}
	if !strings.Contains(all.body, "acme/secret7/ubuntu/jammy/main") {
		t.Errorf("a token of the owner sees %d %s", all.status, all.body)
	}
	proctest.Eventually(t, "the bucket is sound", func() bool { return s.checkBucket("acme/moving7") == nil })
}
