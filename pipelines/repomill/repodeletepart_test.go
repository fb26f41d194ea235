package main_test

import (
	"slices"
	"strings"
	"testing"

	"repomill/testdata/debtest"
	"repomill/testdata/proctest"
	"repomill/testdata/rpmtest"
)

// Real apt sees a deleted component without packages, and the others as they were, then a Release without it.
func TestRepoDeleteComponent(t *testing.T) {
	t.Parallel()
	proctest.Need(t, "apt-get")
	s := shared(t)
	const jammy, contrib = "acme/part1/ubuntu/jammy", "acme/part1/ubuntu/jammy/contrib"
	deb, other := newDEB(t, debtest.Spec{Arch: "amd64"}), newDEB(t, debtest.Spec{Name: "other", Arch: "amd64"})
	s.publish(t, jammy, deb)
	s.publish(t, contrib, deb, other) // one has the same bytes in both
	client := newApt(t, "amd64")
	client.Source(t, "sources", string(s.fetch(t, "acme/part1/ubuntu/jammy.sources")))
	client.Update(t)

	says(t, s.does(t, 5, "", "repo", "delete", contrib, "--dry-run"), contrib+": 2 packages would be withdrawn; after 30 days, 2 files of ")
	s.does(t, 1, "the name is not "+contrib, "repo", "delete", contrib)
	says(t, s.does(t, 0, "", "repo", "delete", contrib, "--yes", "--by", "jo", "--why", "moved"), contrib+": it was deleted on ", "2 packages withdrawn")
	client.Update(t) // without a word
	if got := client.versions(t, "other"); len(got) > 0 {
		t.Errorf("apt knows versions %q", got)
	}
	if got := client.download(t, "hello"); !slices.Equal(got, []string{deb.sha256()}) {
		t.Errorf("apt got %q, want %s", got, deb.sha256())
	}
	if a, verdicts := s.push(t, contrib, newDEB(t, debtest.Spec{Name: "late"})); a.Code != 1 || len(verdicts) != 1 || !strings.HasPrefix(verdicts[0].Detail, "component "+contrib+" takes no packages: it was deleted on ") {
		t.Errorf("a push: %v", a)
	}
	s.does(t, 1, "it is the only component of its distribution; repomill repo delete "+jammy+" deletes that", "repo", "delete", jammy+"/main", "--yes")
	s.does(t, 1, "it has contrib, main", "repo", "delete", jammy+"/none", "--yes")
	says(t, s.does(t, 0, "", "repo", "list", "acme/part1"), "  ubuntu/jammy/contrib: it was deleted on ")
	says(t, s.does(t, 0, "", "repo", "undelete", contrib), contrib+": clients see 2 packages\n")
	client.Update(t)
	if got := client.versions(t, "other"); !slices.Equal(got, []string{"1.0"}) {
		t.Errorf("apt knows versions %q", got)
	}

	s.does(t, 0, "", "repo", "delete", contrib, "--yes", "--undo-period", "0s")
	proctest.Eventually(t, "all objects are removed", func() bool {
		left := slices.DeleteFunc(s.objects(t, "acme/part1/"), func(key string) bool {
			return !strings.Contains(key, "/contrib/") || strings.Contains(key, "/by-hash/")
		})
		return len(left) == 0
	})
	says(t, s.does(t, 0, "", "repo", "list", "acme/part1"), "its objects are being removed", "  ubuntu/jammy: main ")
	proctest.Eventually(t, "new clients are not given the component", func() bool {
		return !strings.Contains(string(s.fetch(t, "acme/part1/ubuntu/jammy.sources")), "contrib")
	})
	client.Source(t, "sources", string(s.fetch(t, "acme/part1/ubuntu/jammy.sources"))) // with the component, apt warns
	client.Update(t)
	if got := client.download(t, "hello"); !slices.Equal(got, []string{deb.sha256()}) {
		t.Errorf("apt got %q, want %s", got, deb.sha256())
	}
	if err := s.checkBucket("acme/part1"); err != nil {
		t.Error(err)
	}
}

