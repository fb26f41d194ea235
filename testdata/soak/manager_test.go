package soak_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"repomill/schemas/catalog"
	"repomill/schemas/catalogdb"
	"repomill/schemas/layout"
)

// A manager does what release managers do, one thing after the other, in repositories that nothing else writes to: packages come into
// "life", and go into "vault", which is private. It knows all states that clients may see.
type manager struct {
	operator // whose commands are killed at random, too

	tracks  map[string]*track // by release
	files   []*file
	n       int // operations that were begun
	made    int // files, also of trains that were dropped
	ruled   bool
	percent map[string]int // phases, by source
	refused int            // trains that were asked for too early
	audited int            // operations that were looked for in the audit log

	snapshotReads atomic.Int64

	mu        sync.Mutex
	moved     map[string]time.Time // when packages began to move from life to vault, by id
	snapshots []*kept
	done      map[string]int // operations that have ended, by name
	asked     []asked
}

// A file is a package that was pushed.
type file struct {
	name, version string
	deb, rpm      []byte
	sums          map[string]string // digests by id, as life has them
}

// A kept is a snapshot.
type kept struct {
	name, id string
	sets     map[string]set // by release
	gone     bool           // its deletion has begun
}

// An asked is an operation that was accepted: the audit log has exactly so many entries of an action with its mark.
type asked struct {
	mark    string
	entries map[catalog.Action]int
}

// lifeReleases are the releases of the manager, vaultReleases those of the private repository.
var lifeReleases, vaultReleases = releasesFor("life"), releasesFor("vault")

func releasesFor(repository string) (all []catalog.Release) {
	for _, name := range []string{"ubuntu/jammy", "ubuntu/noble", "el/9/x86_64", "el/9/aarch64"} {
		r, err := catalog.ParseRelease("acme/" + repository + "/" + name)
		if err != nil {
			panic(err) // the names above are wrong
		}
		all = append(all, r)
	}
	return all
}

func newManager(k *soaking) *manager {
	m := &manager{operator: operator{k, k.source(4)}, tracks: map[string]*track{}, moved: map[string]time.Time{}, done: map[string]int{}, percent: map[string]int{}}
	for _, r := range slices.Concat(lifeReleases, vaultReleases) {
		m.tracks[r.String()] = &track{release: r}
	}
	return m
}

// names are what packages are called, and newest how many versions of each retention keeps.
const (
	names  = 4
	newest = 2
)

// run works until ctx ends, and then finishes what it has begun.
func (m *manager) run(ctx context.Context) error {
	for ctx.Err() == nil {
		pause(ctx, time.Duration(m.rand.IntN(150))*time.Millisecond)
		if ctx.Err() != nil || m.quiet.Load() {
			continue
		}
		if err := m.work(); err != nil {
			return err
		}
	}
	return nil
}

// seed publishes what the manager begins with.
func (m *manager) seed() error {
	states := m.states(lifeReleases...)
	for range names {
		f := m.make()
		m.files = append(m.files, f)
		f.shows(states)
	}
	return m.change(states, false, func() error {
		var g errgroup.Group
		for _, f := range m.files {
			g.Go(func() error { return m.stage(f, "", "acme/life") })
		}
		return g.Wait()
	})
}

// complete reports whether the manager has done everything at least once.
func (m *manager) complete() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.done) == kinds
}

// kinds is how many kinds of operations there are.
const kinds = 12

// work does the next thing: each in its turn at first, so that a short soak has them all, and then at random.
func (m *manager) work() error {
	things := []struct {
		name string
		do   func() error
	}{
		{"promotions", func() error { return m.promote(false) }}, {"snapshots", m.snapshot}, {"release trains published", func() error { return m.train(true) }},
		{"moves", func() error { return m.promote(true) }}, {"rollbacks", m.rollBack}, {"phases", m.phase}, {"deletions and returns", m.deleteAndReturn},
		{"yanks and unyanks by pattern", m.yankSome}, {"release trains dropped", func() error { return m.train(false) }}, {"runs of retention", m.retain}, {"snapshots deleted", m.deleteSnapshot}, {"pushes", m.push},
	}
	thing := things[m.n%len(things)]
	if m.n > 2*len(things) {
		thing = things[m.rand.IntN(len(things))]
	}
	m.n++
	before := len(m.asked)
	err := thing.do()
	m.mu.Lock()
	defer m.mu.Unlock()
	if err == nil && (len(m.asked) > before || thing.name == "pushes") {
		m.done[thing.name]++
	}
	return err
}

