package main_test

import (
	"database/sql"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"repomill/schemas/catalog"
	"repomill/schemas/catalogdb"
	"repomill/schemas/layout"
	"repomill/testdata/debtest"
	"repomill/testdata/proctest"
	"repomill/testdata/rpmtest"
)

// What a train holds is reserved without a word on its bytes; what is dropped is removed, and its name is free for other bytes.
func TestTrainDrop(t *testing.T) {
	t.Parallel()
	s := shared(t)
	const jammy, noble = "dropping/tools/ubuntu/jammy", "dropping/tools/ubuntu/noble"
	first, other := newDEB(t, debtest.Spec{Version: "1.0"}), newDEB(t, debtest.Spec{Version: "1.0", Size: 1000})
	kept := newDEB(t, debtest.Spec{Name: "kept"})
	a := repomill(t, "push", "--wait", "--staging", s.staging(), "--train", "1", jammy+","+noble, first.path, kept.path)
	if a.Code != 6 || !strings.Contains(a.Stdout, "4 packages: 4 held\n") ||
		strings.Count(a.Stderr, "held: it waits for release train dropping/1; dropping/tools is public: no index names the file yet, but its URL can be guessed and fetched\n") != 1 {
		t.Fatalf("push --train: %v", a)
	}
	for fact, push := range map[string]func() (proctest.Answer, []catalog.Verdict){
		"other bytes":                    func() (proctest.Answer, []catalog.Verdict) { return s.push(t, jammy, other) },
		"the same bytes":                 func() (proctest.Answer, []catalog.Verdict) { return s.push(t, jammy, first) },
		"the same bytes, another train":  func() (proctest.Answer, []catalog.Verdict) { return s.pushTrain(t, "2", jammy, first) },
		"other bytes, another component": func() (proctest.Answer, []catalog.Verdict) { return s.push(t, jammy+"/extra", other) },
	} {
		a, vs := push()
		if a.Code != 1 || len(vs) != 1 || vs[0].Reason != catalog.ReservedIdentity ||
			!strings.Contains(vs[0].Detail, "hello 1.0 all in dropping/tools/ubuntu/jammy/main is reserved: it waits for a release train of dropping; publish the train, drop the package from it, or raise the version") ||
			strings.Contains(a.Said(), first.sha256()[:16]) {
			t.Errorf("%s: %v", fact, a)
		}
	}
	s.hold(t, "1", jammy, first) // once more for the same train
	s.does(t, 1, "release train dropping/1 holds no nothing: repomill train show dropping/1 lists what it holds; nothing is changed", "train", "drop", "dropping/1", "nothing")
	files, err := filepath.Glob(s.data + "/bucket/dropping/tools/ubuntu/pool/*/main/h/hello/*")
	if err != nil || len(files) != 2 {
		t.Fatalf("%q, %v", files, err)
	}
	s.does(t, 5, "", "train", "drop", "dropping/1", "hello=1.0", "--dry-run")
	d := s.does(t, 0, "", "train", "drop", "dropping/1", "hello=1.0", "--why", "rebuilt", "--by", "kim")
	if !strings.HasSuffix(d.Stdout, "dropped from release train dropping/1: 3 uploads\n") || strings.Contains(d.Stdout, "kept") {
		t.Errorf("drop says %s", d.Stdout)
	}
	for _, f := range files {
		s.gone(t, strings.TrimPrefix(f, s.data+"/"))
	}
	for _, u := range s.status(t, "dropping/tools").Uploads {
		if u.Reason != catalog.DroppedFromTrain {
			continue
		}
		if u.Detail != "it was dropped from release train dropping/1: rebuilt" {
			t.Errorf("%+v", u)
		}
		s.gone(t, "staging/"+u.Object)
	}
	s.publish(t, jammy, other)
	s.hold(t, "1", noble, other)
	s.does(t, 5, "", "train", "plan", "dropping/1")
	if p := s.does(t, 5, "", "train", "publish", "dropping/1", "--dry-run"); !strings.Contains(p.Stdout, "missing: hello all in dropping/tools/ubuntu/jammy, which ubuntu/noble gets\n") {
		t.Errorf("the plan says %s", p.Stdout)
	}
	s.does(t, 0, "", "train", "publish", "dropping/1")
	s.does(t, 1, "release train dropping/1 is published already, and stays as it is", "train", "drop", "dropping/1")
	s.does(t, 0, "", "train", "drop", "dropping/2", "--rejected")
	if a := s.does(t, 0, "", "log", "dropping/tools"); !strings.Contains(a.Stdout, "train.drop") || !strings.Contains(a.Stdout, "rebuilt") {
		t.Errorf("the log says %s", a.Stdout)
	}
}

