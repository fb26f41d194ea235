package main_test

import (
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"repomill/schemas/catalog"
	"repomill/testdata/debtest"
	"repomill/testdata/proctest"
	"repomill/testdata/rpmtest"
)

// hold pushes files for a train, which have to be held.
func (s *site) hold(t *testing.T, train, target string, files ...packageFile) []catalog.Verdict {
	t.Helper()
	a, vs := s.pushTrain(t, train, target, files...)
	for _, v := range vs {
		if v.State != catalog.Held || v.Finished != nil || len(v.Releases) > 0 {
			t.Errorf("%+v is not held", v)
		}
	}
	if a.Code != 6 || len(vs) != len(files)*len(strings.Split(target, ",")) {
		t.Fatalf("push --train to %s: %v", target, a)
	}
	return vs
}

func (s *site) pushTrain(t *testing.T, train, target string, files ...packageFile) (proctest.Answer, []catalog.Verdict) {
	t.Helper()
	args := []string{"push", "--wait", "--json", "--timeout", "3m", "--staging", s.staging(), "--train", train, target}
	for _, f := range files {
		args = append(args, f.path)
	}
	a := repomill(t, args...)
	return a, verdicts(t, a.Stdout)
}

// A shownTrain is what `repomill train show --json` prints.
type shownTrain struct {
	State     catalog.TrainState
	NotBefore *time.Time `json:"not_before"`
	Faults    []string
	Held      int
	Uploads   []struct {
		State  catalog.UploadState
		Reason catalog.Reason
	}
	Spread *catalog.TrainSpread
}

func (s *site) train(t *testing.T, name string) (r shownTrain) {
	t.Helper()
	a := s.does(t, 0, "", "train", "show", "--json", name)
	if err := json.Unmarshal([]byte(a.Stdout), &r); err != nil {
		t.Fatalf("%v, %v", err, a)
	}
	return r
}

