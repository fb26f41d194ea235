// Package check reads a published tree as a client would, signature first, then indexes, then
// packages, and lists everything that a client could stumble over.
//
// It is the judge of what package publish writes and therefore shares nothing with it but the keys:
// it has parsers of its own, and sees only what a client sees. Indexes are streamed; what is
// remembered of a package is its name and its digest.
package check

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode"

	"repomill/publish/sign"
	"repomill/schemas/catalog"
)

// Options say how thoroughly to read.
type Options struct {
	Content bool          // read and hash every package file; else only its existence and size are checked
	Workers int           // package files read at the same time; 0 means 4
	Now     time.Time     // the client's clock, against which Date, Valid-Until and keys are judged; zero: not judged
	Settle  time.Duration // how long files beside the pointer may lag behind it before they count as wrong; 0 means 1 s
}

// A Release is what was read.
type Release struct {
	Format   catalog.Format   `json:"format"`
	Name     string           `json:"name"`     // as [catalog.Release.String] has it, below the tree's root
	Revision catalog.Revision `json:"revision"` // zero if the pointer has none of ours
	Date     time.Time        `json:"date"`     // DEB: Date. RPM: the newest timestamp in repomd.xml
	Indexes  int              `json:"indexes"`  // index files that the pointer lists
	Packages int              `json:"packages"` // different package files that the indexes list
	Bytes    int64            `json:"bytes"`    // of these packages together, as the indexes say
}

// A Problem is one thing that is wrong.
type Problem struct {
	Path   string `json:"path"`   // of the object that is wrong, below the tree's root
	Detail string `json:"detail"` // what a client would see; printable
}

func (p Problem) String() string { return p.Path + ": " + p.Detail }

// maxProblems bounds the list of problems. Beyond, the first ones in order of path are kept, and one
// more says how many are not listed.
const maxProblems = 10_000

// problems collects what is wrong, from several goroutines.
type problems struct {
	mu      sync.Mutex
	list    []Problem
	dropped int
}

func (p *problems) add(path, format string, args ...any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.list = append(p.list, Problem{Path: printable(path), Detail: printable(fmt.Sprintf(format, args...))})
	if len(p.list) >= 2*maxProblems {
		p.cut()
	}
}

// printable replaces what a terminal or a log might take for something else than text.
func printable(s string) string {
	return strings.Map(func(c rune) rune {
		if unicode.IsPrint(c) {
			return c
		}
		return unicode.ReplacementChar
	}, s)
}

// cut sorts the list, removes repetitions, and keeps no more than maxProblems.
func (p *problems) cut() {
	slices.SortFunc(p.list, func(a, b Problem) int {
		return cmp.Or(cmp.Compare(a.Path, b.Path), cmp.Compare(a.Detail, b.Detail))
	})
	p.list = slices.Compact(p.list)
	if n := len(p.list) - maxProblems; n > 0 {
		p.list = p.list[:maxProblems]
		p.dropped += n
	}
}

// sorted returns the problems found so far, in order.
func (p *problems) sorted() []Problem {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.cut()
	list := slices.Clone(p.list)
	if p.dropped > 0 {
		list = append(list, Problem{Path: "...", Detail: fmt.Sprintf("%d more problems are not listed", p.dropped)})
	}
	return list
}

// A run is one reading of one release.
type run struct {
	problems
	tree    Tree
	opt     Options
	keys    sign.Keyring
	base    string // what a client has as its base URL, below the tree's root
	release Release
	files   map[string]*wanted // package files that the indexes list, by key
}

func newRun(t Tree, base string, keys sign.Keyring, opt Options) *run {
	opt.Workers = cmp.Or(opt.Workers, 4)
	opt.Settle = cmp.Or(opt.Settle, time.Second)
	return &run{tree: t, opt: opt, keys: keys.At(opt.Now), base: base, files: map[string]*wanted{}}
}

// key returns the key of a name below the base.
func (r *run) key(name string) string {
	if r.base == "" {
		return name
	}
	return r.base + "/" + name
}

// maxReads is how often a release is read that is published anew meanwhile.
const maxReads = 3

// steady calls read, which returns the pointer it began with, until it finds no problem or the pointer
// did not change meanwhile: what a superseded pointer names may rightly be gone.
func steady(ctx context.Context, t Tree, pointer string, read func() (*run, []byte, error)) (Release, []Problem, error) {
	for n := 1; ; n++ {
		r, body, err := read()
		if err != nil {
			return Release{}, nil, err
		}
		found := r.sorted()
		if len(found) == 0 || n == maxReads {
			return r.release, found, nil
		}
		again, err := readSmall(ctx, t, pointer)
		if err != nil {
			return Release{}, nil, fmt.Errorf("read %s: %w", pointer, err)
		}
		if string(again) == string(body) {
			return r.release, found, nil
		}
	}
}

// settle waits until files beside a pointer that has just been swapped must be there.
func (r *run) settle(ctx context.Context) error {
	t := time.NewTimer(r.opt.Settle)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
