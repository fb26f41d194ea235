package faults_test

import (
	"errors"
	"flag"
	"fmt"
	"regexp"
	"strings"
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
	total int  // writes, also of before begin
}

// A plan is which write fails, and how.
type plan struct {
	write string       // label; none fails if it is empty
	fault faults.Fault // of that write
	dies  bool         // and of all later ones nothing is stored
}

// everyFault has each write meet all faults. Without it, each write meets one, in turn, and only pointers all: that takes a third of the time.
var everyFault = flag.Bool("faults.all", false, "have every write fail in every way, and not in one")

// plansOf returns the faults of some writes, in order: each is lost, and stored although it reports failure. With dying, every second
// one, and every swap, is also lost with nothing written after it, as when the process dies there.
func plansOf(writes []string, dying bool) (plans []plan) {
	for i, write := range writes {
		ways := []plan{{write, faults.Lost, false}, {write, faults.Stored, false}}
		if dying && (i%2 == 0 || strings.HasPrefix(write, "swap")) {
			ways = append(ways, plan{write, faults.Lost, true})
		}
		isPointer := strings.HasPrefix(write, "swap") && (strings.Contains(write, "/InRelease (") || strings.Contains(write, "/repomd.xml ("))
		if !*everyFault && !isPointer {
			n := i / 2 % len(ways) // not always the same for the even ones
			ways = ways[n : n+1]
		}
		plans = append(plans, ways...)
	}
	return plans
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

// count returns how many writes there were.
func (s *script) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.total
}

// isDead reports whether nothing can be written any more.
func (s *script) isDead() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.dead
}

// next says what becomes of a write.
func (s *script) next(what string) faults.Fault {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.total++
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

// changing is what differs in a key from run to run: digests, revisions, the numbers of packages, the times of snapshots, and names of files under embargo.
var changing = regexp.MustCompile(`[0-9a-f]{64}|^\.embargo/[0-9a-f]{32}|/[0-9]+-|pkg[0-9]{4}|[0-9]{8}T[0-9]{6}Z`)

// shape returns a key without that.
func shape(key string) string { return changing.ReplaceAllString(key, "*") }
