package soak_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"repomill/schemas/catalog"
	"repomill/schemas/layout"
)

// A lifeReader reads the releases and snapshots of a manager as clients do.
type lifeReader struct {
	*reader
	manager *manager
}

func newLifeReader(k *soaking, m *manager) *lifeReader {
	return &lifeReader{&reader{soaking: k, rand: k.source(5), seen: map[catalog.Release]*view{}, kept: map[string]fact{}}, m}
}

// run reads until ctx ends.
func (r *lifeReader) run(ctx context.Context) error {
	for n := 0; ctx.Err() == nil; n++ {
		r.round(context.WithoutCancel(ctx))
		if live := r.manager.live(); len(live) > 0 {
			r.readSnapshot(context.WithoutCancel(ctx), live[n%len(live)])
		}
		r.lookAgain(context.WithoutCancel(ctx), 10)
		pause(ctx, time.Duration(50+r.rand.IntN(100))*time.Millisecond)
	}
	return nil
}

// round reads all releases, those that packages move to after those where they were: a package that is not seen any more where it was is seen
// in its new place.
func (r *lifeReader) round(ctx context.Context) {
	r.manager.mu.Lock()
	moved := maps.Clone(r.manager.moved)
	r.manager.mu.Unlock()
	from, to := map[string]set{}, map[string]set{}
	for _, release := range lifeReleases {
		if shown, ok := r.read(ctx, release); ok {
			from[release.String()] = shown
		}
	}
	for _, release := range vaultReleases {
		if shown, ok := r.read(ctx, release); ok {
			to[release.String()] = shown
		}
	}
	for release, shown := range from {
		there, read := to[strings.Replace(release, "acme/life/", "acme/vault/", 1)]
		for id := range moved {
			if dist, _, _ := strings.Cut(id, " "); read && strings.Contains(release, "/"+dist) && shown[id] == "" && there[id] == "" {
				r.judge.violated("L1", "%s was moved, and is neither in %s nor in vault", id, release)
			}
		}
	}
}

// read reads a release once, and returns what it shows. Before its first publish it has no pointer.
func (r *lifeReader) read(ctx context.Context, release catalog.Release) (shown set, ok bool) {
	begin, last, track := time.Now(), r.seen[release], r.manager.tracks[release.String()]
	body, err := read(ctx, r.site.tree, layout.PointerKey(release))
	end := time.Now()
	if err != nil {
		if last != nil || !r.site.absent(err) {
			r.judge.violated("I1", "%s: pointer: %v", release, err)
		}
		return nil, false
	}
	r.reads.Add(1)
	r.registers.of(layout.PointerKey(release)).saw(digest(body), begin, end)
	if release.Arch == "" {
		if _, err := r.site.trusted.VerifyClear(body); err != nil {
			r.judge.violated("I8", "%s: %v", release, err)
		}
	}
	if last == nil || last.digest != digest(body) {
		next, err := r.newView(ctx, release, body)
		if err != nil {
			r.judge.violated("I1", "%s: %v", release, err)
			return nil, false
		}
		r.compare(release, last, next)
		r.seen[release], last = next, next
		r.pointers.Add(1)
	}
	shown = last.set()
	if wrong := track.saw(shown, begin, end); wrong != "" {
		r.judge.violated("L1", "%s", wrong)
	}
	return shown, true
}

func (v *view) set() set {
	all := set{}
	for id, k := range v.rows {
		all[id] = k.sha256
	}
	return all
}

// readSnapshot reads a snapshot: it has what was published when it was taken, as long as its deletion has not begun.
func (r *lifeReader) readSnapshot(ctx context.Context, s *kept) {
	var wrong []string
	for _, release := range lifeReleases {
		shown, err := r.snapshotSet(ctx, s, release)
		if err != nil {
			wrong = append(wrong, fmt.Sprintf("%s: %v", release, err))
		} else if want := s.sets[release.String()]; !maps.Equal(shown, want) {
			wrong = append(wrong, fmt.Sprintf("%s has %v too much, and lacks %v", release, few(without(shown, want)), few(without(want, shown))))
		}
	}
	r.manager.snapshotReads.Add(1)
	if len(wrong) > 0 && slices.Contains(r.manager.live(), s) {
		r.judge.violated("L3", "snapshot %s (%s): %s", s.name, s.id, strings.Join(wrong, "; "))
	}
}