// mark returns what the audit log has of the next operation.
func (m *manager) mark() string { return fmt.Sprintf("soak-%04d.", m.n) }

// accepted notes an operation that has ended well.
func (m *manager) accepted(mark string, entries map[catalog.Action]int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.asked = append(m.asked, asked{mark, entries})
}

// change does something after which releases have other packages. What is not atomic is seen in parts.
func (m *manager) change(to map[string]set, atomic bool, do func() error) error {
	var seen []func()
	for release, packages := range to {
		seen = append(seen, m.tracks[release].begin(packages, atomic))
	}
	if err := do(); err != nil {
		return err
	}
	for _, done := range seen {
		done()
	}
	return nil
}

// persist runs a command until it ends well, as an operator does who is patient. What an earlier try has done is found.
func (m *manager) persist(args []string) error {
	for try, again := 0, 0; ; try++ {
		a, err := m.site.ask(m.fate(), args...)
		said := a.Stdout + a.Stderr
		switch {
		case err != nil || a.Code == 0:
			return err
		case a.Code == -1:
			m.commandKills.Add(1)
		case a.excused():
			m.excuses.Add(1)
			again++ // the next try may meet none
		case a.Code == 3 && m.site.calm() < busy: // not in time, since programs were killed
			again++
		case a.Code == 3: // not in time
		case a.Code == 1 && try > 0 && (strings.Contains(said, "has that name") || strings.Contains(said, "has no snapshot")):
			return nil // an earlier try has made or deleted it
		case a.Code == 1 && strings.Contains(said, "poison"): // it met too many kills
			m.given.Add(1)
		case a.Code == 1 && args[0] == "train" && strings.Contains(said, "is being read"): // from a push that was killed
			m.refused++
			time.Sleep(time.Second)
		default:
			m.judge.violated("command", "%v", a)
		}
		if try-again == maxTries {
			return fmt.Errorf("%d tries: %v", try+1, a)
		}
	}
}

// does returns what runs commands until each has ended well.
func (m *manager) does(commands ...[]string) func() error {
	return func() error {
		for _, args := range commands {
			if err := m.persist(args); err != nil {
				return err
			}
		}
		return nil
	}
}

// on returns a command of the catalog, with why it is done.
func (m *manager) on(mark string, args ...string) []string {
	return append(append(args, "--why", mark, "--timeout", "20s"), m.site.catalogs...)
}

// states returns the packages of releases, to be changed.
func (m *manager) states(releases ...catalog.Release) map[string]set {
	all := map[string]set{}
	for _, r := range releases {
		all[r.String()] = m.tracks[r.String()].now()
	}
	return all
}

// make builds a .deb for both codenames and an .rpm for both architectures.
func (m *manager) make() *file {
	m.made++
	f := &file{name: fmt.Sprintf("life%d", m.made%names), version: fmt.Sprintf("%d.0", m.made), sums: map[string]string{}}
	f.build(m.site.t)
	return f
}

// stage pushes the file to all distributions of repositories, for a release train if that has a name, and waits until it is out, or held.
func (m *manager) stage(f *file, train string, repositories ...string) error {
	want := []catalog.UploadState{catalog.Published, catalog.Duplicate}
	if train != "" {
		want = []catalog.UploadState{catalog.Held}
	}
	var g errgroup.Group
	for _, repository := range repositories {
		for _, dist := range []string{"ubuntu/jammy", "ubuntu/noble", "el/9"} {
			body, name := f.deb, "life.deb"
			if strings.HasPrefix(dist, "el/") {
				body, name = f.rpm, "life.rpm"
			}
			g.Go(func() error { return m.put(body, want, repository+"/"+dist+"/", train, name) })
		}
	}
	return g.Wait()
}

// put stages one package until a worker has ended well with it: one that met too many kills is pushed again.
func (m *manager) put(body []byte, want []catalog.UploadState, dir, train, name string) error {
	ctx := context.Background()
	for range maxTries {
		u, err := m.site.staging.Put(ctx, dir+layout.StagedTrainName(layout.NewID(), train, name), bytes.NewReader(body), catalog.Pusher{User: "soak"})
		if err != nil {
			return err
		}
		var v catalog.Verdict
		for end := time.Now().Add(maxCommand); ; pause(ctx, 50*time.Millisecond) {
			err = m.site.despite(func() (err error) { v, err = m.site.catalog.Verdict(ctx, u); return err })
			if err != nil && !errors.Is(err, catalogdb.ErrNotFound) {
				return err
			}
			if err == nil && (v.State.Final() || v.State == catalog.Held) {
				break
			}
			if time.Now().After(end) {
				return fmt.Errorf("%s is %q %s after it was pushed", u, v.State, maxCommand)
			}
		}
		if slices.Contains(want, v.State) {
			return nil
		}
		if v.Reason != "poison" {
			m.judge.violated("I3", "%s is %s, want one of %q", u, shortly(v), want)
		}
		m.given.Add(1)
	}
	return fmt.Errorf("%d pushes to %s have failed", maxTries, dir)
}

