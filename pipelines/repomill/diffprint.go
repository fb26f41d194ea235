package main

import (
	"fmt"
	"maps"
	"slices"
	"text/tabwriter"
	"time"

	"repomill/pipelines/command"
	"repomill/schemas/layout"
)

// A diffSum sums up what differs for one architecture.
type diffSum struct {
	same, added, removed, changed int
	bytes                         int64 // of the files of B, less those of A
}

// A diffPrinter prints a comparison.
type diffPrinter struct {
	io     stdio
	json   bool
	last   string // distribution
	sums   map[string]*diffSum
	differ bool
}

// heading prints what is compared.
func (p *diffPrinter) heading(a, b diffSide) {
	if p.json {
		return
	}
	fmt.Fprintf(p.io.out, "--- %s\n+++ %s\n", a.shown(), b.shown())
}

// shown returns the target of a side and, of one release, the revision and time of its state.
func (d diffSide) shown() string {
	switch {
	case len(d.states) == 1 && d.states[0].Revision == 0:
		return d.target.String() + ", not published"
	case len(d.states) == 1 && d.states[0].Since.IsZero():
		return fmt.Sprintf("%s, revision %d", d.target, d.states[0].Revision)
	case len(d.states) == 1:
		return fmt.Sprintf("%s, revision %d of %s UTC", d.target, d.states[0].Revision, d.states[0].Since.UTC().Format(time.DateTime))
	}
	return d.text
}

// print prints one package that differs, and counts.
func (p *diffPrinter) print(i diffItem) {
	p.count(i)
	if i.Change == diffSame {
		return
	}
	p.differ = true
	if p.json {
		printJSON(p.io, i)
		return
	}
	if i.Distribution != p.last {
		fmt.Fprintln(p.io.out, i.Distribution)
		p.last = i.Distribution
	}
	fmt.Fprintln(p.io.out, command.Printable(i.String()))
}

// String returns the line of a package that differs.
func (i diffItem) String() string {
	name, of := i.Name, i.Arch
	if i.Component != "" && i.Component != layout.DefaultComponent {
		of += " in " + i.Component
	}
	switch i.Change {
	case diffAdded:
		return fmt.Sprintf("  + %s %s %s, %d bytes", name, i.To.Version, of, i.To.Size)
	case diffRemoved:
		return fmt.Sprintf("  - %s %s %s, %d bytes", name, i.From.Version, of, i.From.Size)
	case diffChanged:
		return fmt.Sprintf("  ~ %s %s -> %s %s, %d -> %d bytes", name, i.From.Version, i.To.Version, of, i.From.Size, i.To.Size)
	}
	return fmt.Sprintf("  ! %s %s %s has other bytes, %d -> %d", name, i.To.Version, of, i.From.Size, i.To.Size)
}

func (p *diffPrinter) count(i diffItem) {
	s := p.sums[i.Arch]
	if s == nil {
		s = &diffSum{}
		p.sums[i.Arch] = s
	}
	switch i.Change {
	case diffSame:
		s.same++
	case diffAdded:
		s.added++
	case diffRemoved:
		s.removed++
	default:
		s.changed++
	}
	if i.To != nil {
		s.bytes += i.To.Size
	}
	if i.From != nil {
		s.bytes -= i.From.Size
	}
}

// end prints the sums.
func (p *diffPrinter) end() {
	if p.json {
		return
	}
	arches := slices.Sorted(maps.Keys(p.sums))
	if !p.differ {
		n := 0
		for _, s := range p.sums {
			n += s.same
		}
		fmt.Fprintf(p.io.out, "no difference in %s\n", layout.Counted(n, "package"))
		return
	}
	w := tabwriter.NewWriter(p.io.out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "SAME\tADDED\tREMOVED\tCHANGED\tBYTES\t  ARCH")
	for _, arch := range arches {
		s := p.sums[arch]
		fmt.Fprintf(w, "%d\t%d\t%d\t%d\t%s\t  %s\n", s.same, s.added, s.removed, s.changed, signed(s.bytes), arch)
	}
	w.Flush() //nolint:errcheck // as fmt.Fprintln
}

// signed returns a difference with its sign; 0 has none.
func signed(n int64) string {
	if n == 0 {
		return "0"
	}
	return fmt.Sprintf("%+d", n)
}
