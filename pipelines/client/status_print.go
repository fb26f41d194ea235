package client

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"repomill/pipelines/command"
	"repomill/schemas/layout"
)

// statusWidth is the width of a terminal, in characters.
const statusWidth = 80

// A placeGroup is what several places have in common, as it is printed once.
type placeGroup struct {
	state       placeState
	what        string // name, version and architectures
	detail      string
	first, last *time.Time // when clients first saw it
	fewest      int        // snapshots that have it in a place
	snapshots   snapshotCount
	places      []string
}

// A placeRows is the rows of one place that differ in the architecture alone.
type placeRows struct {
	placeGroup
	arches []string
	rows   []placement
}

// groups returns rows with equal states together: architectures in one place first, then places.
func (w whereabouts) groups() (all []*placeGroup) {
	var places []*placeRows
	byPlace := map[string]*placeRows{}
	for _, row := range w.rows {
		g := placeGroup{state: row.State, what: strings.TrimSpace(row.Name + " " + row.Version), detail: detailOf(row)}
		key := placeOf(row) + "\x00" + g.key()
		p := byPlace[key]
		if p == nil {
			p = &placeRows{placeGroup: g}
			byPlace[key], places = p, append(places, p)
		}
		p.rows, p.arches = append(p.rows, row), append(p.arches, row.Arch)
	}
	groups := map[string]*placeGroup{}
	for _, p := range places {
		slices.Sort(p.arches)
		p.what = strings.TrimSpace(p.what + " " + strings.Join(slices.Compact(p.arches), " "))
		g := groups[p.key()]
		if g == nil {
			g = &p.placeGroup
			groups[p.key()], all = g, append(all, g)
		}
		g.add(p.rows)
	}
	slices.SortStableFunc(all, func(a, b *placeGroup) int {
		return cmp.Compare(slices.Index(stateOrder, a.state), slices.Index(stateOrder, b.state))
	})
	return all
}

// key is what a group has in common.
func (g *placeGroup) key() string {
	return strings.Join([]string{string(g.state), g.what, g.detail}, "\x00")
}

// stateOrder is the order in which states are printed.
var stateOrder = []placeState{placeOut, placeWaiting, placeHeld, placeClaimed, placeReceived, placeRejected, placeYanked, placeAbsent}

// placeOf returns "os/version[/component]", without a main component.
func placeOf(row placement) string {
	place := row.release.Distribution.String()
	if row.Component != "" && row.Component != layout.DefaultComponent {
		place += "/" + row.Component
	}
	return place
}

func detailOf(row placement) string {
	detail := row.Detail
	if row.Seen != nil && row.Seen.Detail != "" {
		detail = strings.TrimPrefix(detail+"; "+row.Seen.Detail, "; ")
	}
	return detail
}

// add adds one place, whose rows are of several architectures. A DEB distribution is one release: all of them are out with the
// last of its revisions. RPM directories are named one by one if their revisions differ.
func (g *placeGroup) add(rows []placement) {
	g.addSnapshots(rows)
	var last int64
	byRelease := map[string]int64{}
	for _, row := range rows {
		name := strings.TrimPrefix(row.Release, row.release.Repository.String()+"/")
		byRelease[name] = max(byRelease[name], row.Revision)
		last = max(last, row.Revision)
		if row.Since != nil && row.State == placeOut {
			if g.first == nil || row.Since.Before(*g.first) {
				g.first = row.Since
			}
			if g.last == nil || row.Since.After(*g.last) {
				g.last = row.Since
			}
		}
	}
	if slices.Min(slices.Collect(maps.Values(byRelease))) == last {
		g.places = append(g.places, atRevision(placeOf(rows[0]), last))
		return
	}
	for _, name := range slices.Sorted(maps.Keys(byRelease)) {
		g.places = append(g.places, atRevision(name, byRelease[name]))
	}
}