// snapshotSet returns what a release of a snapshot shows, all its packages read. The paths are those of clients, as the resolver reads them.
func (r *lifeReader) snapshotSet(ctx context.Context, s *kept, release catalog.Release) (set, error) {
	body, err := r.atPath(ctx, layout.InSnapshot(release.Repository, s.id, layout.PointerKey(release)))
	if err != nil {
		return nil, err
	}
	p, err := parsePointer(release, body)
	if err != nil {
		return nil, err
	}
	shown := set{}
	for _, key := range p.listings {
		index, err := r.atPath(ctx, layout.InSnapshot(release.Repository, s.id, key))
		if err != nil {
			return nil, err
		}
		packages, err := parseListing(release, index)
		if err != nil {
			return nil, err
		}
		for _, k := range packages {
			file, err := r.atPath(ctx, layout.InSnapshot(release.Repository, s.id, k.key))
			if err != nil {
				return nil, err
			}
			if sum := digest(file); sum != k.sha256 {
				return nil, fmt.Errorf("%s has the digest %s, listed is %s", k.key, sum, k.sha256)
			}
			shown[idOf(release.Distribution.String(), k.name, k.version, k.arch)] = k.sha256
		}
	}
	return shown, nil
}

// atPath reads what a path leads to.
func (r *lifeReader) atPath(ctx context.Context, path string) ([]byte, error) {
	ref, ok := layout.Parse(path)
	if !ok {
		return nil, fmt.Errorf("%s leads nowhere", path)
	}
	return read(ctx, r.site.tree, ref.Key)
}

func unpack(index []byte) ([]byte, error) {
	z, err := gzip.NewReader(bytes.NewReader(index))
	if err != nil {
		return nil, err
	}
	return io.ReadAll(io.LimitReader(z, maxObject))
}

// final demands that clients see the last state of all, that snapshots are whole, and that the audit log has each operation once.
func (r *lifeReader) final(t *testing.T) {
	t.Helper()
	r.round(t.Context())
	for name, track := range r.manager.tracks {
		v, want := r.seen[track.release], track.now()
		if v == nil || !maps.Equal(v.set(), want) {
			r.judge.violated("L1", "%s does not show the last state, of %d packages", name, len(want))
		}
	}
	for _, s := range r.manager.live() {
		r.readSnapshot(t.Context(), s)
	}
	r.lookAtAll(t.Context())
	r.wantAudit(t)
}

// wantAudit demands that the audit log has each operation that was accepted exactly once.
func (r *lifeReader) wantAudit(t *testing.T) {
	t.Helper()
	type key struct {
		mark   string
		action catalog.Action
	}
	got, said := map[key]int{}, map[string]int{}
	for e, err := range r.site.catalog.Log(t.Context(), catalog.Target{Owner: "acme"}, time.Time{}) {
		if err != nil {
			t.Fatal(err)
		}
		i := strings.Index(e.Why, "soak-")
		if i < 0 || len(e.Why) < i+10 {
			continue
		}
		mark := e.Why[i : i+10]
		got[key{mark, e.Action}]++
		said[mark+" "+string(e.Action)+" "+e.Target+" "+e.Detail]++
	}
	for _, a := range r.manager.asked {
		for action, n := range a.entries {
			if have := got[key{a.mark, action}]; have != n {
				r.judge.violated("L6", "%s has %d entries of %s in the audit log, want %d", a.mark, have, action, n)
			}
		}
		r.manager.audited++
	}
	for entry, n := range said {
		if n > 1 && !strings.Contains(entry, string(catalog.ActionPromote)) && !strings.Contains(entry, "train.") { // these may be refused, and asked for once more
			r.judge.violated("L6", "the audit log has %d times: %s", n, entry)
		}
	}
}
