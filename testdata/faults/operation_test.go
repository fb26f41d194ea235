package faults_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"repomill/schemas/catalog"
)

// An operation is what a release manager asks for in one command, and workers carry out.
type operation struct {
	name   string
	before func(*site) error // makes the state in which it is asked for
	staged func(*site)       // stages files for what is asked
	ask    func(*site) error // is one command; none for what workers do by themselves
	later  time.Duration     // between before and ask
	want   map[string]string // packages afterwards, by release: "name version arch, …"
}

// asker is who asks for all operations. The audit log says whether an operation was accepted.
const asker = "a release manager"

// Every write and commit of an operation fails, as plansOf says. Then workers do what they find to be done. An operation that the audit log
// has is done then, as without a fault, and any other one has changed nothing, and is done when it is asked for once more: none is half
// done, and each has the entries that it has without a fault, once. Clients read whole releases and snapshots all the time.
func TestL1EveryWriteAndCommitOfOperationsFails(t *testing.T) {
	for _, op := range operations {
		t.Run(op.name, func(t *testing.T) {
			t.Parallel()
			base := scenario{before: op.before}.base(t)
			nothing, _ := op.record(t, base, false)
			want, writes := op.record(t, base, true)
			op.wantPackages(t, want)
			var n tally
			t.Cleanup(func() { n.check(t) })
			for _, p := range plansOf(writes, true) {
				t.Run(p.String(), func(t *testing.T) {
					t.Parallel()
					n.add(t, p, op.fail(t, base, p, nothing, want))
				})
			}
		})
	}
}

// begin opens a copy of the state in which an operation is asked for.
func (op operation) begin(t *testing.T, base string) *site {
	t.Helper()
	s := scenario{staged: op.staged, later: op.later}.begin(t, base)
	s.after, s.entries = op.later, s.asked()
	return s
}

// record returns the outcome of an operation, or of the passes of workers without one, and the labels of its writes.
func (op operation) record(t *testing.T, base string, asked bool) (got outcome, writes []string) {
	t.Helper()
	s := op.begin(t, base)
	s.script.begin(plan{})
	if asked && op.ask != nil {
		if err := op.ask(s); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.passes(); err != nil {
		t.Fatal(err)
	}
	writes, _ = s.script.end()
	return s.outcome(), writes
}

func (op operation) wantPackages(t *testing.T, got outcome) {
	t.Helper()
	for release, names := range op.want {
		if have := strings.Join(got.Packages[release], ", "); have != names {
			t.Errorf("%s has %q, want %q", release, have, names)
		}
	}
	if !slices.ContainsFunc(got.Audit, func(entry string) bool { return strings.HasPrefix(entry, asker) }) && op.ask != nil {
		t.Errorf("the audit log has no entry of who asked: %q", got.Audit)
	}
}

// fail asks for an operation while a write fails, and reports whether the fault was met.
func (op operation) fail(t *testing.T, base string, p plan, nothing, want outcome) (met bool) {
	t.Helper()
	s := op.begin(t, base)
	s.script.begin(p)
	var failed error
	if op.ask != nil {
		failed = op.ask(s)
	}
	if failed == nil && !s.script.isDead() || s.accepted() { // else the process is gone, or the command has said that nothing is done
		failed = errors.Join(failed, s.passes())
	}
	_, met = s.script.end()
	s.wantWhole(s.releases())
	s.restart()
	s.hoursLater()
	if err := s.passes(); err != nil {
		t.Errorf("after a restart: %v (at first: %v)", err, failed)
	}
	if op.ask != nil && !s.accepted() {
		if diff := cmp.Diff(nothing, s.outcome()); diff != "" {
			t.Errorf("the audit log does not have it, and it has changed something (-before +after; at first: %v):\n%s", failed, diff)
		}
		s.clock.advance(2 * time.Second)
		if err := errors.Join(op.ask(s), s.passes()); err != nil {
			t.Errorf("asked for once more: %v (at first: %v)", err, failed)
		}
	}
	if diff := cmp.Diff(want, s.outcome()); diff != "" {
		t.Errorf("(-without a fault +with it; at first: %v):\n%s", failed, diff)
	}
	return met
}

// accepted reports whether the audit log has the operation.
func (s *site) accepted() bool { return s.asked() > s.entries }

// asked returns how many entries of the audit log are of the asker.
func (s *site) asked() (n int) {
	s.t.Helper()
	for e, err := range s.Catalog.Log(s.t.Context(), catalog.Target{}, time.Time{}) {
		if err != nil {
			s.t.Fatal(err)
		}
		if e.By == asker {
			n++
		}
	}
	return n
}
