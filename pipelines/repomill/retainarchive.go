package main

import (
	"context"
	"fmt"

	"repomill/pipelines/command"
	"repomill/schemas/catalog"
	"repomill/schemas/catalogdb"
)

// A retained sums up what a run did.
type retained struct {
	withdrawn, archived, aside, kept, left int
	bytes                                  int64 // of what was withdrawn
}

// archive prints what goes to the archive and, unless the run does not wait, follows it until it is withdrawn where it was.
func (s *retained) archive(ctx context.Context, io stdio, db *catalogdb.DB, r *retaining, done catalogdb.Retained) error {
	if p := done.First; p != nil && r.want == nil { // a plan says what it leaves out
		s.aside = done.Aside
		fmt.Fprintf(io.err, "stays: %s in %s, which cannot go to %s: %s\n", nameOf(p.Package), p.Package.Place(), p.Archive, command.Printable(p.Detail))
	}
	if len(done.Archiving) == 0 {
		return nil
	}
	follow := &promoting{awaitFlags: r.awaitFlags, json: r.json, from: r.target, moving: true, args: promoteArgs{Move: true}}
	copies := make([]*copying, len(done.Archiving))
	for i, p := range done.Archiving {
		copies[i] = &copying{source: p.Package, to: p.Archive, state: toCopy, upload: p.Upload, move: catalog.MoveWaiting}
	}
	if r.NoWait {
		for _, p := range copies {
			p.state = copyState(catalog.Received)
			follow.moving = false // the object follows no other
			follow.print(io, p)
		}
		s.archived += done.Asked
		return nil
	}
	if err := follow.follow(ctx, io, db, copies); err != nil {
		return err
	}
	if err := follow.withdrawn(ctx, io, db, copies); err != nil {
		return err
	}
	for _, p := range copies {
		if p.move == catalog.MoveKept {
			s.kept++
		} else {
			s.archived++
		}
	}
	return nil
}

// print prints the sum. The error has the exit code for packages that stay, since the archive does not have them.
func (s retained) print(io stdio, r *retaining) error {
	stay := s.aside + s.kept
	switch {
	case r.json:
	case s.withdrawn+s.archived+stay+s.left == 0:
		fmt.Fprintf(io.out, "%s: nothing leaves: rules keep all packages\n", r.target)
	case s.withdrawn > 0:
		fmt.Fprintf(io.out, "%s: %d packages withdrawn, %d bytes; unyank brings them back until their files go, after the retention period\n", r.target, s.withdrawn, s.bytes)
	}
	if s.archived > 0 && !r.json {
		verb := "moved to the archive"
		if r.NoWait {
			verb = "asked for in the archive; workers withdraw them here once clients see them there"
		}
		fmt.Fprintf(io.out, "%s: %d packages %s\n", r.target, s.archived, verb)
	}
	if s.left > 0 {
		fmt.Fprintf(io.err, "%d more packages leave: use the command again once these are in the archive\n", s.left)
	}
	if stay > 0 {
		fmt.Fprintf(io.err, "%d packages stay that no rule keeps, since the archive does not have them; repomill retain plan %s lists them\n", stay, r.target)
		return command.Exit(command.Failed)
	}
	return nil
}
