package soak_test

import (
	"slices"
	"sync"
	"time"

	"repomill/schemas/catalog"
)

// A ledger knows what was pushed, and so what clients must see, may see and must not see.
type ledger struct {
	judge *judge

	mu       sync.Mutex
	packages map[string]*pkg // by id
	order    []*pkg          // as they were made
	uploads  []*upload
	pending  map[*upload]bool // without a verdict so far
	slowest  time.Duration    // from a push to its verdict
}

func newLedger(j *judge) *ledger {
	return &ledger{judge: j, packages: map[string]*pkg{}, pending: map[*upload]bool{}}
}

// A row is what an index says of a package.
type row struct {
	name, version, arch, sha256 string
}

// A pkg is an identity in one distribution.
type pkg struct {
	dist, name, version, arch string
	component                 string // "extra/", or empty
	releases                  []catalog.Release
	bytes                     map[string][]byte // that were pushed for it, by digest; more than one if they race
	sha256                    string            // of the bytes that it was given, once that is known
	since                     time.Time         // from when on clients see it; zero if that is not known
	busy                      bool              // something is done to it, or waits for a verdict
	withdrawals               []withdrawal
}

func idOf(dist, name, version, arch string) string {
	return dist + " " + name + " " + version + " " + arch
}

func (p *pkg) id() string { return idOf(p.dist, p.name, p.version, p.arch) }

// A withdrawal is the time between a yank and its opposite; what has not happened yet is zero.
type withdrawal struct {
	from time.Time // the yank was begun
	sure time.Time // it said that clients do not see the package any more
	back time.Time // the opposite was begun
	to   time.Time // it said that clients see the package again
}

// mayLack reports whether a reading between two times may lack the package, which was out before.
func (p *pkg) mayLack(begin, end time.Time) bool {
	return slices.ContainsFunc(p.withdrawals, func(w withdrawal) bool {
		return w.from.Before(end) && (w.to.IsZero() || begin.Before(w.to))
	})
}

// mustLack reports whether a reading that began at a time, and ended at another, must lack the package.
func (p *pkg) mustLack(begin, end time.Time) bool {
	return slices.ContainsFunc(p.withdrawals, func(w withdrawal) bool {
		return !w.sure.IsZero() && w.sure.Before(begin) && (w.back.IsZero() || end.Before(w.back))
	})
}

// withdrawn reports whether the package is withdrawn, as far as is known.
func (p *pkg) withdrawn() bool {
	n := len(p.withdrawals)
	return n > 0 && p.withdrawals[n-1].to.IsZero()
}

// An upload is one push.
type upload struct {
	catalog.Upload
	kind   string
	pkg    *pkg     // nil for garbage
	body   []byte   // to push it again
	sha256 string   // of the body
	want   []string // verdicts, each a state, a rejection with its reason
	pushed time.Time
	ended  string // the verdict; empty before
	kills  int    // of all daemons, before it was pushed

	overwritten bool   // so it need not have a verdict
	group       *group // of uploads that race, or nil
}

// A group is uploads of which exactly one must be published.
type group struct{ members []*upload }

// declare notes a new package.
func (l *ledger) declare(p *pkg) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.packages[p.id()] = p
	l.order = append(l.order, p)
}

// note notes an upload that was pushed.
func (l *ledger) note(u *upload) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.uploads = append(l.uploads, u)
	l.pending[u] = true
}

// waiting returns the uploads without a verdict.
func (l *ledger) waiting() (us []*upload) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, u := range l.uploads {
		if l.pending[u] {
			us = append(us, u)
		}
	}
	return us
}

// settle notes the verdict of an upload.
func (l *ledger) settle(u *upload, ended string, now time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.pending, u)
	u.ended = ended
	if u.overwritten && ended == "" {
		return
	}
	l.slowest = max(l.slowest, now.Sub(u.pushed))
	if !slices.Contains(u.want, ended) {
		l.judge.violated("I3", "%s, %s, is %s, want %q", u.kind, u.Upload, ended, u.want)
	}
	if u.pkg == nil {
		return
	}
	if ended == string(catalog.Published) {
		l.gives(u.pkg, u.sha256, "the verdict of "+u.String())
		if u.pkg.since.IsZero() {
			u.pkg.since = now
		}
	}
	if u.group == nil || !slices.ContainsFunc(u.group.members, func(m *upload) bool { return l.pending[m] }) {
		u.pkg.busy = false
	}
}

// gives notes which bytes an identity has, for good.
func (l *ledger) gives(p *pkg, sha256, says string) {
	switch {
	case p.bytes[sha256] == nil:
		l.judge.violated("I4", "%s: %s has bytes that were never pushed for it: %s", says, p.id(), sha256)
	case p.sha256 != "" && p.sha256 != sha256:
		l.judge.violated("I4", "%s: %s had the bytes %s, now %s", says, p.id(), p.sha256, sha256)
	default:
		p.sha256 = sha256
	}
}

// pick takes a package that nothing is done to, for which ok holds, at random; nil if there is none.
func (l *ledger) pick(pick func(n int) int, ok func(*pkg) bool) *pkg {
	l.mu.Lock()
	defer l.mu.Unlock()
	for range 30 {
		if len(l.order) == 0 {
			return nil
		}
		if p := l.order[pick(len(l.order))]; !p.busy && !p.since.IsZero() && ok(p) {
			p.busy = true
			return p
		}
	}
	return nil
}

// change changes a package under the ledger's lock.
func (l *ledger) change(f func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	f()
}

// saw judges what a client read in a release, from a pointer that it fetched between two times.
func (l *ledger) saw(release catalog.Release, rows map[string]row, begin, end time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for id, r := range rows {
		p := l.packages[id]
		switch {
		case p == nil || !slices.Contains(p.releases, release):
			l.judge.violated("I4", "%s shows %s, which nobody pushed there", release, id)
			continue
		case p.mustLack(begin, end):
			l.judge.violated("I2", "%s shows %s, which is withdrawn", release, id)
		}
		l.gives(p, r.sha256, release.String())
		if p.since.IsZero() && len(p.releases) == 1 {
			p.since = end
		}
	}
	for id, p := range l.packages {
		if _, there := rows[id]; there || p.since.IsZero() || !p.since.Before(begin) || !slices.Contains(p.releases, release) {
			continue
		}
		if !p.mayLack(begin, end) {
			l.judge.violated("I2", "%s lacks %s, which clients see since %s", release, id, p.since.Format(time.StampMilli))
		}
	}
}