// A train goes by itself at its time, or says why it does not.
func TestTrainAt(t *testing.T) {
	t.Parallel()
	s := shared(t)
	const jammy, el9 = "timed/tools/ubuntu/jammy", "timed/tools/el/9"
	s.publish(t, jammy, newDEB(t, debtest.Spec{Version: "2.0"}))
	s.hold(t, "1", jammy, newDEB(t, debtest.Spec{Version: "1.0"}))
	s.hold(t, "1", el9, newRPM(t, rpmtest.Spec{}))
	if a, vs := s.pushTrain(t, "1", jammy, newDEB(t, debtest.Spec{Version: "2.0", Size: 100})); a.Code != 1 || vs[0].Reason != catalog.Conflict {
		t.Fatalf("a conflict: %v", a)
	}
	soon := func() string { return time.Now().UTC().Add(3 * time.Second).Format(time.RFC3339) }
	s.does(t, 1, "release train timed/1 cannot be published, and nothing is changed: ", "train", "publish", "timed/1")
	s.does(t, 2, "name a later time, or leave out --at", "train", "publish", "timed/1", "--at", "2020-01-01")
	s.does(t, 2, "use a time in UTC", "train", "publish", "timed/1", "--at", "noon")
	s.does(t, 2, "--at has no value: give it one, or leave it out", "train", "publish", "timed/1", "--at", "") // it does not go now
	s.does(t, 0, "until then: upload-", "train", "publish", "timed/1", "--at", soon())
	proctest.Eventually(t, "it did not go", func() bool { r := s.train(t, "timed/1"); return r.NotBefore == nil && len(r.Faults) == 1 })
	if r := s.train(t, "timed/1"); r.State != catalog.TrainOpen || !strings.Contains(r.Faults[0], "was rejected (conflict: ") || !strings.HasSuffix(r.Faults[0], "or leave it out with repomill train drop timed/1 --rejected") {
		t.Errorf("the train is %+v", r)
	}
	if a := s.does(t, 0, "", "status", "timed/tools"); !strings.Contains(a.Stdout, "train timed/1: holds 2 uploads\n  not published: ") {
		t.Errorf("status says %s", a.Stdout)
	}
	s.does(t, 0, "", "train", "drop", "timed/1", "--rejected")
	wantOldTrain(t, s, "timed")
	s.does(t, 0, "", "train", "publish", "timed/1", "--at", "2099-01-01")
	if a := s.does(t, 0, "", "train", "list", "timed"); !strings.HasPrefix(a.Stdout, "timed/1: open, holds 2 uploads, goes at 2099-01-01 00:00:00 UTC") {
		t.Errorf("list says %s", a.Stdout)
	}
	s.does(t, 0, "", "train", "publish", "timed/1", "--cancel")
	p := s.does(t, 5, "", "train", "plan", "timed/1")
	if want := "downgrade: hello 1.0 all in timed/tools/ubuntu/jammy/main is older than 2.0 there, which hosts keep\n"; !strings.Contains(p.Stdout, want) {
		t.Errorf("the plan says %s", p.Stdout)
	}
	s.does(t, 0, "", "train", "publish", "timed/1", "--at", soon())
	proctest.Eventually(t, "clients see it", func() bool {
		r := s.train(t, "timed/1")
		return r.Spread != nil && r.Spread.Whole() && r.Spread.Releases == 2
	})
	if got := lsVersions(t, s, jammy); !slices.Contains(got, "1.0") {
		t.Errorf("jammy lists %q", got)
	}
}

// What cannot be a train, or is none, is said in one sentence.
func TestTrainRefuses(t *testing.T) {
	t.Parallel()
	s := shared(t)
	for _, tt := range []struct {
		code int
		says string
		args []string
	}{
		{2, `train "19.5.0": use owner/train, such as acme/19.5.0`, []string{"train", "show", "19.5.0"}},
		{2, `train "a b": use 1 to 64 letters, digits`, []string{"train", "show", "acme/a b"}},
		{1, "there is no release train acme/none: push --train none opens it, and repomill train list acme lists what is", []string{"train", "publish", "acme/none"}},
		{1, "there is no release train acme/none", []string{"train", "drop", "acme/none"}},
		{1, "there is no release train acme/none", []string{"train", "plan", "acme/none"}},
		{1, "there is no release train acme/none", []string{"train", "publish", "--cancel", "acme/none"}},
		{2, "leave out --at and --dry-run", []string{"train", "publish", "--cancel", "--dry-run", "acme/none"}},
	} {
		s.does(t, tt.code, tt.says, tt.args...)
	}
	if a := repomill(t, "push", "--train", "19/5", "--staging", s.staging(), "acme/none/ubuntu/jammy", newDEB(t, debtest.Spec{}).path); a.Code != 2 || !strings.Contains(a.Stderr, `--train "19/5": use 1 to 64 letters`) {
		t.Errorf("push with a bad train: %v", a)
	}
}

