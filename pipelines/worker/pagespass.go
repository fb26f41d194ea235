package worker

import (
	"context"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"repomill/pipelines"
	"repomill/publish/pages"
	"repomill/schemas/catalog"
)

const (
	pagesGather   = 250 * time.Millisecond // from a publish to its pages: others join it
	maxPages      = 2                      // repositories whose pages are made at the same time
	maxPageShares = 5                      // that one repository has before the others have their turn
	pagesOnce     = 2 * time.Minute        // for the pages of a dispatcher that runs once
	verifyPeriod  = 10 * time.Second       // between two looks at pointers
	pagesDelay    = 30 * time.Second       // for which pages wait at most while many uploads do
)

// A pagesPass makes the pages that are due. No publish waits for it. The zero value is ready, but for its channel.
type pagesPass struct {
	wished  chan struct{}
	waiting atomic.Bool // a wish is on its way
	active  sync.Map    // catalog.Repository: its pipeline runs, and may not have the lease yet
	working errgroup.Group
	failed  wait
	broken  atomic.Bool // a pipeline has failed, not only its pages

	verified string // the repository whose pointers were verified last
}

func newPagesPass() *pagesPass {
	p := &pagesPass{wished: make(chan struct{}, 1)}
	p.working.SetLimit(maxPages)
	return p
}

// wish has pages made soon.
func (p *pagesPass) wish() {
	if !p.waiting.CompareAndSwap(false, true) {
		return
	}
	time.AfterFunc(pagesGather, func() {
		p.waiting.Store(false)
		select {
		case p.wished <- struct{}{}:
		default: // another one has not been heard yet
		}
	})
}

// pagesBehind makes the pages that are due, again and again, until ctx ends. Then it stops, and leaves the rest to other workers.
func (d *Dispatcher) pagesBehind(ctx context.Context) {
	defer d.pages.working.Wait() //nolint:errcheck // they are logged
	if d.Once {
		return // at the end
	}
	last := time.Now()
	every(ctx, catchUpPeriod, d.pages.wished, func() {
		if d.queue.crowded() && time.Since(last) < pagesDelay { // those pages would be made again soon
			return
		}
		last = time.Now()
		d.makePages(ctx)
	})
}

// makePages begins with the pages of all repositories that are behind, as soon as there is a place for each. It returns how many there
// are.
func (d *Dispatcher) makePages(ctx context.Context) (behind int) {
	p := d.pages
	if time.Now().Before(p.failed.until) {
		return 0
	}
	repositories, err := d.Resources.PagesBehind(ctx, maxBehind)
	if err != nil {
		if p.failed = p.failed.longer(minRetryDelay, time.Now()); ctx.Err() == nil {
			d.Resources.Log.Error("pages that are to be made not read; tried again soon", "error", err)
		}
		return 0
	}
	p.failed = wait{}
	for _, r := range repositories {
		if _, there := p.active.LoadOrStore(r, true); there || ctx.Err() != nil {
			continue
		}
		p.working.Go(func() error { // once one has ended
			defer p.active.Delete(r)
			job := pipelines.PagesJob{Owner: d.owner, Shares: maxPageShares}
			if err := pipelines.RunPages(ctx, d.Run, d.Resources.Config, job, []catalog.Repository{r}); err != nil && ctx.Err() == nil {
				p.broken.Store(true)
				d.Resources.Log.Error("pipeline failed; the pages are made later", "repository", r.String(), "error", err)
			}
			return nil
		})
	}
	return len(repositories)
}

// pagesAtEnd makes the pages that are due, for a dispatcher that runs once. What takes longer than it may is left to other workers, and so
// is all of it if a pipeline fails: the next one would, too.
func (d *Dispatcher) pagesAtEnd(work context.Context) {
	ctx, stop := context.WithTimeout(work, pagesOnce)
	defer stop()
	for ctx.Err() == nil && !d.pages.broken.Load() && d.makePages(ctx) > 0 {
		d.pages.working.Wait() //nolint:errcheck // they are logged
	}
	if ctx.Err() != nil && work.Err() == nil {
		d.Resources.Log.Warn("pages are left to other workers", "after", pagesOnce.String())
	}
}

// verifyPublished reads published pointers back, so that the pages of revisions say that they are good: of a few repositories each time,
// and of all within the period of verification.
func (d *Dispatcher) verifyPublished(ctx context.Context) {
	states, err := d.Resources.Catalog.Repositories(ctx)
	if err != nil {
		if ctx.Err() == nil {
			d.Resources.Log.Error("repositories to be verified not read", "error", err)
		}
		return
	}
	names := make([]string, len(states))
	for i, s := range states {
		names[i] = s.Repository.String()
	}
	slices.Sort(names)
	for range verifications(len(names)) {
		i, _ := slices.BinarySearch(names, d.pages.verified+"\x00") // behind it
		name := names[i%len(names)]
		d.pages.verified = name
		owner, repository, _ := strings.Cut(name, "/")
		if _, err := d.Resources.Pages.Verify(ctx, catalog.Repository{Owner: owner, Name: repository}); err != nil && ctx.Err() == nil {
			d.Resources.Log.Warn("published pointers not verified; tried again later", "repository", name, "error", err)
		}
	}
}

// verifications returns how many of so many repositories are looked at each time: all of them in half of the period.
func verifications(repositories int) int {
	rounds := int(pages.VerifyPeriod / 2 / verifyPeriod)
	return (repositories + rounds - 1) / rounds
}
