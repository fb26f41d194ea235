package main

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	"repomill/pipelines"
	"repomill/schemas/catalog"
	"repomill/schemas/catalogdb"
)

// How often the progress is shown: on a terminal, and elsewhere.
const (
	redrawPeriod = 200 * time.Millisecond
	plainPeriod  = 10 * time.Second
)

// A reindexReport shows how a reindex goes on, and what it came to. Results go to the standard output, and
// the progress to the standard error: on a terminal one line that is drawn again and again, else plain lines.
type reindexReport struct {
	io       stdio
	json     bool
	terminal bool
	begun    time.Time

	mu        sync.Mutex
	run       int64          // in the catalog; 0 for a dry run
	totals    map[string]int // packages by release
	done      map[string]int // of them rendered
	releases  int            // to reindex
	finished  int
	identical int
	published int
	different int
	failed    int
	packages  int // of the releases that are finished
	drawn     bool
}

func newReindexReport(io stdio, json bool) *reindexReport {
	return &reindexReport{io: io, json: json, terminal: isTerminal(io.err), begun: time.Now(), totals: map[string]int{}, done: map[string]int{}}
}

// count counts the packages of releases that are in the catalog, for the progress.
func (p *reindexReport) count(ctx context.Context, db *catalogdb.DB, releases []catalog.Release) error {
	for _, r := range releases {
		n, err := db.Count(ctx, r)
		if err != nil {
			return err
		}
		p.totals[r.String()] = n
	}
	return nil
}

// began takes over the releases that are left in a run.
func (p *reindexReport) began(run catalogdb.ReindexRun, left []catalog.Release) {
	p.mu.Lock()
	defer p.mu.Unlock()
	totals := map[string]int{}
	for _, r := range left {
		totals[r.String()] = p.totals[r.String()]
	}
	p.run, p.totals, p.releases = run.ID, totals, len(left)
	if c := run.Counts; c.Identical+c.Published > 0 {
		fmt.Fprintf(p.io.err, "continuing run %d: %d releases are done, %d are left; to begin anew, repomill reindex cancel %d first\n",
			run.ID, c.Identical+c.Published, len(left), run.ID)
	}
}

// start shows the progress from time to time until stop is called.
func (p *reindexReport) start() (stop func()) {
	period := plainPeriod
	if p.terminal {
		period = redrawPeriod
	}
	tick, ended := time.NewTicker(period), make(chan struct{})
	var showing sync.WaitGroup
	showing.Go(func() {
		for {
			select {
			case <-tick.C:
				p.show()
			case <-ended:
				return
			}
		}
	})
	return func() {
		tick.Stop()
		close(ended)
		showing.Wait()
		p.mu.Lock()
		defer p.mu.Unlock()
		p.wipe()
	}
}

// show writes the progress.
func (p *reindexReport) show() {
	p.mu.Lock()
	defer p.mu.Unlock()
	line := p.progress(time.Since(p.begun))
	if !p.terminal {
		fmt.Fprintln(p.io.err, line)
		return
	}
	fmt.Fprintf(p.io.err, "\r\x1b[K%s", line)
	p.drawn = true
}

// wipe takes the line off a terminal.
func (p *reindexReport) wipe() {
	if p.drawn {
		fmt.Fprint(p.io.err, "\r\x1b[K")
		p.drawn = false
	}
}

func (p *reindexReport) progress(since time.Duration) string {
	done, total := 0, 0
	for release, n := range p.totals {
		done += min(p.done[release], n)
		total += n
	}
	var b strings.Builder
	fmt.Fprintf(&b, "release %d of %d, %d of %d packages", min(p.finished+1, p.releases), p.releases, done, total)
	if seconds := since.Seconds(); done > 0 && seconds > 0 {
		fmt.Fprintf(&b, ", %.0f/s", float64(done)/seconds)
	}
	if left := timeLeft(done, total, since); left > 0 {
		fmt.Fprintf(&b, ", %s left", max(left.Round(time.Second), time.Second))
	}
	return b.String()
}

