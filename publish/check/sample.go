package check

import (
	"cmp"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"slices"

	"repomill/publish/sign"
	"repomill/schemas/catalog"
)

// An Outcome is what was seen of one object.
type Outcome string

// The outcomes.
const (
	Good        Outcome = "ok"
	Absent      Outcome = "absent"      // the server says that it does not exist
	Differs     Outcome = "differs"     // it has other bytes than what names it says, or no signature by a key that clients have
	Unreachable Outcome = "unreachable" // there was no answer, or a refusal, or one of a fault: nothing is known of the object
)

// A Seen is one object that was looked at.
type Seen struct {
	Path    string  `json:"path"` // below the tree's root
	Outcome Outcome `json:"outcome"`
	Detail  string  `json:"detail,omitempty"` // why it is not ok, for people; printable
	Sized   bool    `json:"sized,omitempty"`  // it has the size that it should have, and was not read
}

// Sample looks at the pointer of a release, verifies its signature, and looks at some n objects that it names, drawn at random: half
// of them indexes, the others packages of one index, which is read as well. The bytes of each are read and compared; of one that
// is larger than what is left of opt.Budget, the size alone.
//
// What is absent or differs is looked at again after opt.Settle, from the pointer on, before it counts: a publish may have replaced
// the pointer, and caches may keep the files beside it for a while.
func Sample(ctx context.Context, t Tree, f Found, k sign.Keyring, n int, opt Options) []Seen {
	one, two := rand.Uint64(), rand.Uint64()
	last := ""
	for round := 1; ; round++ {
		s := &sampler{found: f, n: n, run: newRun(t, f.Base, k, opt), random: rand.New(rand.NewPCG(one, two))}
		pointer := s.look(ctx)
		known := !slices.ContainsFunc(s.seen, func(x Seen) bool { return x.Outcome == Absent || x.Outcome == Differs })
		if known || round > 1 && pointer == last || round > maxReads || ctx.Err() != nil {
			return s.seen
		}
		last = pointer
		if s.settle(ctx) != nil {
			return s.seen
		}
	}
}

// A sampler looks at a release once. With the same random numbers and the same pointer it looks at the same objects.
type sampler struct {
	*run
	found  Found
	n      int // objects
	random *rand.Rand
	seen   []Seen
}

// A named is an object that an index or a pointer names.
type named struct {
	fact
	key string
	by  string // key of what names it
}

func (s *sampler) note(key string, outcome Outcome, format string, args ...any) {
	s.seen = append(s.seen, Seen{Path: printable(key), Outcome: outcome, Detail: printable(fmt.Sprintf(format, args...))})
}

// outcomeOf returns the outcome of an object that could not be read.
func outcomeOf(err error) Outcome {
	if errors.Is(err, fs.ErrNotExist) {
		return Absent
	}
	return Unreachable
}

// small reads a pointer or a signature, and notes an object that cannot be read.
func (s *sampler) small(ctx context.Context, key string) ([]byte, bool) {
	body, err := readSmall(ctx, s.tree, key)
	if err != nil {
		s.note(key, outcomeOf(err), "%v", unreadable(err))
	}
	return body, err == nil
}

// object reads an object that is named, and notes what it is. It reads at most one byte more than it should have.
func (s *sampler) object(ctx context.Context, o named) {
	if !s.afford(ctx, o) {
		return
	}
	body, err := s.tree.Open(ctx, o.key)
	if err != nil {
		s.note(o.key, outcomeOf(err), "%v (listed in %s)", unreadable(err), o.by)
		return
	}
	defer body.Close()
	h := sha256.New()
	n, err := io.Copy(h, io.LimitReader(body, o.size+1))
	if err != nil {
		s.note(o.key, Unreachable, "%v", unreadable(err))
		return
	}
	if err := differs(n, h, o.fact); err != nil {
		s.note(o.key, Differs, "%v (listed in %s)", err, o.by)
		return
	}
	s.note(o.key, Good, "")
}

// look looks at the pointer and a sample, and returns the pointer's bytes.
func (s *sampler) look(ctx context.Context) (pointer string) {
	var indexes []named
	var packages func(ctx context.Context, n int) []named
	if s.found.Format == catalog.DEB {
		pointer, indexes, packages = s.apt(ctx)
	} else {
		pointer, indexes, packages = s.rpm(ctx)
	}
	if packages == nil {
		return pointer // it is noted
	}
	s.random.Shuffle(len(indexes), func(i, j int) { indexes[i], indexes[j] = indexes[j], indexes[i] })
	few := min((s.n+s.random.IntN(2))/2, len(indexes)) // of a single object, any of both kinds
	drawn := indexes[:few]
	if rest := s.n - few; rest > 0 {
		drawn = slices.Concat(packages(ctx, rest), drawn) // the list is read first, so that packages are looked at also within a small budget
	}
	for _, o := range drawn {
		s.object(ctx, o)
	}
	return pointer
}

// drawn is a sample of what it is offered, each with the same probability.
type drawn struct {
	random *rand.Rand
	n      int // at most
	seen   int
	list   []named
}

func (d *drawn) offer(o named) {
	d.seen++
	if len(d.list) < d.n {
		d.list = append(d.list, o)
	} else if i := d.random.IntN(d.seen); i < d.n {
		d.list[i] = o
	}
}

// byKey sorts what is named, so that a draw depends on the random numbers alone.
func byKey(list []named) []named {
	slices.SortFunc(list, func(a, b named) int { return cmp.Compare(a.key, b.key) })
	return list
}

// problemsOf notes the problems that parsing has found as those of one object.
func (s *sampler) problemsOf(key string) (any bool) {
	for _, p := range s.sorted() {
		s.note(cmp.Or(p.Path, key), Differs, "%s", p.Detail)
		any = true
	}
	return any
}
