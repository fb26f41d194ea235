package client

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"

	"repomill/ingest"
	"repomill/pipelines/command"
	"repomill/schemas/catalog"
	"repomill/schemas/layout"
)

// formatOf returns the format of a file by its first bytes; empty if they are of no format.
func formatOf(path string) catalog.Format {
	f, err := os.Open(path)
	if err != nil {
		return ""
	}
	defer f.Close()
	magic := make([]byte, 8)
	n, _ := io.ReadFull(f, magic)
	switch magic = magic[:n]; {
	case bytes.HasPrefix(magic, []byte("!<arch>\n")):
		return catalog.DEB
	case bytes.HasPrefix(magic, []byte("\xed\xab\xee\xdb")):
		return catalog.RPM
	}
	return ""
}

// A verifier checks packages as the server does.
type verifier struct {
	table *layout.Table
	seen  map[string]verified // by file, component and, for RPM, distribution

	unknown  map[string]bool // sentences about distributions that the table does not have
	unsigned int             // number of RPM packages without a signature, for systems that refuse them
}

func newVerifier(t *layout.Table) verifier {
	return verifier{table: t, seen: map[string]verified{}, unknown: map[string]bool{}}
}

// verified is the result of reading a file: the package or its rejection.
type verified struct {
	pkg catalog.Package
	rej *catalog.Rejection
}

// verify returns the rejection that the server would give a file; nil if none is certain. A distribution that the table does
// not have may be in the table of the server, unless the table has another name for it.
func (v *verifier) verify(ctx context.Context, p *pushed) (*catalog.Rejection, error) {
	at, rej := layout.ParseStaging(p.object)
	if rej != nil {
		return rej, nil
	}
	distro, rej := v.table.Lookup(at.Distribution)
	if rej != nil {
		if _, other := v.table.Other(at.Distribution); other {
			return rej, nil // a table that has both names is given with --distributions
		}
		v.unknown[rej.Detail] = true
		if distro = guess(at.Distribution, formatOf(p.file)); distro.Format == "" {
			return nil, nil
		}
	}
	got, err := v.examine(ctx, p.file, at, distro)
	if err == nil && got.rej == nil {
		v.noteUnsigned(got.pkg, distro)
	}
	return got.rej, err
}

// warnOfUnknown warns of distributions that the table does not have, for a push that does not wait for the verdicts.
func (v *verifier) warnOfUnknown(io Stdio) {
	for _, detail := range slices.Sorted(maps.Keys(v.unknown)) {
		fmt.Fprintf(io.Err, "warning: %s (the server rejects it, too, unless its own table has it)\n", command.Printable(detail))
	}
}

// guess returns a distribution that is not in the table, with the format of a package for it.
func guess(d catalog.Distribution, f catalog.Format) layout.Distro {
	return layout.Distro{Distribution: d, Format: f, I386: true}
}

func (v *verifier) examine(ctx context.Context, file string, at layout.Staged, distro layout.Distro) (got verified, err error) {
	key := file + "\x00" + string(distro.Format) + "\x00" + at.Component
	if distro.Format == catalog.RPM { // distributions accept different packages
		key += "\x00" + distro.Distribution.String()
	}
	if got, ok := v.seen[key]; ok {
		return got, nil
	}
	f, err := os.Open(file)
	if err != nil {
		return got, command.Usage("%w", err)
	}
	defer f.Close()
	got.pkg, err = ingest.Examine(ctx, f, at, distro, ingest.DefaultMaxSize)
	if rej, ok := errors.AsType[*catalog.Rejection](err); ok {
		got.rej, err = rej, nil
	}
	if err != nil && ctx.Err() != nil {
		return got, command.Interrupt("interrupted while reading %s; it is not in staging", file)
	}
	if err != nil {
		return got, command.Fault(err)
	}
	v.seen[key] = got
	return got, nil
}
