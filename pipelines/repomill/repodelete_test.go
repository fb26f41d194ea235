package main_test

import (
	"encoding/json"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"repomill/testdata/debtest"
	"repomill/testdata/proctest"
	"repomill/testdata/rpmtest"
)

// Real apt and dnf see a deleted repository as an empty, signed one, and what comes back as it was.
func TestRepoDelete(t *testing.T) {
	t.Parallel()
	proctest.Need(t, "apt-get")
	s := shared(t)
	const jammy = "acme/gone1/ubuntu/jammy"
	deb := newDEB(t, debtest.Spec{Arch: "amd64"})
	s.publish(t, jammy, deb)
	s.publish(t, "acme/gone1/el/9", newRPM(t, rpmtest.Spec{Arch: "noarch"}))
	client := newApt(t, "amd64")
	client.Source(t, "sources", string(s.fetch(t, "acme/gone1/ubuntu/jammy.sources")))
	client.Update(t)

	says(t, s.does(t, 5, "", "repo", "delete", "acme/gone1", "--dry-run"), "acme/gone1: 2 packages in 2 distributions would be withdrawn; after 30 days, 2 files of ")
	s.does(t, 1, "the name is not acme/gone1: nothing is changed", "repo", "delete", "acme/gone1") // the standard input is empty
	if got := client.versions(t, "hello"); !slices.Equal(got, []string{"1.0"}) {
		t.Errorf("before, apt knows versions %q", got)
	}
	says(t, s.does(t, 0, "", "repo", "delete", "acme/gone1", "--yes", "--by", "jo", "--why", "replaced"), "acme/gone1: it was deleted on ", "repomill repo undelete brings it back; 2 packages withdrawn")
	client.Update(t) // without a word
	if got := client.versions(t, "hello"); len(got) > 0 {
		t.Errorf("apt knows versions %q", got)
	}
	d := newDnf(t, string(s.fetch(t, "acme/gone1/el/9.repo")))
	if got := d.query(t, "x86_64", "--available"); !slices.Equal(got, []string{""}) {
		t.Errorf("dnf knows %q", got)
	}
	if err := s.checkBucket("acme/gone1"); err != nil {
		t.Error(err)
	}
	a, verdicts := s.push(t, jammy, newDEB(t, debtest.Spec{Name: "late"}))
	if a.Code != 1 || len(verdicts) != 1 || !strings.HasPrefix(verdicts[0].Detail, "repository acme/gone1 takes no packages: it was deleted on ") {
		t.Errorf("a push: %v", a)
	}
	s.does(t, 1, "repomill repo undelete brings it back", "repo", "create", "acme/gone1")
	s.does(t, 1, "repomill repo undelete brings it back", "unyank", jammy, "hello=1.0")
	says(t, s.does(t, 0, "", "repo", "delete", "acme/gone1", "--yes"), "2 packages withdrawn")
	says(t, s.does(t, 0, "", "repo", "list"), "(deleted; empty until ")

	says(t, s.does(t, 0, "", "repo", "undelete", "acme/gone1"), "acme/gone1: clients see 2 packages\n")
	client.Update(t)
	if got := client.download(t, "hello"); !slices.Equal(got, []string{deb.sha256()}) {
		t.Errorf("apt got %q, want %s", got, deb.sha256())
	}
	s.publish(t, jammy, newDEB(t, debtest.Spec{Name: "later"}))
	says(t, s.does(t, 0, "", "log", "acme/gone1"), "  jo  repo.delete  acme/gone1  2 packages withdrawn; can be undone until ", "(replaced)", "repo.undelete  acme/gone1  2 packages are back")
}

// A plan of a deletion is done as it is, or not at all: packages, snapshots and files count.
func TestRepoDeletePlan(t *testing.T) {
	t.Parallel()
	s := shared(t)
	const jammy = "acme/goneplan/ubuntu/jammy"
	s.publish(t, jammy, newDEB(t, debtest.Spec{Name: "a"}), newDEB(t, debtest.Spec{Name: "b"}))
	plan := filepath.Join(t.TempDir(), "plan.json")
	dryRun := func(says string) {
		t.Helper()
		a := s.does(t, 5, "repomill apply makes it so", "repo", "delete", "acme/goneplan", "--undo-period", "240h", "--dry-run", "--plan", plan)
		if !strings.Contains(a.Stdout, says) || !strings.Contains(a.Stdout, "  withdraw: a 1.0 all in main, ") {
			t.Errorf("the dry run says %s, want %q", a.Stdout, says)
		}
	}
	s.does(t, 2, "add --dry-run", "repo", "delete", "acme/goneplan", "--plan", plan)
	s.does(t, 0, "", "repo", "create", "acme/goneempty", "--distribution", "ubuntu/jammy")
	says(t, s.does(t, 5, "", "repo", "delete", "acme/goneempty", "--dry-run"), "acme/goneempty has no package, and would be removed at once")
	s.does(t, 0, "", "repo", "delete", "acme/goneempty", "--yes")
	says(t, s.does(t, 0, "", "repo", "delete", "acme/goneempty", "--dry-run"), "acme/goneempty is deleted already: repo delete would change nothing")
	s.does(t, 1, "acme/goneempty is deleted already, and there is nothing to plan: it was deleted on ", "repo", "delete", "acme/goneempty", "--dry-run", "--plan", plan+"2")
	dryRun("packages: 2, releases: 1, bytes: ")
	s.publish(t, jammy, newDEB(t, debtest.Spec{Name: "c"}))
	s.does(t, 1, "nothing was changed: new: withdraw c 1.0 all in "+jammy, "apply", plan)
	dryRun("; after 10 days, 3 files of ")
	s.does(t, 0, "", "snapshot", "create", "acme/goneplan", "--name", "last")
	s.does(t, 1, "the packages are those of the plan, and now after 10 days, 3 files of ", "apply", plan)
	if n := s.status(t, jammy).Releases[0].Packages; n != 3 {
		t.Errorf("%d packages stay, want 3", n)
	}
	dryRun(", 1 distribution, 1 snapshot, 0 read tokens and all pages")
	for range 2 { // a repeat changes nothing
		says(t, s.does(t, 0, "", "apply", plan, "--by", "jo", "--why", "end of life"), "acme/goneplan: it was deleted on ", "3 packages withdrawn")
	}
	if log := s.does(t, 0, "", "log", "acme/goneplan").Stdout; strings.Count(log, "  jo  repo.delete  acme/goneplan  3 packages withdrawn") != 1 || !strings.Contains(log, "(end of life)") {
		t.Errorf("the log says %s", log)
	}
}

