package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

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

// unsettled asks for the verdicts of the first of some copies, and returns the copies without those that settle reports true for.
func unsettled(ctx context.Context, db *catalogdb.DB, copies []*copying, settle func(p *copying, v catalog.Verdict, known bool) (bool, error)) (left []*copying, err error) {
	looked := copies[:min(len(copies), maxLook)]
	uploads := make([]catalog.Upload, len(looked))
	for i, p := range looked {
		uploads[i] = p.upload
	}
	verdicts, err := db.Verdicts(ctx, uploads)
	if err != nil {
		return copies, command.Fault(err)
	}
	for _, p := range looked {
		v, known := verdicts[p.upload]
		settled, err := settle(p, v, known)
		if err != nil {
			return copies, err
		}
		if !settled {
			left = append(left, p)
		}
	}
	return append(left, copies[len(looked):]...), nil
}

// follow waits until every copy has its verdict and clients see what is published, and prints each.
func (r *promoting) follow(ctx context.Context, io stdio, db *catalogdb.DB, copies []*copying) error {
	var left []*copying
	for _, p := range copies {
		if p.state == withdrawn {
			r.print(io, p)
		} else if p.state != there {
			left = append(left, p)
		} else if err := r.until(ctx, db, seenByClients, p.seen(db)); err != nil {
			return err
		} else {
			r.print(io, p)
		}
	}
	if len(left) == 0 {
		return nil
	}
	return r.until(ctx, db, seenByClients, func(ctx context.Context) (missing string, err error) {
		left, err = unsettled(ctx, db, left, func(p *copying, v catalog.Verdict, _ bool) (bool, error) {
			p.verdict = v
			if p.state = copyState(v.State); !v.State.Final() {
				return false, nil
			}
			p.detail = v.Detail
			if v.State == catalog.Rejected && p.move != "" {
				p.move = catalog.MoveKept
			}
			r.print(io, p)
			return true, nil
		})
		if err != nil || len(left) == 0 {
			return "", err
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

// withdrawn waits until workers have withdrawn the packages that are in the new place from the one where they were, and clients see
// that.
func (r *promoting) withdrawn(ctx context.Context, io stdio, db *catalogdb.DB, copies []*copying) error {
	moved := slices.DeleteFunc(slices.Clone(copies), func(p *copying) bool { return !p.copied() })
	if err := r.moves(ctx, db, moved); err != nil {
		return err
	}
	if err := r.left(ctx, db, moved); err != nil {
		return err
	}
	for _, p := range moved {
		switch {
		case r.json:
			r.printJSON(io, p)
		case p.move != catalog.MoveKept:
			fmt.Fprintf(io.out, "withdrawn: %s from %s\n", nameOf(p.source), p.source.Place())
		}
		if p.move == catalog.MoveKept {
			fmt.Fprintf(io.err, "kept: %s in %s: %s\n", nameOf(p.source), p.source.Place(), command.Printable(p.kept))
		}
	}
	return nil
}

// moves waits until workers have finished moves.
func (r *promoting) moves(ctx context.Context, db *catalogdb.DB, moved []*copying) error {
	var waiting []*copying
	for _, p := range moved {
		if p.move == catalog.MoveWaiting {
			waiting = append(waiting, p)
		} else {
			p.move = catalog.MoveDone // by an earlier run
		}
	}
	return r.until(ctx, db, goneSource, func(ctx context.Context) (missing string, err error) {
		waiting, err = unsettled(ctx, db, waiting, func(p *copying, v catalog.Verdict, known bool) (bool, error) {
			if !known {
				return false, command.Interrupt("recorded, and undone since: the catalog has lost the move of %s", nameOf(p.source))
			}
			p.move, p.kept = v.Move, v.MoveDetail
			return p.move != catalog.MoveWaiting, nil
		})
		if err != nil || len(waiting) == 0 {
			return "", err
		}
		return fmt.Sprintf("%d packages wait for a worker, such as %s", len(waiting), nameOf(waiting[0].source)), nil
	})
}

// left waits until clients do not see packages any more where they were.
func (r *promoting) left(ctx context.Context, db *catalogdb.DB, moved []*copying) error {
	done := catalogdb.SelectedChange{Revisions: map[catalog.Release]int64{}}
	from := map[catalog.Distribution]bool{}
	for _, p := range moved {
		if p.move == catalog.MoveDone {
			done.Packages = append(done.Packages, p.source)
			from[p.source.Distribution] = true
		}
	}
	states, err := db.ReleasesOf(ctx, r.from.Repository)
	if err != nil {
		return command.Fault(err)
	}
	for _, s := range states {
		if from[s.Release.Distribution] {
			done.Revisions[s.Release] = s.Revision.Number
		}
	}
	return r.selected(ctx, db, done, catalog.Yanked)
}

// seen returns what looks whether clients see the package that the new place has already. Others of its version, with bytes that were
// replaced, are not asked for.
func (p *copying) seen(db *catalogdb.DB) func(context.Context) (string, error) {
	return func(ctx context.Context) (missing string, err error) {
		missing, err = appear(ctx, db, []catalog.Package{*p.holder}, catalog.Active)
		if errors.Is(err, catalogdb.ErrNotFound) {
			return "", command.Interrupt("recorded, and undone since: the catalog has lost %s of %s", nameOf(p.source), p.to)
		}
		return missing, err
	}
}

// printJSON prints a copying as a JSON object.
func (r *promoting) printJSON(io stdio, p *copying) {
	client.PrintJSON(io.out, copyJSON{nameOf(p.source), p.source.Place().String(), p.to.String(), p.source.File.Size, p.source.File.SHA256, p.state, p.verdict.Reason, p.detail, p.move, p.kept})
}

// print prints what became of a copy. The JSON object of one that moves follows when it has.
func (r *promoting) print(io stdio, p *copying) {
	if r.json && !(r.moving && p.copied()) {
		r.printJSON(io, p)
	}
	line := fmt.Sprintf("%s: %s from %s to %s", p.state, nameOf(p.source), p.source.Place(), p.to)
	if p.verdict.Replaced != "" {
		line += ": it has the place of sha256 " + p.verdict.Replaced
	}
	switch {
	case p.state == copyState(catalog.Rejected):
		fmt.Fprintf(io.err, "%s: %s: %s\n", line, p.verdict.Reason, command.Printable(p.detail))
	case r.json:
	case p.state == withdrawn && !r.planning:
		fmt.Fprintf(io.err, "%s: %s\n", line, command.Printable(p.detail))
	case p.detail != "":
		fmt.Fprintf(io.out, "%s: %s\n", line, command.Printable(p.detail))
	default:
		fmt.Fprintln(io.out, line)
	}
}
