package client

import (
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

// A table is printed in columns, each as wide as its widest cell. A row may have a note below it, which widens no column. The
// last column is the last one with a cell.
type table struct {
	heading []string
	rows    []tableRow
}

type tableRow struct {
	cells []string
	note  string
}

// add adds a row, with a note below it unless that is empty.
func (t *table) add(note string, cells ...string) { t.rows = append(t.rows, tableRow{cells, note}) }

// print writes the table, without blanks at the ends of lines.
func (t *table) print(w io.Writer) {
	widths := make([]int, len(t.heading))
	lines := append([]tableRow{{cells: t.heading}}, t.rows...)
	for _, l := range lines {
		for i, c := range l.cells {
			widths[i] = max(widths[i], utf8.RuneCountInString(c))
		}
	}
	for _, l := range lines {
		line := ""
		for i, c := range l.cells {
			line += c + strings.Repeat(" ", widths[i]-utf8.RuneCountInString(c)+2)
		}
		fmt.Fprintln(w, strings.TrimRight(line, " "))
		if l.note != "" {
			fmt.Fprintf(w, "    %s\n", l.note)
		}
	}
}
