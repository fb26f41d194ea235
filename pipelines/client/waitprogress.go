package client

import (
	"cmp"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"time"

	"repomill/pipelines/command"
	"repomill/schemas/catalog"
)

// A progressLine shows the progress of a push on the last line of a terminal. It prints nothing elsewhere. It has no colours,
// and fits into 80 columns.
type progressLine struct {
	w     io.Writer // nil for none
	begun time.Time
	last  time.Time // when it was drawn
}

const (
	redraw    = 200 * time.Millisecond
	impatient = 5 * time.Second // after this time without progress, the line asks whether a worker runs
)

func newProgressLine(w io.Writer, now time.Time) *progressLine {
	l := &progressLine{begun: now}
	if command.CanRedraw(w) {
		l.w = w
	}
	return l
}

// show draws the line, at most once per redraw.
func (l *progressLine) show(ups []*pushed, now time.Time) {
	if l.w == nil || now.Sub(l.last) < redraw {
		return
	}
	l.last = now
	fmt.Fprintf(l.w, "\r\x1b[K%s", progressText(ups, now.Sub(l.begun)))
}

// clear removes the line, before other output.
func (l *progressLine) clear() {
	if l.w != nil && !l.last.IsZero() {
		fmt.Fprint(l.w, "\r\x1b[K")
		l.last = time.Time{}
	}
}

// progressText describes the progress of uploads.
func progressText(ups []*pushed, waited time.Duration) string {
	settled, stages := 0, map[string]int{}
	for _, p := range ups {
		if p.settled {
			settled++
			continue
		}
		stages[stageOf(p.verdict.State)]++
	}
	var text string
	if len(ups) == 1 {
		text = shortName(ups[0].file) + ": " + stageOf(ups[0].verdict.State)
	} else {
		var parts []string
		for _, stage := range []string{"stored", "received", "publishing"} {
			if n := stages[stage]; n > 0 {
				parts = append(parts, fmt.Sprintf("%d %s", n, stage))
			}
		}
		text = fmt.Sprintf("%d/%d: %s", settled, len(ups), strings.Join(parts, ", "))
	}
	if stages["stored"] > 0 && len(stages) == 1 && waited > impatient {
		text += "; does a worker (or up) run?"
	}
	return fmt.Sprintf("%s (%s)", text, waited.Truncate(time.Second))
}

// stageOf returns the name of a state in the progress line.
func stageOf(s catalog.UploadState) string {
	switch s {
	case "":
		return "stored"
	case catalog.Received:
		return "received"
	default:
		return "publishing"
	}
}

// shortName returns the name of a file, cut to fit into the line.
func shortName(file string) string {
	name := []rune(command.Printable(filepath.Base(file)))
	if len(name) > 32 {
		return string(name[:30]) + ".."
	}
	return string(name)
}

// summarize prints the counts of verdicts of a push of several files.
func (c *Push) summarize(io Stdio, ups []*pushed) {
	if c.JSON || len(ups) < 2 {
		return
	}
	count := map[catalog.UploadState]int{}
	for _, p := range ups {
		state := catalog.UploadState(p.verdict.Outcome())
		if !p.settled && !c.DryRun {
			state = "waiting"
			if !c.Wait {
				state = staged
			}
		}
		count[cmp.Or(state, staged)]++
	}
	var parts []string
	for _, s := range []catalog.UploadState{catalog.Published, "replaced", catalog.Duplicate, catalog.Held, acceptable, staged, catalog.Rejected, "waiting"} {
		if count[s] > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", count[s], s))
		}
	}
	fmt.Fprintf(io.Out, "%d packages: %s\n", len(ups), strings.Join(parts, ", "))
}