// Killed anywhere around the publish of a train, the program shows all of it or nothing, and the next start ends it.
func TestL1TrainIsNeverHalf(t *testing.T) {
	t.Parallel()
	data := proctest.OpenDir(t)
	targets := []string{"acme/l1/ubuntu/jammy", "acme/l1/ubuntu/noble", "acme/l1/debian/trixie", "acme/l1rpm/el/9"}
	// Milliseconds after the wish, or, below zero, after the commit was seen.
	for round, pause := range []time.Duration{0, -1, -5, -20, -60, -200, 1000} {
		s := restart(t, data)
		train, version := fmt.Sprint(round), fmt.Sprintf("%d.0", round)
		for _, target := range targets {
			if strings.Contains(target, "/el/") {
				s.hold(t, train, target, newRPM(t, rpmtest.Spec{Version: version}), newRPM(t, rpmtest.Spec{Name: "common", Arch: "noarch", Version: version}))
				continue
			}
			s.hold(t, train, target, newDEB(t, debtest.Spec{Version: version}), newDEB(t, debtest.Spec{Name: "other", Version: version}))
		}
		before := s.status(t, "acme")
		s.does(t, 0, "recorded", "train", "publish", "acme/"+train, "--no-wait")
		if pause < 0 {
			proctest.Eventually(t, "the train is committed", func() bool { _, committed := s.activeOf(t, "acme/"+train); return committed })
		}
		time.Sleep(max(pause, -pause) * time.Millisecond)
		if err := s.Kill(); err != nil {
			t.Fatal(err)
		}
		n, committed := s.activeOf(t, "acme/"+train)
		if n != 0 && n != 2*len(targets) || committed != (n > 0) {
			t.Errorf("killed after %s, %d of %d packages are active; committed: %v", pause*time.Millisecond, n, 2*len(targets), committed)
		}
		if pause < 0 && !committed {
			t.Error("the commit is lost")
		}
		left := 0
		for _, r := range s.status(t, "acme").Releases {
			if r.Published < r.Revision {
				left++
			}
		}
		t.Logf("killed after %s: committed: %v, %d releases to publish", pause*time.Millisecond, committed, left)
		s = restart(t, data)
		s.does(t, 0, "", "train", "publish", "acme/"+train)
		if n, _ := s.activeOf(t, "acme/"+train); n != 2*len(targets) {
			t.Errorf("after the next start %d packages are active", n)
		}
		revisions := map[string]int64{}
		for _, r := range before.Releases {
			revisions[r.Release] = r.Revision
		}
		for _, r := range s.status(t, "acme").Releases {
			if r.Published != r.Revision || r.Revision > revisions[r.Release]+1 {
				t.Errorf("%s is at revision %d, published %d, and was at %d: one publish is enough", r.Release, r.Revision, r.Published, revisions[r.Release])
			}
		}
		if err := s.Stop(); err != nil {
			t.Fatal(err)
		}
		if err := s.checkBucket(); err != nil {
			t.Error(err)
		}
	}
}

// activeOf returns how many packages of a train are active, and whether it is committed.
func (s *site) activeOf(t *testing.T, name string) (n int, committed bool) {
	t.Helper()
	db, err := catalogdb.Open("sqlite://" + s.data + "/catalog.db")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	of, err := catalog.ParseTrainName(name)
	if err != nil {
		t.Fatal(err)
	}
	train, members, err := db.Train(t.Context(), of)
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range members {
		if m.Package == nil {
			t.Errorf("%s has no package", layout.ShownStaging(m.Upload.Object))
		} else if m.Package.State == catalog.Active {
			n++
		}
	}
	return n, train.State == catalog.TrainGone
}