// timeLeft estimates how long the rest takes, at the rate so far; 0 if that cannot be said.
func timeLeft(done, total int, since time.Duration) time.Duration {
	if done == 0 || total <= done {
		return 0
	}
	return time.Duration(float64(since) / float64(done) * float64(total-done))
}

// Rendered implements pipelines.ReindexWatcher.
func (p *reindexReport) Rendered(release string, done, total int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.done[release], p.totals[release] = done, total
}

// Finished implements pipelines.ReindexWatcher.
func (p *reindexReport) Finished(res pipelines.ReindexResult) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.finished++
	p.packages += res.Packages
	p.totals[res.Release] = max(p.totals[res.Release], res.Packages)
	p.done[res.Release] = p.totals[res.Release]
	switch res.Outcome {
	case catalogdb.OutcomeIdentical:
		p.identical++
	case catalogdb.OutcomePublished:
		p.published++
	case pipelines.OutcomeDifferent:
		p.different++
	default:
		p.failed++
	}
	p.wipe()
	if p.json {
		printJSON(p.io, res)
	} else {
		p.print(res)
	}
}

// print writes what became of a release.
func (p *reindexReport) print(res pipelines.ReindexResult) {
	change := fmt.Sprintf("%d packages added, %d removed, %d index files, %d bytes", res.Added, res.Removed, len(res.Files), res.Bytes)
	if res.Added < 0 { // what was published cannot be read
		change = fmt.Sprintf("%d index files, %d bytes", len(res.Files), res.Bytes)
	}
	switch res.Outcome {
	case catalogdb.OutcomeIdentical:
		fmt.Fprintf(p.io.out, "%s: identical: revision %d, %d packages\n", res.Release, res.Revision, res.Packages)
	case catalogdb.OutcomePublished:
		if res.Rows != nil {
			change = fmt.Sprintf("%d rows taken over, %d replaced, %d yanked", res.Rows.Inserted, res.Rows.Replaced, res.Rows.Yanked)
		}
		fmt.Fprintf(p.io.out, "%s: published: revision %d, %d packages; %s\n", res.Release, res.Revision, res.Packages, change)
	case pipelines.OutcomeDifferent:
		fmt.Fprintf(p.io.out, "%s: different: %s\n", res.Release, change)
		for _, name := range res.Files {
			fmt.Fprintf(p.io.out, "  %s\n", printable(name))
		}
	default:
		why := strings.TrimPrefix(res.Error, "reindex "+res.Release+": ")
		fmt.Fprintf(p.io.err, "%s: failed: %s\n", res.Release, printable(why))
	}
}

// A reindexSummary is what a run came to, as JSON.
type reindexSummary struct {
	Run       int64                  `json:"run,omitempty"`
	State     catalogdb.ReindexState `json:"state"`
	Releases  int                    `json:"releases"` // that the run had left when it began
	Identical int                    `json:"identical"`
	Different int                    `json:"different"`
	Published int                    `json:"published"`
	Failed    int                    `json:"failed"`
	Packages  int                    `json:"packages"`
	Seconds   float64                `json:"seconds"`
}

// summary writes what the run came to.
func (p *reindexReport) summary(state catalogdb.ReindexState) {
	p.mu.Lock()
	defer p.mu.Unlock()
	took := time.Since(p.begun)
	if p.json {
		printJSON(p.io, reindexSummary{p.run, state, p.releases, p.identical, p.different, p.published, p.failed, p.packages, took.Seconds()})
		return
	}
	what := fmt.Sprintf("%d of %d releases: %d identical, %d published, %d failed", p.finished, p.releases, p.identical, p.published, p.failed)
	switch {
	case p.releases == p.identical:
		what = fmt.Sprintf("%d releases are identical; nothing was written", p.releases)
	case p.different > 0:
		what = fmt.Sprintf("%d of %d releases: %d identical, %d different, %d failed; nothing was written", p.finished, p.releases, p.identical, p.different, p.failed)
	}
	fmt.Fprintf(p.io.out, "%s; %d packages in %s\n", what, p.packages, took.Round(time.Millisecond))
}
