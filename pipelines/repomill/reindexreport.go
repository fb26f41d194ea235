package main

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	"repomill/pipelines"
	"repomill/pipelines/command"
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
	repaired  int // index files that were written anew
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
		fmt.Fprintf(p.io.err, "continuing run %d: %s done, %d left; to begin anew, repomill reindex cancel %d first\n",
			run.ID, pipelines.Counted(c.Identical+c.Published, "release"), len(left), run.ID)
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
	fmt.Fprintf(&b, "release %d of %d, %d of %s", min(p.finished+1, p.releases), p.releases, done, pipelines.Counted(total, "package"))
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
	p.repaired += res.Repaired
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
	files := fmt.Sprintf("%s, %d bytes", pipelines.Counted(len(res.Files), "index file"), res.Bytes)
	switch res.Outcome {
	case catalogdb.OutcomeIdentical:
		fmt.Fprintf(p.io.out, "%s: identical: %s\n", res.Release, res.Detail())
	case catalogdb.OutcomePublished:
		what := res.Detail()
		if res.Rows == nil {
			what += ", " + files
		}
		fmt.Fprintf(p.io.out, "%s: published: %s\n", res.Release, what)
	case pipelines.OutcomeDifferent:
		if res.Added != nil { // else what is published cannot be read
			files = fmt.Sprintf("%s added, %d removed, %s", pipelines.Counted(*res.Added, "package"), *res.Removed, files)
		}
		fmt.Fprintf(p.io.out, "%s: different: %s\n", res.Release, files)
		for _, name := range res.Files {
			fmt.Fprintf(p.io.out, "  %s\n", command.Printable(name))
		}
	default:
		why := strings.TrimPrefix(res.Error, "reindex "+res.Release+": ")
		fmt.Fprintf(p.io.err, "%s: failed: %s\n", res.Release, command.Printable(why))
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
	Repaired  int                    `json:"repaired"` // index files
	Packages  int                    `json:"packages"`
	Seconds   float64                `json:"seconds"`
}

// summary writes what the run of some targets came to.
func (p *reindexReport) summary(state catalogdb.ReindexState, targets []string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	took := time.Since(p.begun)
	if p.json {
		printJSON(p.io, reindexSummary{p.run, state, p.releases, p.identical, p.different, p.published, p.failed, p.repaired, p.packages, took.Seconds()})
		return
	}
	if p.releases == 0 {
		fmt.Fprintln(p.io.out, nothing(targets))
		return
	}
	fmt.Fprintf(p.io.out, "%s; %s in %s\n", p.verdict(), pipelines.Counted(p.packages, "package"), took.Round(time.Millisecond))
}

// nothing says that targets, all if there are none, have no releases.
func nothing(targets []string) string {
	who := "the catalog has"
	switch len(targets) {
	case 0:
	case 1:
		who = targets[0] + " has"
	default:
		who = strings.Join(targets, ", ") + " have"
	}
	return who + " no distributions yet, so nothing to reindex"
}

// verdict says what the run came to.
func (p *reindexReport) verdict() string {
	all := pipelines.Counted(p.releases, "release")
	written := "nothing was written"
	if p.repaired > 0 {
		written = pipelines.Counted(p.repaired, "index file") + " written anew"
	}
	switch {
	case p.releases == p.identical:
		return fmt.Sprintf("%s identical; %s", all, written)
	case p.different > 0:
		return fmt.Sprintf("%d of %s: %d identical, %d different, %d failed; %s", p.finished, all, p.identical, p.different, p.failed, written)
	}
	counts := fmt.Sprintf("%d of %s: %d identical, %d published, %d failed", p.finished, all, p.identical, p.published, p.failed)
	if p.repaired > 0 {
		counts += "; " + written
	}
	return counts
}
