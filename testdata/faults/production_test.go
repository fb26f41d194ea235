package faults_test

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"repomill/pipelines"
	"repomill/schemas/catalog"
	"repomill/schemas/catalogdb"
	"repomill/testdata/debtest"
	"repomill/testdata/faults"
	"repomill/testdata/mysqltest"
	"repomill/testdata/s3test"
)

// A step is something that is done with one package of a site on S3 and MySQL. To copy such a site costs more
// than to go on with it: each fault has a package of its own.
type step struct {
	name    string
	release string
	prepare func(s *site, name string) error // without a fault
	do      func(s *site, name string) error // a repeat does the rest
	there   bool                             // whether clients see the package afterwards
}

const collected = "what was yanked is collected"

var steps = []step{
	{"a DEB comes", jammy, stageDEB, func(s *site, _ string) error { return s.ingest() }, true},
	{"a noarch RPM comes", el9, stageRPM, func(s *site, _ string) error { return s.ingest() }, true},
	{"a DEB is yanked", jammy, pushDEB, yankDEB, false},
	{"a reindex finds something to publish", jammy, func(s *site, name string) error { return errors.Join(pushDEB(s, name), withdraw(s, name)) },
		func(s *site, _ string) error { return reindex(s, catalogdb.FromRows, false) }, false},
	{"settings change", jammy, pushDEB, changeSettings, true},
	{"a DEB moves to another distribution", noble, pushDEB, asking(promoteOne), true},
	{"a release train is published", jammy, holdDEB, asking(func(s *site, name string) error {
		return s.Catalog.AskTrain(s.as(), catalog.TrainName{Owner: "acme", Name: name}, catalogdb.TrainAsk{})
	}), true},
	{"a DEB is dropped from its release train", jammy, holdDEB, asking(func(s *site, name string) error {
		_, err := s.Catalog.DropTrain(s.as(), catalog.TrainName{Owner: "acme", Name: name}, catalogdb.TrainDrop{All: true})
		return err
	}), false},
	{"a DEB is for a part of the hosts", jammy, pushDEB, asking(phaseOne), true},
	{collected, jammy, doom, func(s *site, _ string) error { return sweepTwice(s) }, false},
}

func stageDEB(s *site, name string) error { s.putDEB(name); return nil }
func stageRPM(s *site, name string) error { s.putRPM(name, "noarch"); return nil }

func pushDEB(s *site, name string) error {
	s.putDEB(name)
	return s.ingest()
}

// holdDEB pushes a package for a release train of its name.
func holdDEB(s *site, name string) error {
	s.put(forTrain(jammy, name, name+".deb"), debtest.Build(s.t, debtest.Spec{Name: name, Arch: "amd64"}))
	return s.ingest()
}

// asking returns what asks for something, unless the audit log has that already, and then does what workers do.
func asking(ask func(s *site, name string) error) func(s *site, name string) error {
	return func(s *site, name string) error {
		if !s.accepted() {
			if err := ask(s, name); err != nil {
				return err
			}
		}
		return s.passes()
	}
}

// promoteOne moves a package from jammy to noble.
func promoteOne(s *site, name string) error {
	sel := of(catalog.Active, name)
	sel.Target.Distribution = catalog.Distribution{OS: "ubuntu", Version: "jammy"}
	return promoteSelected(s, sel, tools, next, true)
}

// phaseOne has a tenth of the hosts upgrade to a package.
func phaseOne(s *site, name string) error {
	sel := of(catalog.Active, name)
	sel.Target.Distribution = catalog.Distribution{OS: "ubuntu", Version: "jammy"}
	_, err := s.Catalog.PhaseSelected(s.as(), sel, catalog.Phasing{Percent: 10}, noon, func(found catalogdb.Phased) ([]catalogdb.PhasedPackage, error) { return found.All, nil })
	return err
}

func withdraw(s *site, name string) error {
	_, err := s.Catalog.Yank(s.t.Context(), which("ubuntu", "jammy", name, "1.0"), catalog.Yank{Reason: "bad", At: noon}, noon)
	return err
}

func yankDEB(s *site, name string) error { return errors.Join(withdraw(s, name), s.publish()) }

func changeSettings(s *site, name string) error {
	_, err := s.Catalog.ChangeSettings(s.t.Context(), tools, noon, func(c *catalog.Settings) error {
		c.Tokens = []catalog.Token{{Name: name, SHA256: sum([]byte(name)), Created: noon}}
		return nil
	})
	return errors.Join(err, s.publish())
}

// doom has time make a package that is withdrawn ready for collection, and nothing of what was before.
func doom(s *site, name string) error {
	const long = 15 * 24 * time.Hour
	s.clock.advance(long)
	err := errors.Join(sweepTwice(s), pushDEB(s, name), yankDEB(s, name))
	s.clock.advance(long)
	return err
}

// A lane is a site on S3 and MySQL that faults meet one after the other.
type lane struct {
	*site
	packages map[string][]string // that clients see, by release, in order
}

// requests are those with which the writes of a bucket take effect.
var requests = map[string]string{"create": s3test.PutObject, "swap": s3test.PutObject, "copy": s3test.CompleteMultipartUpload, "delete": s3test.DeleteObject}

