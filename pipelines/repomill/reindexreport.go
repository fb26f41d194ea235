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

// A reindexReport prints results on the standard output, and the progress on the standard error: on a terminal as one line
// that is replaced, otherwise as plain lines.
type reindexReport struct {
	io       stdio
	json     bool
	terminal bool
	begun    time.Time

	mu       sync.Mutex
	totals   map[string]int  // packages by release
	done     map[string]int  // of them rendered
	ended    map[string]bool // releases
	releases int             // to reindex
	finished int
	counts   outcomeCounts
	drawn    bool
}

// outcomeCounts count finished releases by outcome, their packages, and the index files that were written again.
type outcomeCounts struct {
	Identical int `json:"identical"`
	Different int `json:"different"`
	Published int `json:"published"`
	Failed    int `json:"failed"`
	Cancelled int `json:"cancelled"`
	Repaired  int `json:"repaired"`
	Packages  int `json:"packages"`
}

func newReindexReport(io stdio, json bool) *reindexReport {
	return &reindexReport{
		io: io, json: json, terminal: command.IsTerminal(io.err), begun: time.Now(),
		totals: map[string]int{}, done: map[string]int{}, ended: map[string]bool{},
	}
}

// count reads the numbers of packages of releases from the catalog, for the progress.
func (p *reindexReport) count(ctx context.Context, db *catalogdb.DB, releases []catalog.Release) error {
	p.releases = len(releases)
	for _, r := range releases {
		n, err := db.Count(ctx, r)
		if err != nil {
			return err
		}
		p.totals[r.String()] = n
	}
	return nil
}

// update prints the reindexes that have ended since the last call, and notes the progress of the others. A reindex has ended
// when its Done has reached its number.
func (p *reindexReport) update(all []catalogdb.Reindex, numbers map[catalog.Release]int64) error {
	for _, x := range all {
		name := x.Release.String()
		if x.Done < numbers[x.Release] {
			p.rendered(x.Release, x.Rendered, p.totals[name])
			continue
		}
		p.mu.Lock()
		ended := p.ended[name]
		p.ended[name] = true
		p.mu.Unlock()
		if ended {
			continue
		}
		res, err := pipelines.ResultOf(x)
		if err != nil {
			return err
		}
		p.finish(res)
	}
	return nil
}

// through reports whether all releases are finished.
func (p *reindexReport) through() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.finished >= p.releases
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

// wipe removes the progress line from a terminal.
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

// timeLeft estimates the remaining time from the rate so far; 0 if there is none yet.
func timeLeft(done, total int, since time.Duration) time.Duration {
	if done == 0 || total <= done {
		return 0
	}
	return time.Duration(float64(since) / float64(done) * float64(total-done))
}

// rendered notes how many packages of a release are rendered.
func (p *reindexReport) rendered(r catalog.Release, done, total int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.done[r.String()], p.totals[r.String()] = done, total
}

// finish counts and prints the result of a reindex.
func (p *reindexReport) finish(res pipelines.ReindexResult) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.finished++
	p.counts.Packages += res.Packages
	p.counts.Repaired += res.Repaired
	p.totals[res.Release] = max(p.totals[res.Release], res.Packages)
	p.done[res.Release] = p.totals[res.Release]
	switch res.Outcome {
	case catalogdb.OutcomeIdentical:
		p.counts.Identical++
	case catalogdb.OutcomePublished:
		p.counts.Published++
	case pipelines.OutcomeDifferent:
		p.counts.Different++
	case catalogdb.OutcomeCancelled:
		p.counts.Cancelled++
	default:
		p.counts.Failed++
	}
	p.wipe()
	if p.json {
		printJSON(p.io, res)
	} else {
		p.print(res)
	}
}

// print prints the result of a release.
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
		if res.Added != nil { // nil if the published index cannot be read
			files = fmt.Sprintf("%s added, %d removed, %s", pipelines.Counted(*res.Added, "package"), *res.Removed, files)
		}
		fmt.Fprintf(p.io.out, "%s: different: %s\n", res.Release, files)
		for _, name := range res.Files {
			fmt.Fprintf(p.io.out, "  %s\n", command.Printable(name))
		}
	case catalogdb.OutcomeCancelled:
		fmt.Fprintf(p.io.err, "%s: cancelled\n", res.Release)
	default:
		why := strings.TrimPrefix(res.Error, "reindex "+res.Release+": ")
		fmt.Fprintf(p.io.err, "%s: failed: %s\n", res.Release, command.Printable(why))
	}
}

// A reindexSummary counts the results of all releases, as JSON.
type reindexSummary struct {
	Releases int `json:"releases"`
	outcomeCounts
	Seconds float64 `json:"seconds"`
}

// summary prints the counts of all results.
func (p *reindexReport) summary(targets []string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	took := time.Since(p.begun)
	if p.json {
		printJSON(p.io, reindexSummary{p.releases, p.counts, took.Seconds()})
		return
	}
	if p.releases == 0 {
		fmt.Fprintln(p.io.out, nothing(targets))
		return
	}
	fmt.Fprintf(p.io.out, "%s; %s in %s\n", p.verdict(), pipelines.Counted(p.counts.Packages, "package"), took.Round(time.Millisecond))
}

// nothing returns the sentence for targets without releases; no targets means all.
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

// verdict returns the counts as a sentence.
func (p *reindexReport) verdict() string {
	n, all := p.counts, pipelines.Counted(p.releases, "release")
	written := "nothing was written"
	if n.Repaired > 0 {
		written = pipelines.Counted(n.Repaired, "index file") + " written again"
	}
	switch {
	case p.releases == n.Identical:
		return fmt.Sprintf("%s identical; %s", all, written)
	case n.Different > 0:
		return fmt.Sprintf("%d of %s: %d identical, %d different, %d failed; %s", p.finished, all, n.Identical, n.Different, n.Failed, written)
	}
	counts := fmt.Sprintf("%d of %s: %d identical, %d published, %d failed", p.finished, all, n.Identical, n.Published, n.Failed)
	if n.Cancelled > 0 {
		counts += fmt.Sprintf(", %d cancelled", n.Cancelled)
	}
	if n.Repaired > 0 {
		counts += "; " + written
	}
	return counts
}
