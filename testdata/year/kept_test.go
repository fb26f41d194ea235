package year_test

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// kept are the tables that grow by design, with the reason. All others are bounded.
var kept = map[string]string{
	"packages":   "a name and version never come back with other bytes: one row for each package, also after it was withdrawn",
	"visibility": "when clients saw each package: what lists of withdrawn packages say, and rollback, diff and snapshots read",
}

// growth is by how much the mean of the last months may be above that of as many months before them, and slack how much besides.
const (
	growth       = 0.10
	slack        = 12
	publishesEnd = 15 // of one package each, at the end of a month
)

// grew reports whether a bounded figure grew from month to month: the mean of the last third of the months, compared with that of the
// third before it. Fewer than six months say nothing.
func grew(months []float64, slack float64) (before, after float64, is bool) {
	n := len(months) / 3
	if n < 2 {
		return 0, 0, false
	}
	before, after = mean(months[len(months)-2*n:len(months)-n]), mean(months[len(months)-n:])
	return before, after, after > before*(1+growth)+slack
}

func mean(all []float64) (m float64) {
	for _, x := range all {
		m += x / float64(len(all))
	}
	return m
}

// judge returns what grew that should not, a sentence each.
func judge(months []month) (wrong []string) {
	for _, name := range tablesOf(months) {
		if kept[name] != "" {
			continue
		}
		if before, after, is := grew(column(months, func(m month) float64 { return float64(m.rows[name]) }), slack); is {
			wrong = append(wrong, fmt.Sprintf("table %s had %.0f rows, and %.0f later", name, before, after))
		}
	}
	for _, f := range figures {
		if f.kind != bounded {
			continue
		}
		if before, after, is := grew(column(months, f.of), cmp.Or(f.slack, slack)); is {
			wrong = append(wrong, fmt.Sprintf("%s: %.0f, and %.0f later", f.name, before, after))
		}
	}
	return wrong
}

// tablesOf returns the names of the tables, those with most rows in the end first.
func tablesOf(months []month) (names []string) {
	last := months[len(months)-1].rows
	for name := range last {
		names = append(names, name)
	}
	slices.SortFunc(names, func(a, b string) int {
		if last[a] != last[b] {
			return last[b] - last[a]
		}
		return strings.Compare(a, b)
	})
	return names
}

func column(months []month, of func(month) float64) (all []float64) {
	for _, m := range months {
		all = append(all, of(m))
	}
	return all
}
