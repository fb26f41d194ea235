package main_test

import (
	"os"
	"path/filepath"
	"testing"

	"repomill/schemas/catalog"
	"repomill/testdata/debtest"
	"repomill/testdata/proctest"
)

// After the loss of the catalog, what was rejected because a train holds its name stays rejected, also if it is met before what the train
// holds.
func TestRejectionOutlivesTheCatalog(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	const jammy = "acme/robbed/ubuntu/jammy"
	s.publish(t, jammy, newDEB(t, debtest.Spec{Name: "first"}))
	held := s.embargo(t, "robbed", jammy, newDEB(t, debtest.Spec{Name: "robbed"}))[0]
	other := newDEB(t, debtest.Spec{Name: "robbed", Files: map[string]string{"usr/share/other": "bytes"}})
	a, vs := s.push(t, jammy, other)
	if a.Code != 1 || len(vs) != 1 || vs[0].Reason != catalog.ReservedIdentity {
		t.Fatalf("what the train holds is pushed with other bytes: %v", a)
	}
	if err := s.Stop(); err != nil {
		t.Fatal(err)
	}
	loseCatalog(t, s.data)
	staged, aside := filepath.Join(s.data, "staging", held.Object), filepath.Join(t.TempDir(), "held.deb")
	if err := os.Rename(staged, aside); err != nil {
		t.Fatal(err)
	}
	s = restart(t, s.data)
	s.untilDeclared(t, "acme/robbed")
	rejected := func() []string {
		var all []string
		for _, u := range s.status(t, "acme/robbed").Uploads {
			if u.Object == vs[0].Object {
				all = append(all, string(u.State)+" "+string(u.Reason))
			}
		}
		return all
	}
	proctest.Until(t, "the upload is known again", rejected, func(all []string) bool { return len(all) == 1 && all[0] == "rejected reserved" })
	if err := os.Rename(aside, staged); err != nil {
		t.Fatal(err)
	}
	proctest.Eventually(t, "the package is held again", func() bool {
		return repomill(t, "train", "show", "acme/robbed", "--data", s.data).Code == 0 && s.train(t, "acme/robbed").Held == 1
	})
	s.does(t, 0, "", "train", "publish", "acme/robbed")
	if a, vs := s.push(t, jammy, other); a.Code != 1 || len(vs) != 1 || vs[0].Reason != catalog.Conflict {
		t.Errorf("after its publish, other bytes are %v", a)
	}
}
