package faults_test

import (
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"repomill/testdata/faults"
)

// A scenario is something that is done to a site, and what is to come of it.
type scenario struct {
	name   string
	before func(*site) error // makes the state in which it begins; none for an empty site
	staged func(*site)       // stages what is to be taken up
	do     func(*site) error // what is done; a repeat after a fault does the rest
	want   map[string]string // packages afterwards, by release: "name, name"
	later  time.Duration     // between before and do
}

// Every write to the stores and every commit of a scenario fails: once lost, once stored although it reported
// failure, and once with nothing written after it either, as when the process dies there. Clients find whole
// what they find then. The same is done again, and what comes of it is what comes of it without a fault.
func TestI01EveryWriteAndCommitFails(t *testing.T) {
	for _, sc := range scenarios {
		t.Run(sc.name, func(t *testing.T) {
			t.Parallel()
			base := sc.base(t)
			want, writes := sc.record(t, base)
			var met atomic.Int64
			t.Cleanup(func() { t.Logf("%d faults survived, at %d writes and commits", met.Load(), len(writes)) })
			for _, write := range writes {
				for _, p := range []plan{{write, faults.Lost, false}, {write, faults.Stored, false}, {write, faults.Lost, true}} {
					t.Run(p.String(), func(t *testing.T) {
						t.Parallel()
						if sc.fail(t, base, p, want) {
							met.Add(1)
						}
					})
				}
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

// record returns what a scenario comes to, and the labels of what it writes.
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
	s.wantWhole(s.releases())
	s.restart()
	s.clock.advance(2 * time.Second) // or else the next publish of the release waits for a second
	if err := sc.do(s); err != nil {
		t.Errorf("the second time: %v (the first time: %v)", err, failed)
	}
	if diff := cmp.Diff(want, s.outcome()); diff != "" {
		t.Errorf("(-without a fault +with it; the first time: %v):\n%s", failed, diff)
	}
	if !met && !strings.HasPrefix(p.write, "commit") { // transactions that meet are committed together
		t.Error("there was no such write")
	}
	return met
}
