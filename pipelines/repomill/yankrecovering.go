package main

import (
	"strings"

	"repomill/pipelines/command"
	"repomill/schemas/catalog"
	"repomill/schemas/catalogdb"
)

// notBack says of each release that is being recovered what is withdrawn of it.
func notBack(s catalogdb.Selection, recovering []*catalogdb.RecoveringError) (all []catalog.PlanLeftOut) {
	for _, e := range recovering {
		all = append(all, catalog.PlanLeftOut{Place: e.Release.String(), Package: strings.Join(textsOf(s.Patterns), " "),
			Why: e.State() + ": what is back by now is withdrawn, and stays so; clients see that once the recovery ends, and what comes back later is not withdrawn: " + e.Way()})
	}
	return all
}

// restOf returns an error if a pattern may mean packages that were not back yet.
func restOf(done catalogdb.SelectedChange) error {
	if len(done.Recovering) == 0 {
		return nil
	}
	r := done.Recovering[0].Release
	return command.Interrupt("withdrawn is what was back of %s: run the command again once repomill status says recovering of it no more, in case more has come back", r)
}
