package pages

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"runtime/debug"
	"slices"
	"sync"

	"golang.org/x/sync/errgroup"

	"repomill/publish/pages/model"
	"repomill/schemas/catalog"
	"repomill/schemas/catalogdb"
)

// Parallel is how many names, or parts of the list of names, are made at the same time: stores answer in milliseconds.
const Parallel = 8

// A work is one call of [Maker.Make].
type work struct {
	*Maker
	repository catalog.Repository
	about      model.Repository // what each page says; without a description, which the front page has

	mu     sync.Mutex
	counts Counts
}

func (w *work) count(c Counts) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.counts.Add(c)
}

// Make makes the pages of requests, and those that name them: lists, and the front page. failed has the requests that could not be
// met, and why: they concern no others. The error is one of what the requests have in common; all of them are then to be repeated.
func (m *Maker) Make(ctx context.Context, of catalogdb.PageWork) (failed map[int64]string, done Counts, err error) {
	w := &work{Maker: m, repository: of.Repository}
	defer func() { done = w.counts }()
	front, err := m.Catalog.PageFront(ctx, of.Repository, 0)
	if err != nil {
		return nil, done, err
	}
	private := front.Settings.Visibility != catalog.Public
	w.about = model.Repository{Name: of.Repository, Private: private, Snapshots: front.Snapshots.Ever, Mutable: front.Settings.Mutable}
	if of.Front && private { // first of all: others shall not read of it
		if err := w.roots(ctx); err != nil {
			return nil, done, err
		}
	}
	if err := w.createAssets(ctx, of.Front); err != nil {
		return nil, done, err
	}
	failed, err = w.requests(ctx, of.Requests)
	alone := !slices.ContainsFunc(of.Requests, func(q catalogdb.PageRequest) bool { return !q.Alone })
	if err == nil && (of.Front || !alone) {
		err = w.whole(ctx, of.Front)
	}
	if err == nil && of.Front && !private {
		err = w.guard(func() error { return w.roots(ctx) })
	}
	return failed, done, err
}

// createAssets writes what pages load: once in a process, and whenever all pages may have been asked for.
func (w *work) createAssets(ctx context.Context, again bool) error {
	if w.assets.Load() && !again {
		return nil
	}
	for _, a := range w.html.Assets() {
		if err := w.create(ctx, a); err != nil {
			return err
		}
	}
	w.assets.Store(true)
	return nil
}

// A group is the requests for one name.
type group struct {
	name     string
	versions []string // empty: all
	alone    bool     // only the pages of the versions are to be made
	fresh    bool     // most likely the bucket has no page of it
	ids      []int64
}

// groups returns requests by name, in the order of names.
func groups(requests []catalogdb.PageRequest) []group {
	byName, all := map[string]*group{}, map[string]bool{}
	for _, q := range requests {
		g := byName[q.Name]
		if g == nil {
			g = &group{name: q.Name, alone: true, fresh: true}
			byName[q.Name] = g
		}
		g.ids = append(g.ids, q.ID)
		g.alone = g.alone && q.Alone
		g.fresh = g.fresh && q.New && q.Attempts == 0
		if q.Version == "" {
			all[q.Name] = true
		} else if !slices.Contains(g.versions, q.Version) {
			g.versions = append(g.versions, q.Version)
		}
	}
	var sorted []group
	for _, name := range slices.Sorted(maps.Keys(byName)) {
		g := byName[name]
		if all[name] {
			g.versions = nil
		}
		slices.Sort(g.versions)
		sorted = append(sorted, *g)
	}
	return sorted
}

// requests makes the pages of versions and of names, and then the parts of the list that have these names. A name that fails fails
// its requests alone.
func (w *work) requests(ctx context.Context, requests []catalogdb.PageRequest) (failed map[int64]string, err error) {
	failed = map[int64]string{}
	byName := map[string]group{}
	var mu sync.Mutex
	fail := func(name string, err error) {
		mu.Lock()
		defer mu.Unlock()
		for _, id := range byName[name].ids {
			failed[id] = err.Error()
		}
		w.Log.Warn("pages of a package not made; tried again later", "repository", w.repository.String(), "package", name, "error", err)
	}
	all := groups(requests)
	names := make([]string, 0, len(all))
	for _, g := range all {
		byName[g.name], names = g, append(names, g.name)
	}
	w.side(ctx, names, fail, func(name string) error { return w.makeName(ctx, byName[name]) })
	if ctx.Err() != nil {
		return failed, ctx.Err()
	}
	names = slices.DeleteFunc(names, func(name string) bool { return byName[name].alone })
	asked, err := w.partsOf(ctx, names)
	if err != nil {
		return failed, err
	}
	parts := slices.SortedFunc(maps.Keys(asked), comparePlaces)
	var g errgroup.Group
	g.SetLimit(Parallel)
	for _, p := range parts {
		g.Go(func() error {
			if err := w.guard(func() error { return w.part(ctx, p) }); err != nil && ctx.Err() == nil {
				for _, name := range asked[p] {
					fail(name, err)
				}
			}
			return nil
		})
	}
	return failed, errors.Join(g.Wait(), ctx.Err())
}

// side calls do for names, some at the same time, and fail for those whose call fails.
func (w *work) side(ctx context.Context, names []string, fail func(string, error), do func(name string) error) {
	var g errgroup.Group
	g.SetLimit(Parallel)
	for _, name := range names {
		if ctx.Err() != nil {
			break
		}
		g.Go(func() error {
			if err := w.guard(func() error { return do(name) }); err != nil && ctx.Err() == nil {
				fail(name, err)
			}
			return nil
		})
	}
	g.Wait() //nolint:errcheck // fail has the errors
}

// guard turns a panic into an error.
func (w *work) guard(do func() error) (err error) {
	defer func() {
		if v := recover(); v != nil {
			w.Log.Error("panic while pages were made", "repository", w.repository.String(), "panic", v, "stack", string(debug.Stack()))
			err = fmt.Errorf("panic: %v", v)
		}
	}()
	return do()
}
