package soak_test

import (
	"context"
	"database/sql"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	_ "github.com/go-sql-driver/mysql"
	_ "modernc.org/sqlite"

	"repomill/schemas/catalog"
	"repomill/schemas/layout"
	"repomill/testdata/debtest"
	"repomill/testdata/rpmtest"
)

// build builds the .deb and the .rpm of a file.
func (f *file) build(t *testing.T) {
	t.Helper()
	f.deb = debtest.Build(t, debtest.Spec{Name: f.name, Version: f.version, Arch: "amd64"})
	f.rpm = rpmtest.Build(t, rpmtest.Spec{Name: f.name, Version: f.version, Arch: "noarch"})
	f.sums[idOf("ubuntu/jammy", f.name, f.version, "amd64")] = digest(f.deb)
	f.sums[idOf("ubuntu/noble", f.name, f.version, "amd64")] = digest(f.deb)
	f.sums[idOf("el/9", f.name, f.version+"-1", "noarch")] = digest(f.rpm)
}

// train pushes a file for a release train of both repositories, and publishes or drops that.
func (m *manager) train(publish bool) error {
	name, f := fmt.Sprintf("t%04d", m.n), m.make()
	if err := m.stage(f, name, "acme/life", "acme/vault"); err != nil { // nothing of it is to be seen
		return err
	}
	mark := m.mark()
	if !publish {
		err := m.persist(m.on(mark, "train", "drop", "acme/"+name))
		m.accepted(mark, map[catalog.Action]int{catalog.ActionTrainDrop: 2})
		return err
	}
	to := m.states(lifeReleases...)
	maps.Copy(to, m.states(vaultReleases...))
	f.shows(to)
	m.files = append(m.files, f)
	refused := m.refused
	if err := m.change(to, true, m.does(m.on(mark, "train", "publish", "acme/"+name))); err != nil {
		return err
	}
	entries := map[catalog.Action]int{catalog.ActionTrainAsk: 2, catalog.ActionTrainPublish: 2}
	if m.refused > refused { // it was asked for more than once
		delete(entries, catalog.ActionTrainAsk)
	}
	m.accepted(mark, entries)
	return nil
}

// maxKept is how many snapshots there are at a time.
const maxKept = 5

// snapshot keeps the present state of life.
func (m *manager) snapshot() error {
	if m.pickKept() != nil && len(m.live()) >= maxKept {
		return m.deleteSnapshot()
	}
	mark, s := m.mark(), &kept{name: fmt.Sprintf("s%04d", m.n), sets: m.states(lifeReleases...)}
	if err := m.persist(m.on(mark, "snapshot", "create", "acme/life", "--name", s.name)); err != nil {
		return err
	}
	for try := 0; ; try++ {
		var found catalog.Snapshot
		err := m.site.despite(func() (err error) {
			found, err = m.site.catalog.FindSnapshot(context.Background(), lifeReleases[0].Repository, s.name)
			return err
		})
		if err != nil {
			return err
		}
		if s.id = found.ID; found.State == catalog.SnapshotKept {
			break
		}
		if try > 600 { // an earlier try had asked for it, and its command was killed
			m.judge.violated("L1", "snapshot %s is %s: %s", s.name, found.State, found.Fault)
			return nil
		}
		pause(context.Background(), 100*time.Millisecond)
	}
	m.accepted(mark, map[catalog.Action]int{catalog.ActionSnapshot: 1})
	m.mu.Lock()
	defer m.mu.Unlock()
	m.snapshots = append(m.snapshots, s)
	return nil
}

// live returns the snapshots whose deletion has not begun.
func (m *manager) live() (all []*kept) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, s := range m.snapshots {
		if !s.gone {
			all = append(all, s)
		}
	}
	return all
}

func (m *manager) pickKept() *kept {
	all := m.live()
	if len(all) == 0 {
		return nil
	}
	return all[m.rand.IntN(len(all))]
}

func (m *manager) deleteSnapshot() error {
	s := m.pickKept()
	if s == nil {
		return nil
	}
	m.mu.Lock()
	s.gone = true
	m.mu.Unlock()
	mark := m.mark()
	err := m.persist(m.on(mark, "snapshot", "delete", "acme/life", s.name))
	m.accepted(mark, map[catalog.Action]int{catalog.ActionSnapshotDelete: 1})
	return err
}

// rollBack gives clients of life the packages of a snapshot.
func (m *manager) rollBack() error {
	s := m.pickKept()
	if s == nil {
		return nil
	}
	mark, to, n := m.mark(), map[string]set{}, 0
	for release, packages := range s.sets {
		to[release] = maps.Clone(packages)
		if !maps.Equal(packages, m.tracks[release].now()) {
			n = 1
		}
	}
	if err := m.change(to, true, m.does(m.on(mark, "rollback", "acme/life", "--to", s.name))); err != nil {
		return err
	}
	m.accepted(mark, map[catalog.Action]int{catalog.ActionRollback: n})
	return nil
}

// phase has a part of the hosts upgrade to a .deb, and looks for that in the index.
func (m *manager) phase() error {
	f := m.some()
	if f == nil {
		return nil
	}
	source := f.name + " " + f.version
	was, phased := m.percent[source]
	if !phased {
		was = catalog.Everyone
	}
	percent := []int{10, 50, catalog.Everyone}[m.rand.IntN(3)]
	if percent == was {
		percent = 25
	}
	mark := m.mark()
	m.percent[source] = percent
	if err := m.persist(m.on(mark, "phase", "acme/life/ubuntu/jammy", f.name+"="+f.version, strconv.Itoa(percent)+"%")); err != nil {
		return err
	}
	m.accepted(mark, map[catalog.Action]int{catalog.ActionPhase: 1})
	stanza, err := m.stanza(lifeReleases[0], f)
	if err != nil {
		return err
	}
	if got, phased := catalog.PhaseOf(stanza); got != percent && (phased || percent != catalog.Everyone) {
		m.judge.violated("L1", "%s was given the phase %d%%, and clients see %d%%", source, percent, got)
	}
	return nil
}

