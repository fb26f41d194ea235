// Package check reads a published tree as a client does, signature first, then indexes, then packages, and
// lists every problem that a client would meet.
//
// It tests the output of package publish, and therefore shares only the keys with it: it has its own parsers,
// and reads only what a client reads. Indexes are streamed; of each package it keeps the name and the digest.
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

// Options configure a check. The zero Options check signatures, indexes, and that package files exist.
type Options struct {
	Content bool          // read and hash every package file; otherwise only its existence and size are checked
	Workers int           // package files read at the same time; 0 means 4
	Now     time.Time     // the client's clock, with which Date, Valid-Until and expiry of keys are compared; zero: they are not
	Settle  time.Duration // how long files beside the pointer may lag behind it before they count as wrong; 0 means 1 s
	Budget  *Budget       // of bytes that [Sample] may read; nil: any number

	// ByHash says that a DEB release may lack the plain-named indexes, such as Packages.gz: below a snapshot there are none, and its
	// clients ask for indexes by their digests (serve/CONTRACT.md). One that is there has to be right.
	ByHash bool
}

// A Release summarizes a release that was read.
type Release struct {
	Format   catalog.Format   `json:"format"`
	Name     string           `json:"name"`     // as [catalog.Release.String] has it, below the tree's root
	Revision catalog.Revision `json:"revision"` // zero if the pointer has no revision of repomill
	Date     time.Time        `json:"date"`     // DEB: Date. RPM: the newest timestamp in repomd.xml
	Indexes  int              `json:"indexes"`  // index files that the pointer lists
	Packages int              `json:"packages"` // different package files that the indexes list
	Bytes    int64            `json:"bytes"`    // of these packages together, as the indexes say
}

// A Problem is one defect of a release.
type Problem struct {
	Path   string `json:"path"`   // of the object that is wrong, below the tree's root
	Detail string `json:"detail"` // what is wrong, for people; printable
}

func (p Problem) String() string { return p.Path + ": " + p.Detail }

// maxProblems bounds the list of problems. A longer list keeps the first ones in order of path, and a last one
// that says how many are left out.
const maxProblems = 10_000

// problems collects problems. Its methods may be called concurrently.
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

// printable replaces control characters, which could change a terminal or a log.
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

// A run is the state of one pass over one release.
type run struct {
	problems
	tree    Tree
	opt     Options
	keys    sign.Keyring
	base    string // the base URL of a client, below the tree's root
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

// maxReads is how often a release is read if each time another publish replaces its pointer.
const maxReads = 3

// steady calls read until it finds no problem, or the pointer at its end is the one that it began with: the files of
// a superseded pointer may have been removed. read returns the pointer that it began with.
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

// settle waits for opt.Settle, the time within which a publish writes the files that follow the pointer.
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
