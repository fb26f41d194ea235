package soak_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"sync"
	"testing"
	"time"

	"repomill/publish/tree"
	"repomill/schemas/catalog"
	"repomill/schemas/layout"
)

// A register is what all readers saw of one pointer. It is linearizable if there is one order of its states so that each read returns
// the state at some moment between its beginning and its end. The order is known: each published state names the one that it replaced.
type register struct {
	mu   sync.Mutex
	seen map[string]*glimpses // by digest
}

// Glimpses are the reads that returned one state.
type glimpses struct {
	n         int
	firstEnd  time.Time // the earliest end of one of them
	lastBegin time.Time // the latest beginning of one
}

// saw notes a read between two times.
func (r *register) saw(digest string, begin, end time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.seen == nil {
		r.seen = map[string]*glimpses{}
	}
	g := r.seen[digest]
	if g == nil {
		g = &glimpses{firstEnd: end, lastBegin: begin}
		r.seen[digest] = g
	}
	g.n++
	if end.Before(g.firstEnd) {
		g.firstEnd = end
	}
	if begin.After(g.lastBegin) {
		g.lastBegin = begin
	}
}

// A state is one that was published.
type state struct {
	digest string
	since  time.Time // when a program recorded that clients see it; zero if that is not known
}

// judge returns what is wrong with the reads of a pointer that had these states, oldest first: a state that was never published; one that
// was read after a read of a later one had ended, or after it was recorded that a later one is published. The clock of those records may be off by step.
func (r *register) judge(states []state, step time.Duration) (wrong []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	known := map[string]bool{}
	for _, s := range states {
		known[s.digest] = true
	}
	for digest := range r.seen {
		if !known[digest] {
			wrong = append(wrong, fmt.Sprintf("%.12s was read, and is not one of the %d published states", digest, len(states)))
		}
	}
	var later time.Time // from here on, no earlier state may be read
	for i, s := range slices.Backward(states) {
		g := r.seen[s.digest]
		if g != nil && !later.IsZero() && g.lastBegin.After(later) {
			wrong = append(wrong, fmt.Sprintf("state %d of %d, %.12s, was read %s after a later one was seen or recorded", i+1, len(states), s.digest, g.lastBegin.Sub(later)))
		}
		if g != nil && (later.IsZero() || g.firstEnd.Before(later)) {
			later = g.firstEnd
		}
		if recorded := s.since.Add(step); !s.since.IsZero() && (later.IsZero() || recorded.Before(later)) {
			later = recorded
		}
	}
	return wrong
}

// registers are those of all releases, by the key of the pointer.
type registers struct{ all sync.Map }

func (r *registers) of(key string) *register {
	v, _ := r.all.LoadOrStore(key, &register{})
	return v.(*register)
}

// watch reads all pointers in its own order, again and again, and notes what it sees.
func (k *soaking) watch(ctx context.Context) error {
	for ctx.Err() == nil {
		for _, release := range everyRelease() {
			key, begin := layout.PointerKey(release), time.Now()
			body, err := read(context.WithoutCancel(ctx), k.site.tree, key)
			switch {
			case err == nil:
				k.registers.of(key).saw(digest(body), begin, time.Now())
				k.watched.Add(1)
			case !errors.Is(err, fs.ErrNotExist):
				k.judge.violated("I1", "%s: pointer: %v", release, err)
			}
			pause(ctx, 10*time.Millisecond)
		}
	}
	return nil
}

// everyRelease returns the releases of all repositories.
func everyRelease() []catalog.Release { return slices.Concat(allReleases, lifeReleases, vaultReleases) }

// wantLinearizable demands that all reads of each pointer are explained by its published states.
func (k *soaking) wantLinearizable(t *testing.T) {
	t.Helper()
	recorded, err := k.recorded(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, release := range everyRelease() {
		key := layout.PointerKey(release)
		states, err := k.chain(t.Context(), release, recorded[release.String()])
		if err != nil {
			t.Fatal(err)
		}
		k.states += len(states)
		for _, wrong := range k.registers.of(key).judge(states, k.site.clockStep) {
			k.judge.violated("linearizability", "%s: %s", release, wrong)
		}
	}
}

// chain returns the states of a release, oldest first: each manifest names the pointer that was replaced. recorded is when revisions
// were published.
func (k *soaking) chain(ctx context.Context, release catalog.Release, recorded map[int64]time.Time) (states []state, err error) {
	body, err := read(ctx, k.site.tree, layout.PointerKey(release))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	keys := map[string]string{} // of manifests, by pointer
	if err == nil {
		err = k.site.bucket.List(ctx, layout.HistoryPrefix(release), func(key string, _ layout.Meta) error {
			if pointer, ok := tree.PointerOf(release, key); ok {
				keys[pointer] = key
			}
			return nil
		})
	}
	for sum := digest(body); err == nil && sum != ""; {
		var m tree.Manifest
		if m, err = tree.ReadManifest(ctx, k.site.bucket, release, keys[sum]); err != nil {
			return nil, fmt.Errorf("the manifest of state %.12s: %w", sum, err)
		}
		states = append(states, state{sum, recorded[m.Revision]})
		sum = m.Previous
	}
	slices.Reverse(states)
	return states, err
}

// recorded returns when the catalog recorded the publishes of each release, by revision.
func (k *soaking) recorded(ctx context.Context) (map[string]map[int64]time.Time, error) {
	driver, dsn, err := k.site.database()
	if err != nil {
		return nil, err
	}
	db, err := sql.Open(driver, dsn)
	if err != nil {
		return nil, err
	}
	defer db.Close()
	rows, err := db.QueryContext(ctx, `SELECT o.owner, o.name, d.os, d.version, r.arch, u.revision, u.published_at FROM publications u
		JOIN releases r ON r.id = u.release_id JOIN distributions d ON d.id = r.distribution_id JOIN repositories o ON o.id = d.repository_id
		WHERE u.published_at IS NOT NULL`)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	all := map[string]map[int64]time.Time{}
	for rows.Next() {
		var owner, name, os, version, arch string
		var revision, at int64
		if err := rows.Scan(&owner, &name, &os, &version, &arch, &revision, &at); err != nil {
			return nil, err
		}
		release := owner + "/" + name + "/" + os + "/" + version
		if arch != "" {
			release += "/" + arch
		}
		if all[release] == nil {
			all[release] = map[int64]time.Time{}
		}
		all[release][revision] = time.UnixMilli(at)
	}
	return all, rows.Err()
}