// 54 packages for 6 codenames are 6 publishes.
func TestTrainOf54PackagesFor6Codenames(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	codenames := []string{"ubuntu/jammy", "ubuntu/noble", "ubuntu/focal", "debian/bullseye", "debian/bookworm", "debian/trixie"}
	var targets []string
	for _, c := range codenames {
		targets = append(targets, "acme/bar/"+c)
	}
	s.publish(t, strings.Join(targets[:1], ","), newDEB(t, debtest.Spec{Name: "before"}))
	for _, target := range targets[1:] {
		s.publish(t, target, newDEB(t, debtest.Spec{Name: "before"}))
	}
	var files []packageFile
	for i := range 54 {
		files = append(files, newDEB(t, debtest.Spec{Name: fmt.Sprintf("p%02d", i), Arch: "amd64", Size: 1000}))
	}
	s.hold(t, "19.5.0", strings.Join(targets, ","), files...)
	before := map[string]int64{}
	for _, r := range s.status(t, "acme/bar").Releases {
		before[r.Release] = r.Revision
	}
	start := time.Now()
	a := s.does(t, 0, "", "train", "publish", "acme/19.5.0")
	t.Logf("324 packages after %s: %s", time.Since(start).Round(time.Millisecond), a.Stdout)
	publishes := int64(0)
	for _, r := range s.status(t, "acme/bar").Releases {
		publishes += r.Published - before[r.Release]
		if r.Packages != 55 {
			t.Errorf("%s has %d packages, want 55", r.Release, r.Packages)
		}
	}
	if publishes != 6 || len(before) != 6 {
		t.Errorf("%d publishes of %d releases, want 6", publishes, len(before))
	}
}

// What is pushed to a server for a train is held, by the program and by curl.
func TestTrainThroughTheServer(t *testing.T) {
	t.Parallel()
	proctest.Need(t, "curl")
	s := shared(t)
	token := apiToken(t, s.data, "served", "ci", "push")
	file := newFile(t, "token", []byte(token+"\n")).path
	first, second := newDEB(t, debtest.Spec{}), newDEB(t, debtest.Spec{Name: "other"})
	a := repomill(t, "push", "--wait", "--json", "--server", s.url, "--token-file", file, "--train", "1", "served/tools/ubuntu/jammy", first.path)
	if vs := verdicts(t, a.Stdout); a.Code != 6 || len(vs) != 1 || vs[0].State != catalog.Held {
		t.Errorf("push --server: %v", a)
	}
	url := s.url + "/api/v1/upload/served/tools/ubuntu/jammy/?wait=30s"
	if status, body := curl(t, "-T", second.path, "-u", token+":", "-H", "Repomill-Train: 1", strings.Replace(url, "?", "second.deb?", 1)); status != "202" || !strings.Contains(body, `"state":"held"`) {
		t.Errorf("curl: %s %s", status, body)
	}
	if status, body := curl(t, "-T", second.path, "-u", token+":", "-H", "Repomill-Train: a b", strings.Replace(url, "?", "second.deb?", 1)); status != "422" || !strings.Contains(body, "Repomill-Train: use one value") {
		t.Errorf("curl with a bad train: %s %s", status, body)
	}
	s.does(t, 0, "", "train", "publish", "served/1")
	if got := len(lsVersions(t, s, "served/tools/ubuntu/jammy")); got != 2 {
		t.Errorf("%d packages are listed, want 2", got)
	}
}

// wantOldTrain demands that a train of an owner is named as one that may have been forgotten, once it is open for long.
func wantOldTrain(t *testing.T, s *site, owner string) {
	t.Helper()
	old := func() (names []string) {
		trains, err := s.openCatalog(t).OldTrains(t.Context(), time.Now())
		if err != nil {
			t.Fatal(err)
		}
		for _, o := range trains {
			if o.Train.Owner == owner {
				names = append(names, o.Train.String())
			}
		}
		return names
	}
	if names := old(); len(names) > 0 {
		t.Errorf("%v are old", names)
	}
	db, err := sql.Open("sqlite", "file:"+filepath.Join(s.data, "catalog.db")+"?_pragma=busy_timeout(20000)")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.ExecContext(t.Context(), `UPDATE trains SET opened_at = opened_at - ? WHERE owner = ?`, (40 * 24 * time.Hour).Milliseconds(), owner); err != nil {
		t.Fatal(err)
	}
	if names := old(); len(names) != 1 {
		t.Errorf("%v are old, want one", names)
	}
	says(t, s.does(t, 0, "", "status", owner+"/tools"), ", open for 40d: repomill train publish or train drop ends it, and until then its files stay in staging")
}