// stanza returns what the index says of a .deb.
func (m *manager) stanza(r catalog.Release, f *file) ([]byte, error) {
	body, err := read(context.Background(), m.site.tree, layout.PointerKey(r))
	if err != nil {
		return nil, err
	}
	p, err := parsePointer(r, body)
	if err != nil {
		return nil, err
	}
	for _, key := range p.listings {
		index, err := read(context.Background(), m.site.tree, key)
		if err != nil {
			return nil, err
		}
		text, err := unpack(index)
		if err != nil {
			return nil, err
		}
		for stanza := range strings.SplitSeq(string(text), "\n\n") {
			if strings.HasPrefix(stanza, "Package: "+f.name+"\n") && strings.Contains(stanza, "\nVersion: "+f.version+"\n") {
				return []byte(stanza + "\n"), nil
			}
		}
	}
	return nil, nil
}

// deleteAndReturn deletes life, and brings it back.
func (m *manager) deleteAndReturn() error {
	empty, back := map[string]set{}, m.states(lifeReleases...)
	for release := range back {
		empty[release] = set{}
	}
	mark := m.mark()
	if err := m.change(empty, true, m.does(m.on(mark, "repo", "delete", "acme/life", "--yes"))); err != nil {
		return err
	}
	m.accepted(mark, map[catalog.Action]int{catalog.ActionRepoDelete: 1})
	pause(context.Background(), time.Duration(m.rand.IntN(500))*time.Millisecond)
	m.n++
	mark = m.mark()
	if err := m.change(back, true, m.does(m.on(mark, "repo", "undelete", "acme/life"))); err != nil {
		return err
	}
	m.accepted(mark, map[catalog.Action]int{catalog.ActionRepoUndelete: 1})
	return nil
}

// retain withdraws all but the newest versions of each name, after their time has passed in the catalog.
func (m *manager) retain() error {
	if !m.ruled {
		mark := m.mark()
		if err := m.persist(m.on(mark, "retain", "set", "acme/life", "--newest", strconv.Itoa(newest))); err != nil {
			return err
		}
		m.ruled = true
		m.accepted(mark, map[catalog.Action]int{catalog.ActionRepoSet: 1})
		m.n++
	}
	if err := m.site.age(true); err != nil {
		return err
	}
	to, n := m.states(lifeReleases...), 0
	for release, packages := range to {
		if m.expire(release, packages) {
			n = 1
		}
	}
	mark := m.mark()
	if err := m.change(to, true, m.does(m.on(mark, "retain", "run", "acme/life"))); err != nil {
		return err
	}
	if err := m.site.age(false); err != nil {
		return err
	}
	m.accepted(mark, map[catalog.Action]int{catalog.ActionRetain: n})
	return nil
}

// expire removes all but the newest versions of each name from the packages of a release. A version that not all hosts upgrade to pushes no other
// one out.
func (m *manager) expire(release string, packages set) (expired bool) {
	left := map[string]int{}
	for _, f := range slices.Backward(m.files) { // versions rise
		id := ""
		for one := range f.sums {
			if _, ok := packages[one]; ok {
				id = one
			}
		}
		if id == "" {
			continue
		}
		percent, asked := m.percent[f.name+" "+f.version]
		phased := asked && percent < catalog.Everyone && release == lifeReleases[0].String() // the one with phases
		switch {
		case left[f.name] == newest:
			delete(packages, id)
			expired = true
		case !phased:
			left[f.name]++
		}
	}
	return expired
}

// database returns how the catalog is opened without the program.
func (s *site) database() (driver, dsn string, err error) {
	u, err := url.Parse(s.catalogURL)
	if err != nil {
		return "", "", err
	}
	if u.Scheme == "mysql" {
		return "mysql", u.User.Username() + "@unix(" + u.Query().Get("socket") + ")" + u.Path, nil
	}
	return "sqlite", "file:" + u.Path + "?_pragma=busy_timeout(30000)", nil
}

// age has all packages that are active be two months older, or younger again, and clients see them since then: rules of retention keep what is younger than
// two weeks. What was withdrawn stays as it is published.
func (s *site) age(older bool) error {
	s.outages.whole.RLock() // a statement that is repeated would count twice
	defer s.outages.whole.RUnlock()
	driver, dsn, err := s.database()
	if err != nil {
		return err
	}
	db, err := sql.Open(driver, dsn)
	if err != nil {
		return err
	}
	defer db.Close()
	months := int64(60 * 24 * 3_600_000) // in ms
	if !older {
		months = -months
	}
	const life = "(SELECT d.id FROM distributions d JOIN repositories p ON p.id = d.repository_id WHERE p.name = 'life')"
	for _, query := range []string{
		"UPDATE visibility SET came_at = came_at - ? WHERE came_at > 0 AND went IS NULL AND release_id IN (SELECT id FROM releases WHERE distribution_id IN " + life + ")",
		"UPDATE packages SET uploaded_at = uploaded_at - ? WHERE state = 'active' AND distribution_id IN " + life,
	} {
		for try := 0; ; try++ {
			if _, err = db.Exec(query, months); err == nil {
				break
			}
			if try == 20 {
				return fmt.Errorf("age packages: %w", err)
			}
			time.Sleep(100 * time.Millisecond)
		}
	}
	return nil
}