// What is pushed for a train is seen by no client until the train is published, and then by all: apt and dnf.
func TestTrainIsAllOrNothing(t *testing.T) {
	t.Parallel()
	proctest.Need(t, "apt-get")
	proctest.Need(t, "dnf")
	s := newSite(t)
	const deb, rpm = "acme/debs/ubuntu/jammy", "acme/rpms/el/9"
	s.publish(t, deb, newDEB(t, debtest.Spec{Version: "1.0"}))
	s.publish(t, deb[:len(deb)-5]+"noble", newDEB(t, debtest.Spec{Version: "1.0"}))
	s.publish(t, rpm, newRPM(t, rpmtest.Spec{Version: "1.0"}))
	a := newApt(t, "amd64")
	a.Source(t, "sources", string(s.fetch(t, deb+".sources")))
	repo := string(s.fetch(t, rpm+".repo"))
	see := func(when string, debs, rpms []string) {
		t.Helper()
		a.Update(t)
		if diff := cmp.Diff(debs, slices.Compact(a.versions(t, "hello"))); diff != "" {
			t.Errorf("%s apt sees (-want +got):\n%s", when, diff)
		}
		if diff := cmp.Diff(rpms, newDnf(t, repo).query(t, "x86_64")); diff != "" {
			t.Errorf("%s dnf sees (-want +got):\n%s", when, diff)
		}
	}
	revisions := func() (all []string) {
		for _, r := range s.status(t, "acme").Releases {
			all = append(all, fmt.Sprint(r.Release, r.Revision))
		}
		return all
	}
	hello := newDEB(t, debtest.Spec{Version: "2.0", Arch: "amd64"})
	s.hold(t, "2.0", deb+",acme/debs/ubuntu/noble", hello, newDEB(t, debtest.Spec{Name: "common"}))
	before := revisions()
	s.hold(t, "2.0", rpm, newRPM(t, rpmtest.Spec{Version: "2.0"}), newRPM(t, rpmtest.Spec{Name: "common", Arch: "noarch"}))
	if diff := cmp.Diff(before, revisions()); diff != "" {
		t.Errorf("what is held issues revisions (-before +after):\n%s", diff)
	}
	see("held:", []string{"1.0"}, []string{"hello-0:1.0-1.x86_64"})

	t.Run("a file that is missing keeps all back, and the reason is said", func(t *testing.T) {
		key := "bucket/acme/debs/ubuntu/pool/jammy/main/h/hello/hello_2.0_amd64.deb"
		if err := os.Rename(s.data+"/"+key, s.data+"/kept"); err != nil {
			t.Fatal(err)
		}
		s.does(t, 1, "nothing is changed: the file of hello 2.0 amd64 in acme/debs/ubuntu/jammy/main is missing from the published bucket", "train", "publish", "acme/2.0")
		if diff := cmp.Diff(before, revisions()); diff != "" {
			t.Errorf("it issues revisions (-before +after):\n%s", diff)
		}
		if r := s.train(t, "acme/2.0"); r.State != catalog.TrainOpen || r.NotBefore != nil || len(r.Faults) != 1 || r.Held != 6 {
			t.Errorf("the train is %+v", r)
		}
		if err := os.Rename(s.data+"/kept", s.data+"/"+key); err != nil {
			t.Fatal(err)
		}
	})
	see("refused:", []string{"1.0"}, []string{"hello-0:1.0-1.x86_64"})

	plan := s.does(t, 5, "", "train", "plan", "acme/2.0")
	for _, line := range []string{deb + ": 2 packages would come", "  hello 2.0 amd64 in main, ", "acme/rpms/el/9/aarch64: 1 package would come", "acme/2.0: 6 packages in 4 releases"} {
		if !strings.Contains(plan.Stdout, line) {
			t.Errorf("the plan lacks %q:\n%s", line, plan.Stdout)
		}
	}
	done := s.does(t, 0, "", "train", "publish", "acme/2.0", "--why", "release day", "--by", "kim")
	if !strings.Contains(done.Stdout, "published: release train acme/2.0\nclients see 4 of 4 releases; ") || !strings.HasSuffix(done.Stdout, " ms lie between the first and the last pointer\n") {
		t.Errorf("publish says %s", done.Stdout)
	}
	see("published:", []string{"2.0", "1.0"}, []string{"common-0:1.0-1.noarch", "hello-0:1.0-1.x86_64", "hello-0:2.0-1.x86_64"})
	if got, want := a.download(t, "hello=2.0"), []string{hello.sha256()}; !cmp.Equal(got, want) {
		t.Errorf("apt downloads %q, want %q", got, want)
	}
	for _, r := range s.status(t, "acme").Releases {
		if n := r.Revision; r.Published != n || !slices.ContainsFunc(before, func(b string) bool {
			return b == fmt.Sprint(r.Release, n-1) || b == fmt.Sprint(r.Release, n) && strings.HasSuffix(r.Release, "SRPMS")
		}) {
			t.Errorf("%+v: want one publish more than in %q", r, before)
		}
	}
	for _, v := range s.status(t, "acme").Uploads {
		if v.State != catalog.Published {
			t.Errorf("%+v is not published", v)
		}
		proctest.Eventually(t, "its verdict says so", func() bool { got, _ := s.verdict(t, v.Object); return got.State == catalog.Published })
	}
	if a := s.does(t, 0, "", "log", "acme/rpms"); !strings.Contains(a.Stdout, "train.publish") || !strings.Contains(a.Stdout, "train acme/2.0 (2 packages)") || !strings.Contains(a.Stdout, "release day") {
		t.Errorf("the log says %s", a.Stdout)
	}
	s.does(t, 0, "", "train", "publish", "acme/2.0") // a repeat waits for what is there
	if late, vs := s.pushTrain(t, "2.0", deb, newDEB(t, debtest.Spec{Name: "late"})); late.Code != 1 || vs[0].Reason != catalog.TrainPublished {
		t.Errorf("a late push: %v", late)
	}
}
