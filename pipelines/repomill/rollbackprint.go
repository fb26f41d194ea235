package main

import (
	"fmt"

	"repomill/schemas/catalog"
	"repomill/schemas/catalogdb"
)

// print prints what was changed.
func (r *rollingBack) print(io stdio, withdrawn, restored catalogdb.SelectedChange, leftOut []catalog.PlanLeftOut) {
	for _, change := range []struct {
		word string
		of   catalogdb.SelectedChange
	}{{"withdrawn", withdrawn}, {"restored", restored}} {
		for _, k := range change.of.Packages {
			if r.json {
				printJSON(io, yankJSON{nameOf(k), k.Place().String(), k.File.Size, k.File.SHA256, k.State, k.Yank, false})
				continue
			}
			fmt.Fprintf(io.out, "%s: %s, %s %s\n", change.word, nameOf(k), k.Repository, within(k.Distribution, k.Component))
		}
	}
	if r.json {
		return
	}
	for n, l := range leftOut {
		if n == shownLeftOut {
			fmt.Fprintf(io.out, "left out: %d more\n", len(leftOut)-n)
			break
		}
		fmt.Fprintf(io.out, "left out: %s in %s: %s\n", l.Package, l.Place, l.Why)
	}
	is := fmt.Sprintf("%s is as it was at %s", r.target, r.args.To)
	if r.to.Revision != 0 {
		is = fmt.Sprintf("%s is as it was at revision %s", r.target, r.args.To)
	}
	if len(leftOut) > 0 {
		is += fmt.Sprintf(", but for %d packages whose files are gone", len(leftOut))
	}
	if len(withdrawn.Packages)+len(restored.Packages) == 0 {
		fmt.Fprintf(io.out, "%s: nothing changed\n", is)
		return
	}
	fmt.Fprintf(io.out, "%s: %d withdrawn, %d restored. Hosts that have a newer version keep it: apt install NAME=VERSION or dnf downgrade NAME goes back\n",
		is, len(withdrawn.Packages), len(restored.Packages))
}
