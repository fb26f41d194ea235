package faults_test

import (
	"errors"
	"fmt"
	"regexp"
	"sync"

	"repomill/testdata/faults"
)

// errFault is what a write returns that was made to fail.
var errFault = errors.New("injected fault")

// A script is what happens to the writes and commits of one site. It counts them, and has one of them fail.
type script struct {
	mu    sync.Mutex
	on    bool
	seen  map[string]int
	order []string // labels, as they came
	plan  plan
	met   bool
	dead  bool // nothing can be written any more
}

// A plan is which write fails, and how.
type plan struct {
	write string       // label; none fails if it is empty
	fault faults.Fault // of that write
	dies  bool         // and of all later ones nothing is stored
}

func (p plan) String() string {
	if p.dies {
		return fmt.Sprintf("%s, %s, and then nothing is written", p.write, p.fault)
	}
	return fmt.Sprintf("%s, %s", p.write, p.fault)
}

// begin has what follows counted, and one write fail.
func (s *script) begin(p plan) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.on, s.plan, s.seen, s.order, s.met, s.dead = true, p, map[string]int{}, nil, false, false
}

// end returns the labels of the writes since begin, and whether the fault was met.
func (s *script) end() (writes []string, met bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.on = false
	return s.order, s.met
}

// next says what becomes of a write.
func (s *script) next(what string) faults.Fault {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.on {
		return faults.None
	}
	s.seen[what]++
	label := fmt.Sprintf("%s (%d)", what, s.seen[what])
	s.order = append(s.order, label)
	switch {
	case s.dead:
		return faults.Lost
	case label == s.plan.write:
		s.met, s.dead = true, s.plan.dies
		return s.plan.fault
	}
	return faults.None
}

// miss says that the store did not meet the fault that it was given.
func (s *script) miss() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.met = false
}

// changing is what differs in a key from run to run: digests, revisions, the numbers of packages, and names of files under embargo.
var changing = regexp.MustCompile(`[0-9a-f]{64}|^\.embargo/[0-9a-f]{32}|/[0-9]+-|pkg[0-9]{4}`)

// shape returns a key without that.
func shape(key string) string { return changing.ReplaceAllString(key, "*") }
