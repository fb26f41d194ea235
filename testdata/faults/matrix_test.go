package faults_test

import (
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// A scenario is something that is done to a site, and what is to come of it.
type scenario struct {
	name    string
	before  func(*site) error // makes the state in which it begins; none for an empty site
	staged  func(*site)       // stages what is to be taken up
	do      func(*site) error // what is done; a repeat after a fault does the rest
	want    map[string]string // packages afterwards, by release: "name, name"
	later   time.Duration     // between before and do
	damaged bool              // what clients see at first, and may see until it is done
}

// Every write to the stores and every commit of a scenario fails, as plansOf says. Clients find whole what they find then. The same is
// done again, and what comes of it is what comes of it without a fault.
func TestI01EveryWriteAndCommitFails(t *testing.T) {
	for _, sc := range scenarios {
		t.Run(sc.name, func(t *testing.T) {
			t.Parallel()
			base := sc.base(t)
			want, writes := sc.record(t, base)
			var n tally
			t.Cleanup(func() { n.check(t) })
			for _, p := range plansOf(writes, true) {
				t.Run(p.String(), func(t *testing.T) {
					t.Parallel()
					n.add(t, p, sc.fail(t, base, p, want))
				})
			}
		})
	}
}

// base returns the folder in which a scenario begins.
func (sc scenario) base(t *testing.T) string {
	s := newSite(t, "")
	if sc.before == nil {
		return s.close()
	}
	if err := sc.before(s); err != nil {
		t.Fatal(err)
	}
	return s.close()
}

// close closes a site and returns its folder, without what was staged.
func (s *site) close() string {
	s.t.Helper()
	s.Close()
	if err := os.RemoveAll(filepath.Join(s.dir, "staging")); err != nil {
		s.t.Fatal(err)
	}
	return s.dir
}

// begin opens a copy of the state in which a scenario begins.
func (sc scenario) begin(t *testing.T, base string) *site {
	t.Helper()
	s := newSite(t, base)
	s.clock.advance(max(sc.later, time.Minute))
	if sc.staged != nil {
		sc.staged(s)
	}
	return s
}

// record returns the outcome of a scenario, and the labels of its writes.
func (sc scenario) record(t *testing.T, base string) (want outcome, writes []string) {
	t.Helper()
	s := sc.begin(t, base)
	s.script.begin(plan{})
	if err := sc.do(s); err != nil {
		t.Fatal(err)
	}
	writes, _ = s.script.end()
	want = s.outcome()
	for release, names := range sc.want {
		if got := strings.Join(want.Packages[release], ", "); got != names {
			t.Errorf("%s has %q, want %q", release, got, names)
		}
	}
	if len(writes) == 0 {
		t.Fatal("nothing is written")
	}
	return want, writes
}

// fail does a scenario while a write fails, and once more, and reports whether the fault was met.
func (sc scenario) fail(t *testing.T, base string, p plan, want outcome) (met bool) {
	t.Helper()
	s := sc.begin(t, base)
	s.script.begin(p)
	failed := sc.do(s)
	_, met = s.script.end()
	if !sc.damaged {
		s.wantWhole(s.releases())
	}
	s.restart()
	s.clock.advance(2 * time.Second) // or else the next publish of the release waits for a second
	if err := sc.do(s); err != nil {
		t.Errorf("the second time: %v (the first time: %v)", err, failed)
	}
	if diff := cmp.Diff(want, s.outcome()); diff != "" {
		t.Errorf("(-without a fault +with it; the first time: %v):\n%s", failed, diff)
	}
	return met
}

// A tally counts the faults of a test. Its methods may be called concurrently.
type tally struct {
	mu                  sync.Mutex
	met, commits, unmet int // faults; of those that were met, at commits; and of commits that did not come
}

// add counts a fault. One of a commit need not be met, for transactions that meet are committed together: then nothing
// was tested, and the test is skipped.
func (n *tally) add(t *testing.T, p plan, met bool) {
	t.Helper()
	n.mu.Lock()
	defer n.mu.Unlock()
	commit := strings.HasPrefix(p.write, "commit")
	switch {
	case met && commit:
		n.commits++
		fallthrough
	case met:
		n.met++
	case commit:
		n.unmet++
		t.Skip("there was no such commit this time")
	default:
		t.Error("the write did not come, or met no fault")
	}
}

// check fails a test in which more than a fifth of the faults of commits was not met, unless they were few.
func (n *tally) check(t *testing.T) {
	t.Helper()
	if n.commits == 0 || n.unmet > 2 && 4*n.unmet > n.commits {
		t.Errorf("%d faults of commits were met, and %d were not", n.commits, n.unmet)
	}
	t.Logf("%d faults survived, %d of them at commits; %d commits did not come", n.met, n.commits, n.unmet)
}
