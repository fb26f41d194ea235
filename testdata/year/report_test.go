package year_test

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"time"
)

// table returns what was counted, a line for each table and figure and a column for each month.
func (y *year) table() string {
	var b strings.Builder
	b.WriteString("| |")
	for i := range y.months {
		fmt.Fprintf(&b, " %d |", i+1)
	}
	b.WriteString("\n|---|" + strings.Repeat("---:|", len(y.months)) + "\n")
	line := func(name string, of func(month) float64) {
		fmt.Fprintf(&b, "| %s |", name)
		for _, x := range column(y.months, of) {
			fmt.Fprintf(&b, " %s |", digits(x))
		}
		b.WriteString("\n")
	}
	line("uploads", func(m month) float64 { return float64(m.uploads) })
	for _, f := range figures {
		line(f.name, f.of)
	}
	empty := []string{}
	for _, name := range tablesOf(y.months) {
		of := func(m month) float64 { return float64(m.rows[name]) }
		if mean(column(y.months, of)) == 0 {
			empty = append(empty, "`"+name+"`")
			continue
		}
		title := "`" + name + "`"
		if kept[name] != "" {
			title += " (kept)"
		}
		line(title, of)
	}
	if len(empty) > 0 {
		fmt.Fprintf(&b, "\nWithout a row, because nothing in this year uses them: %s.\n", strings.Join(empty, ", "))
	}
	return b.String()
}

// where says when, of what and on which machine the year passed.
func where() string {
	commit, err := exec.Command("git", "describe", "--always", "--dirty").Output()
	if err != nil {
		commit = []byte("unknown")
	}
	info, _ := os.ReadFile("/proc/cpuinfo") // empty on other systems
	_, after, _ := strings.Cut(string(info), "model name\t: ")
	name, _, _ := strings.Cut(after, "\n")
	return fmt.Sprintf("%s, commit %s, %s, %d CPUs (%s), %s.", time.Now().UTC().Format("2 January 2006"), strings.TrimSpace(string(commit)), runtime.GOOS,
		runtime.NumCPU(), name, runtime.Version())
}

func digits(x float64) string {
	if x < 100 && x != float64(int(x)) {
		return fmt.Sprintf("%.1f", x)
	}
	return fmt.Sprintf("%.0f", x)
}

// report writes RESULTS.md and the plot into a folder: of the months that are over, with the judgement once the year is.
func (y *year) report(dir string, over bool) error {
	total := 0
	for _, m := range y.months {
		total += m.uploads
	}
	var b strings.Builder
	fmt.Fprintf(&b, `# A simulated year

    go test -count=1 -v -timeout 3h ./testdata/year -args -year.days %d -year.repositories %d -year.uploads %d -year.history %d -year.retention %d -year.month %d -year.out .

%d days of %d repositories, two of three of DEBs, with some %d uploads on each: %d uploads in all, and a worker that ran once after each day, in %s.
History is kept for %d days, and superseded objects for %d. The clock is simulated, all else is the product: [year.go](year.go) says what happens on a day.
A column is a month of %d days; the figures are those at its end.

%s

`, *days, *repositories, *uploads, *history, *retention, *each, len(y.months)**each, *repositories, *uploads, total, (stopwatch() - y.began).Round(time.Second), *history, *retention, *each, y.where)
	b.WriteString(y.table() + "\n![Rows, objects and bytes, month by month](rows.svg)\n\n")
	if wrong := judge(y.months); !over {
		b.WriteString("The year was ended before it was over: there is not a judgement.\n")
	} else if len(wrong) > 0 {
		b.WriteString("Judgement: these grew without a bound.\n\n- " + strings.Join(wrong, "\n- ") + "\n")
	} else {
		b.WriteString("Judgement: nothing grew from the last third but one of the months to the last third, but for what is kept by design:\n\n")
		for _, name := range tablesOf(y.months) {
			if why := kept[name]; why != "" {
				fmt.Fprintf(&b, "- `%s`: %s.\n", name, why)
			}
		}
	}
	return errors.Join(os.WriteFile(filepath.Join(dir, "RESULTS.md"), []byte(b.String()), 0o644), os.WriteFile(filepath.Join(dir, "rows.svg"), []byte(y.plot()), 0o644))
}

// The size of one panel of the plot, and how many are in a row.
const (
	panelWidth, panelHeight, panelsInRow = 300, 170, 3
	margin                               = 34
)

// plot draws a panel for each figure, and for the rows of the tables that have most, kept and bounded.
func (y *year) plot() string {
	type panel struct {
		title string
		of    func(month) float64
		kind  kind
	}
	var panels []panel
	for _, f := range figures {
		panels = append(panels, panel{f.name, f.of, f.kind})
	}
	for _, name := range tablesOf(y.months)[:7] {
		k := bounded
		if kept[name] != "" {
			k = grows
		}
		panels = append(panels, panel{"rows of " + name, func(m month) float64 { return float64(m.rows[name]) }, k})
	}
	rows := (len(panels) + panelsInRow - 1) / panelsInRow
	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" font-family="sans-serif" font-size="11">`+"\n", panelsInRow*panelWidth, rows*panelHeight)
	b.WriteString(`<rect width="100%" height="100%" fill="#fff"/>` + "\n")
	for i, p := range panels {
		y.panel(&b, (i%panelsInRow)*panelWidth, (i/panelsInRow)*panelHeight, p.title, column(y.months, p.of), p.kind)
	}
	b.WriteString("</svg>\n")
	return b.String()
}

// panel draws one line from 0 to its maximum: what is bounded in blue, and the rest in grey.
func (y *year) panel(b *strings.Builder, left, top int, title string, values []float64, k kind) {
	color, most := "#1f6feb", 0.0
	if k == grows {
		color, title = "#888", title+" (grows by design)"
	} else if k == measured {
		color = "#888"
	}
	for _, v := range values {
		most = max(most, v)
	}
	width, height := float64(panelWidth-2*margin), float64(panelHeight-2*margin)
	fmt.Fprintf(b, `<text x="%d" y="%d">%s</text><text x="%d" y="%d" fill="#666">%s</text>`, left+margin, top+20, title, left+margin, top+32, digits(most))
	fmt.Fprintf(b, `<path d="M%d %d v%.0f h%.0f" fill="none" stroke="#bbb"/><polyline fill="none" stroke="%s" stroke-width="2" points="`, left+margin, top+margin, height, width, color)
	for i, v := range values {
		fmt.Fprintf(b, "%.1f,%.1f ", float64(left+margin)+width*float64(i+1)/float64(len(values)), float64(top+margin)+height*(1-v/max(most, 1e-9)))
	}
	b.WriteString(`"/>` + "\n")
}