// addSnapshots counts the snapshots that have the package in a place.
func (g *placeGroup) addSnapshots(rows []placement) {
	for i, row := range rows {
		n := snapshotCount{}
		if row.Snapshots != nil {
			n = *row.Snapshots
		}
		if len(g.places) == 0 && i == 0 {
			g.fewest, g.snapshots = n.Count, n
		}
		g.fewest = min(g.fewest, n.Count)
		if n.Count > 0 && (g.snapshots.Count == 0 || n.Oldest < g.snapshots.Oldest) {
			g.snapshots.Oldest = n.Oldest
		}
		g.snapshots.Newest = max(g.snapshots.Newest, n.Newest)
		g.snapshots.Count = max(g.snapshots.Count, n.Count)
	}
}

// inSnapshots returns how many snapshots have the package, in words.
func (g *placeGroup) inSnapshots() string {
	n := g.snapshots
	switch {
	case n.Count == 0:
		return ""
	case g.fewest == n.Count && n.Count == 1:
		return "in snapshot " + n.Oldest
	case g.fewest == n.Count:
		return fmt.Sprintf("in %d snapshots, %s to %s", n.Count, n.Oldest, n.Newest)
	}
	return fmt.Sprintf("in %d to %d snapshots, %s to %s", g.fewest, n.Count, n.Oldest, n.Newest)
}

// atRevision returns "place@revision", the form of a state that diff takes.
func atRevision(place string, revision int64) string {
	if revision == 0 {
		return place
	}
	return fmt.Sprintf("%s@%d", place, revision)
}

// title returns the line above the places of a group.
func (g *placeGroup) title() string {
	title := string(g.state)
	if g.what != "" {
		title += ": " + g.what
	}
	if g.first != nil {
		title += ", since " + timesOf(*g.first, *g.last)
	}
	if in := g.inSnapshots(); in != "" {
		title += ", " + in
	}
	if g.detail != "" {
		title += ": " + g.detail
	}
	return title
}

// timesOf returns the time between two times, as short as it can be.
func timesOf(first, last time.Time) string {
	text := first.UTC().Format(time.DateTime)
	switch to := last.UTC().Format(time.DateTime); {
	case to == text:
	case to[:len(time.DateOnly)] == text[:len(time.DateOnly)]:
		text += " to " + to[len(time.DateOnly)+1:]
	default:
		text += " to " + to
	}
	return text + " UTC"
}

// print prints the groups for people, and how many places there are.
func (w whereabouts) print(out io.Writer) {
	for _, g := range w.groups() {
		wrapped(out, strings.Fields(command.Printable(g.title())))
		columns(out, g.places)
	}
	if w.places == 0 {
		return
	}
	verdict := fmt.Sprintf("out in %d of %s where the name is", w.out, layout.Counted(w.places, "place"))
	if w.out == w.places {
		verdict = fmt.Sprintf("out in %s, everywhere where the name is", layout.Counted(w.places, "place"))
	}
	if w.site != "" {
		verdict += ", as clients see it at " + w.site
	}
	wrapped(out, strings.Fields(verdict))
}

// wrapped prints words in lines of a terminal's width.
func wrapped(out io.Writer, words []string) {
	line := ""
	for i, word := range words {
		switch {
		case i == 0:
			line = word
		case utf8.RuneCountInString(line)+1+utf8.RuneCountInString(word) > statusWidth:
			fmt.Fprintln(out, line)
			line = "    " + word
		default:
			line += " " + word
		}
	}
	fmt.Fprintln(out, line)
}

// columns prints names in as many columns as a terminal has room for.
func columns(out io.Writer, names []string) {
	widest := 0
	for _, name := range names {
		widest = max(widest, utf8.RuneCountInString(name))
	}
	perLine := max((statusWidth-2)/(widest+2), 1)
	for some := range slices.Chunk(names, perLine) {
		line := ""
		for _, name := range some {
			line += "  " + name + strings.Repeat(" ", widest-utf8.RuneCountInString(name))
		}
		fmt.Fprintln(out, strings.TrimRight(line, " "))
	}
}