// newLane makes a site with a bucket and a database of its own.
func newLane(t *testing.T, store *s3test.Server, db string, name string) *lane {
	t.Helper()
	s := &site{t: t, dir: t.TempDir(), script: &script{}, clock: &clock{}}
	writeKey(t, s.dir)
	migrate(t, db)
	u, err := url.Parse(db)
	if err != nil {
		t.Fatal(err)
	}
	proxy := faults.NewProxy(t, u.Query().Get("socket"), func() faults.Fault { return s.script.next("commit") })
	s.open(pipelines.Config{
		Staging: "file://" + s.dir + "/staging", Bucket: store.URL(name), SigningKey: "file://" + s.dir + "/key.asc",
		Catalog: "mysql://root@127.0.0.1:" + proxy.Port + u.Path,
	})
	s.bucket.inject = func(op, key string, f faults.Fault) func() int {
		operation, ok := requests[op]
		if !ok {
			s.t.Errorf("no fault of S3 is known for %s", op)
		}
		return store.Break(operation, "/"+name+"/"+key, f) // every attempt of the SDK, or the second would hide it
	}
	if err := errors.Join(old(s), declare(s, tools, map[catalog.Distribution]catalog.Distribution{{}: {OS: "ubuntu", Version: "noble"}}), s.publish()); err != nil {
		t.Fatal(err)
	}
	return &lane{s, map[string][]string{jammy: {"old"}, el9: {"old"}}}
}

// pass takes a step with a package while a write fails, and once more, and reports whether the fault was met.
func (l *lane) pass(t *testing.T, st step, name string, p plan) (writes []string, met bool) {
	t.Helper()
	l.t, l.uploads = t, nil
	if err := st.prepare(l.site, name); err != nil {
		t.Fatal(err)
	}
	l.entries = l.asked()
	l.clock.advance(2 * time.Second) // or else each publish waits for the next second
	l.script.begin(p)
	failed := st.do(l.site, name)
	writes, met = l.script.end()
	l.wantWhole(l.touched(st))
	l.restart()
	l.clock.advance(2 * time.Second)
	if err := st.do(l.site, name); err != nil {
		t.Errorf("the second time: %v (the first time: %v)", err, failed)
	}
	l.wantOneEntry()
	if st.there {
		l.packages[st.release] = append(l.packages[st.release], name)
	}
	l.clock.advance(2 * time.Second)
	l.wantPackages(st)
	return writes, met
}

// wantOneEntry checks that the audit log has nothing twice that was asked for.
func (l *lane) wantOneEntry() {
	l.t.Helper()
	seen := map[string]bool{}
	for e, err := range l.Catalog.Log(l.t.Context(), catalog.Target{}, time.Time{}) {
		if err != nil {
			l.t.Fatal(err)
		}
		entry := fmt.Sprint(e.Action, " ", e.Target, " ", e.Detail)
		if e.By == asker && seen[entry] {
			l.t.Errorf("the audit log has twice: %s", entry)
		}
		seen[entry] = true
	}
}

// touched returns the states of the releases that a step changes.
func (l *lane) touched(st step) []catalogdb.ReleaseState {
	return slices.DeleteFunc(l.releases(), func(r catalogdb.ReleaseState) bool {
		return !strings.HasPrefix(st.release, r.Release.Repository.String()+"/"+r.Release.Distribution.String())
	})
}

// wantPackages checks the packages that clients see after a step, and the verdicts for uploaders.
func (l *lane) wantPackages(st step) {
	l.t.Helper()
	got := outcome{Packages: map[string][]string{}, Rows: map[string][]catalog.Package{}, Indexes: map[string]string{}}
	for _, r := range l.touched(st) {
		l.readRelease(r, &got)
	}
	var names []string
	for _, k := range got.Packages[st.release] {
		name, _, _ := strings.Cut(k, " ")
		names = append(names, name)
	}
	if diff := cmp.Diff(l.packages[st.release], names); diff != "" {
		l.t.Errorf("%s (-want +got):\n%s", st.release, diff)
	}
	for _, u := range l.uploads {
		// The verdict of a package that was withdrawn at once may name the withdrawal instead of the publication.
		if state, told := l.state(u), l.verdict(u); state != "published" && state != "rejected yanked" && state != "rejected dropped" || told != state {
			l.t.Errorf("%s is %q, and its uploader is told %q", u, state, told)
		}
	}
}

// On S3 and MySQL every write and every commit of every step fails, once lost and once stored although it
// reported failure. The store's faults outlast what the SDK tries by itself.
func TestI01EveryWriteAndCommitFailsOnS3AndMySQL(t *testing.T) {
	t.Parallel()
	store := s3test.Start(t)
	recorded := newLane(t, store, mysqltest.Start(t), "recorded")
	type task struct {
		step
		plan
	}
	var tasks []task
	for i, st := range steps {
		recorded.clock.advance(2 * time.Second)
		writes, _ := recorded.pass(t, st, fmt.Sprintf("pkg%04d", 2*i), plan{})
		if st.name == collected { // the first time there is more to collect
			writes, _ = recorded.pass(t, st, fmt.Sprintf("pkg%04d", 2*i+1), plan{})
		}
		for _, p := range plansOf(writes, false) {
			tasks = append(tasks, task{st, p})
		}
	}
	const lanes = 6
	var n tally
	t.Cleanup(func() { n.check(t) })
	for first := range lanes {
		t.Run(fmt.Sprint("lane ", first), func(t *testing.T) {
			t.Parallel()
			l := newLane(t, store, mysqltest.Start(t), fmt.Sprint("lane-", first))
			for i := first; i < len(tasks); i += lanes {
				st, p := tasks[i].step, tasks[i].plan
				t.Run(st.name+": "+p.String(), func(t *testing.T) {
					_, met := l.pass(t, st, fmt.Sprintf("pkg%04d", i), p)
					if !met && st.name == collected && strings.Contains(p.write, ".history/") {
						t.Skip("what was superseded before was not collected this time")
					}
					n.add(t, p, met)
				})
			}
		})
	}
}
