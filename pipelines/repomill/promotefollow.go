package main

import (
	"cmp"
	"context"
	"fmt"
	"strings"
	"time"

	"repomill/pipelines/client"
	"repomill/pipelines/command"
	"repomill/schemas/catalog"
	"repomill/schemas/catalogdb"
)

// counted says how many copies are in which of some states.
func counted(copies []*copying, states ...copyState) string {
	counts := map[copyState]int{}
	for _, p := range copies {
		counts[p.state]++
	}
	var parts []string
	for _, s := range states {
		if n := counts[s]; n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, s))
		}
	}
	return fmt.Sprintf("%d packages: %s", len(copies), strings.Join(parts, ", "))
}

// maxLook is how many verdicts are asked for at a time: workers make copies in the order of the wishes.
const maxLook = 500

// follow waits until every copy has its verdict and clients see what is published, and prints each.
func (r *promoting) follow(ctx context.Context, io stdio, db *catalogdb.DB, copies []*copying) error {
	var left []*copying
	for _, p := range copies {
		if p.state != there {
			left = append(left, p)
		} else if err := r.packages(ctx, db, selectorAt(p.source, p.to), catalog.Active); err != nil {
			return err
		} else {
			r.print(io, p)
		}
	}
	if len(left) == 0 {
		return nil
	}
	return r.until(ctx, db, seenByClients, func(ctx context.Context) (missing string, err error) {
		looked := left[:min(len(left), maxLook)]
		uploads := make([]catalog.Upload, len(looked))
		for i, p := range looked {
			uploads[i] = p.upload
		}
		verdicts, err := db.Verdicts(ctx, uploads)
		if err != nil {
			return "", command.Fault(err)
		}
		var waiting []*copying
		for _, p := range looked {
			p.verdict = verdicts[p.upload]
			if p.state = copyState(p.verdict.State); !p.verdict.State.Final() {
				waiting = append(waiting, p)
				continue
			}
			p.detail = p.verdict.Detail
			r.print(io, p)
		}
		if left = append(waiting, left[len(looked):]...); len(left) == 0 {
			return "", nil
		}
		return missingOf(left), nil
	})
}

// missingOf describes the first of the copies that have no verdict yet.
func missingOf(left []*copying) string {
	p := left[0]
	text := fmt.Sprintf("%s is %s", nameOf(p.source), cmp.Or(string(p.verdict.State), "lost"))
	if p.verdict.Detail != "" {
		text += ": " + command.Printable(p.verdict.Detail)
	}
	if n := len(left) - 1; n > 0 {
		text += fmt.Sprintf(" (and %d more)", n)
	}
	return text
}

// movedTo begins the reason of the withdrawals of --move; the new place follows.
const movedTo = "moved to "

// withdraw yanks the packages that are in the new place from the one where they were, and waits until clients see that.
func (r *promoting) withdraw(ctx context.Context, io stdio, db *catalogdb.DB, copies []*copying) error {
	var moved []*copying
	now, err := db.Clock(ctx)
	if err != nil {
		return command.Fault(err)
	}
	for _, p := range copies {
		if p.verdict.State == catalog.Rejected {
			continue
		}
		record := catalog.Yank{Reason: movedTo + p.to.String(), By: r.by, At: now.UTC().Truncate(time.Second)}
		if _, err := db.Yank(ctx, selectorAt(p.source, p.source.Place()), record, now); err != nil {
			return command.Fault(err)
		}
		moved = append(moved, p)
	}
	for _, p := range moved {
		if err := r.packages(ctx, db, selectorAt(p.source, p.source.Place()), catalog.Yanked); err != nil {
			return err
		}
		if !r.json {
			fmt.Fprintf(io.out, "withdrawn: %s from %s\n", nameOf(p.source), p.source.Place())
		}
	}
	return nil
}

// selectorAt selects a package in a place.
func selectorAt(k catalog.Package, at catalog.Place) catalogdb.PackageSelector {
	return catalogdb.PackageSelector{Repository: at.Repository, Distribution: at.Distribution, Name: k.Name, Version: k.Version, Component: at.Component, Arch: k.Arch}
}

// print prints what became of a copy.
func (r *promoting) print(io stdio, p *copying) {
	if r.json {
		client.PrintJSON(io.out, copyJSON{nameOf(p.source), p.source.Place().String(), p.to.String(), p.source.File.Size, p.source.File.SHA256, p.state, p.verdict.Reason, p.detail})
	}
	line := fmt.Sprintf("%s: %s from %s to %s", p.state, nameOf(p.source), p.source.Place(), p.to)
	switch {
	case p.state == copyState(catalog.Rejected):
		fmt.Fprintf(io.err, "%s: %s: %s\n", line, p.verdict.Reason, command.Printable(p.detail))
	case r.json:
	case p.detail != "":
		fmt.Fprintf(io.out, "%s: %s\n", line, command.Printable(p.detail))
	default:
		fmt.Fprintln(io.out, line)
	}
}