// After its time, nothing is left of a repository but its settings. The name is kept.
func TestRepoDeleteRemoves(t *testing.T) {
	t.Parallel()
	s := shared(t)
	s.publish(t, "acme/gone2/ubuntu/jammy", newDEB(t, debtest.Spec{Arch: "amd64"}))
	s.publish(t, "acme/gone2/el/9", newRPM(t, rpmtest.Spec{Arch: "noarch"}))
	proctest.Eventually(t, "the repository has pages", func() bool { return strings.Contains(s.page(t, "index.html"), "acme/gone2") })
	s.does(t, 0, "", "repo", "delete", "acme/gone2", "--yes", "--undo-period", "0s", "--no-wait")
	proctest.Eventually(t, "all objects are removed", func() bool {
		left := s.objects(t, "acme/gone2/")
		return slices.Equal(left, []string{".repomill/acme/gone2.json"}) && s.deletion(t, "acme/gone2").Removed != ""
	})
	if strings.Contains(s.page(t, "index.html"), "acme/gone2") {
		t.Error("the list of repositories has it")
	}
	for _, args := range [][]string{{"undelete", "acme/gone2"}, {"create", "acme/gone2", "--reuse-deleted-name"}, {"set", "acme/gone2", "--description", "x"}} {
		s.does(t, 1, "its objects are being removed", append([]string{"repo"}, args...)...)
	}
	s.does(t, 1, "", "ls", "acme/gone2/ubuntu/jammy")
}

// A name that was a mistake is free again at once, for those who say that they know.
func TestRepoDeleteOfAMistake(t *testing.T) {
	t.Parallel()
	s := shared(t)
	s.does(t, 0, "", "repo", "create", "acme/typo3", "--distribution", "ubuntu/jammy", "--origin", "Acme", "--label", "Tools")
	says(t, s.does(t, 0, "", "repo", "delete", "acme/typo3", "--yes"), "and its objects are removed; repomill repo create --reuse-deleted-name takes the name again")
	if left := s.objects(t, "acme/typo3"); !slices.Equal(left, []string{".repomill/acme/typo3.json"}) {
		t.Errorf("left is %q", left)
	}
	s.does(t, 1, "--reuse-deleted-name", "repo", "create", "acme/typo3")
	s.does(t, 1, "no repository acme/never3 was deleted", "repo", "create", "acme/never3", "--reuse-deleted-name")
	s.does(t, 2, "leave out --origin and --label", "repo", "create", "acme/typo3", "--reuse-deleted-name", "--label", "x")
	says(t, s.does(t, 0, "", "repo", "create", "acme/typo3", "--reuse-deleted-name", "--distribution", "ubuntu/jammy"), `acme/typo3: public, origin "Acme", label "Tools"`)
	s.publish(t, "acme/typo3/ubuntu/jammy", newDEB(t, debtest.Spec{}))
	s.does(t, 1, "repository acme/none3 is not declared", "repo", "delete", "acme/none3", "--yes")
}

// page returns a page of the bucket.
func (s *site) page(t *testing.T, key string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(s.data, "bucket", key))
	if err != nil {
		return ""
	}
	return string(b)
}

// objects returns the keys of the bucket that contain a text.
func (s *site) objects(t *testing.T, text string) (keys []string) {
	t.Helper()
	root := filepath.Join(s.data, "bucket")
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if os.IsNotExist(err) {
			return nil // it was removed since it was listed
		}
		key, _ := filepath.Rel(root, path)
		if err == nil && !d.IsDir() && (strings.Contains(key, text) || strings.Contains(key, strings.TrimSuffix(text, "/")+".json")) {
			keys = append(keys, key)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(keys)
	return keys
}

// deletion returns what repo list says of a deletion.
func (s *site) deletion(t *testing.T, repository string) (got struct{ Removed string }) {
	t.Helper()
	var list struct{ Deleted *struct{ Removed string } }
	a := s.does(t, 0, "", "repo", "list", repository, "--json")
	if err := json.Unmarshal([]byte(a.Stdout), &list); err != nil {
		t.Fatal(err)
	}
	if list.Deleted != nil {
		got = *list.Deleted
	}
	return got
}

// says fails unless a program printed texts.
func says(t *testing.T, a proctest.Answer, texts ...string) {
	t.Helper()
	for _, text := range texts {
		if !strings.Contains(a.Stdout, text) {
			t.Errorf("got %v, want %q", a, text)
		}
	}
}