// A distribution goes, and the others stay as they are; a snapshot that names it keeps it until the snapshot is deleted.
func TestRepoDeleteDistribution(t *testing.T) {
	t.Parallel()
	s := shared(t)
	const el9 = "acme/part2/el/9"
	s.publish(t, "acme/part2/ubuntu/jammy", newDEB(t, debtest.Spec{Arch: "amd64"}))
	s.publish(t, el9, newRPM(t, rpmtest.Spec{Arch: "noarch"}))
	s.does(t, 0, "", "snapshot", "create", "acme/part2", "--name", "keep")
	says(t, s.does(t, 5, "", "repo", "delete", el9, "--dry-run"), "a snapshot has it, and it stays until that is deleted")
	s.does(t, 2, "RPM distributions have no components", "repo", "delete", el9+"/main", "--yes")
	s.does(t, 1, "does not have distribution el/8", "repo", "delete", "acme/part2/el/8", "--yes")
	says(t, s.does(t, 0, "", "repo", "delete", el9, "--yes", "--undo-period", "0s", "--json"), `"target":"acme/part2/el/9","packages":1`)
	d := newDnf(t, string(s.fetch(t, "acme/part2/el/9.repo")))
	if got := d.query(t, "x86_64", "--available"); !slices.Equal(got, []string{""}) {
		t.Errorf("dnf knows %q", got)
	}
	s.does(t, 1, "repomill repo undelete brings it back", "repo", "set", "acme/part2", "--distribution", "el/9")
	s.does(t, 1, "distribution acme/part2/el/9: it was deleted on ", "snapshot", "create", el9)
	says(t, s.does(t, 0, "", "snapshot", "create", "acme/part2", "--name", "after"), "1 release")
	if left := s.objects(t, "acme/part2/el/9/x86_64/"); len(left) == 0 {
		t.Error("the files that a snapshot names are removed")
	}
	s.does(t, 0, "", "snapshot", "delete", "acme/part2", "keep")
	proctest.Eventually(t, "all objects are removed", func() bool { return len(s.objects(t, "acme/part2/el/9")) == 0 })
	s.does(t, 1, "its objects are being removed", "repo", "undelete", el9)
	s.does(t, 1, "its objects are being removed", "repo", "set", "acme/part2", "--distribution", "el/9")
	says(t, s.does(t, 0, "", "ls", "acme/part2/ubuntu/jammy"), "hello")
	if err := s.checkBucket("acme/part2"); err != nil {
		t.Error(err)
	}
}

// A distribution that was a mistake goes at once, and can be declared again.
func TestRepoDeleteDistributionOfAMistake(t *testing.T) {
	t.Parallel()
	s := shared(t)
	s.does(t, 0, "", "repo", "create", "acme/part3", "--distribution", "ubuntu/jammy", "--distribution", "debian/bookworm", "--component", "contrib")
	says(t, s.does(t, 0, "", "repo", "delete", "acme/part3/debian/bookworm", "--yes"), "acme/part3/debian/bookworm is deleted: it had no package")
	says(t, s.does(t, 0, "", "repo", "set", "acme/part3", "--distribution", "ubuntu/jammy", "--remove-component", "contrib"), "  ubuntu/jammy: main ")
	proctest.Eventually(t, "they are gone", func() bool {
		a := s.does(t, 0, "", "repo", "list", "acme/part3")
		return !strings.Contains(a.Stdout, "bookworm") && !strings.Contains(a.Stdout, "contrib") && len(s.objects(t, "acme/part3/debian")) == 0
	})
	s.does(t, 0, "", "repo", "set", "acme/part3", "--distribution", "debian/bookworm")
	s.publish(t, "acme/part3/debian/bookworm", newDEB(t, debtest.Spec{}))
	s.does(t, 1, "does not have distribution el/9", "repo", "undelete", "acme/part3/el/9")
	if err := s.checkBucket("acme/part3"); err != nil {
		t.Error(err)
	}
}