// shows adds a file to the releases that show it.
func (f *file) shows(states map[string]set) {
	for release, packages := range states {
		for id, sum := range f.sums {
			if strings.Contains(release, "/"+id[:strings.IndexByte(id, ' ')]) {
				packages[id] = sum
			}
		}
	}
}

// push pushes a version to all distributions of life.
func (m *manager) push() error {
	f, states := m.make(), m.states(lifeReleases...)
	m.files = append(m.files, f)
	f.shows(states)
	return m.change(states, true, func() error { return m.stage(f, "", "acme/life") })
}

// some returns a file that life has, or nil.
func (m *manager) some() *file {
	for range 20 {
		f := m.files[m.rand.IntN(len(m.files))]
		if states := m.states(lifeReleases...); f.in(states) {
			return f
		}
	}
	return nil
}

// in reports whether all releases have a file.
func (f *file) in(states map[string]set) bool {
	with := map[string]set{}
	for release, packages := range states {
		with[release] = maps.Clone(packages)
	}
	f.shows(with)
	for release, packages := range with {
		if !maps.Equal(packages, states[release]) {
			return false
		}
	}
	return true
}

// remove removes a file from releases.
func (f *file) remove(states map[string]set) {
	for _, packages := range states {
		for id := range f.sums {
			delete(packages, id)
		}
	}
}

// pattern selects the .deb and the .rpm.
func (f *file) pattern() string { return f.name + "=" + f.version + "*" }

// promote copies a file from life to vault, or moves it.
func (m *manager) promote(move bool) error {
	f := m.some()
	if f == nil {
		return nil
	}
	mark, to := m.mark(), m.states(vaultReleases...)
	there := f.in(to)
	f.shows(to)
	args, n := []string{"promote", "acme/life", "acme/vault", f.pattern()}, 6 // an entry here and one there
	if there {
		n = 0 // it is there
	}
	if move {
		args, n = append(args, "--move"), 6
		m.mu.Lock()
		for id := range f.sums {
			m.moved[id] = time.Now()
		}
		m.mu.Unlock()
		from := m.states(lifeReleases...)
		f.remove(from)
		maps.Copy(to, from)
	}
	given := m.given.Load()
	if err := m.change(to, false, m.does(m.on(mark, args...))); err != nil {
		return err
	}
	if entries := map[catalog.Action]int{catalog.ActionPromote: n}; given == m.given.Load() { // else it was asked for more than once
		m.accepted(mark, entries)
	}
	return nil
}

// yankSome withdraws all versions of a name from all distributions, and brings them back.
func (m *manager) yankSome() error {
	f := m.some()
	if f == nil {
		return nil
	}
	out, back, n := m.states(lifeReleases...), m.states(lifeReleases...), 0
	for _, g := range m.files {
		if g.name == f.name && g.in(back) {
			n += 3
			g.remove(out)
		} else if g.name == f.name {
			g.remove(out) // some of it may be there
		}
	}
	mark := m.mark()
	yank := append([]string{"yank", "acme/life", f.name + "*", "--all", "--reason", mark, "--timeout", "20s"}, m.site.catalogs...)
	if err := m.change(out, true, m.does(yank)); err != nil {
		return err
	}
	m.accepted(mark, map[catalog.Action]int{catalog.ActionYank: n})
	pause(context.Background(), time.Duration(m.rand.IntN(500))*time.Millisecond)
	m.n++
	var commands [][]string
	mark = m.mark()
	for _, g := range m.files {
		if g.name == f.name && g.in(back) {
			commands = append(commands, m.on(mark, "unyank", "acme/life", g.pattern()))
		}
	}
	if err := m.change(back, false, m.does(commands...)); err != nil {
		return err
	}
	m.accepted(mark, map[catalog.Action]int{catalog.ActionUnyank: n})
	return nil
}
