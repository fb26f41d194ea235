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

// formatOf returns the format that the first bytes of a file say, or none.
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

// A verifier reads packages as the server does.
type verifier struct {
	table *layout.Table
	seen  map[string]verified // by file, and by distribution where that matters

	unknown  map[string]bool // what the table here says of distributions that it does not have
	unsigned int             // RPM packages without a signature, for systems that refuse them
}

func newVerifier(t *layout.Table) verifier {
	return verifier{table: t, seen: map[string]verified{}, unknown: map[string]bool{}}
}

// verified is what the reader said of a file.
type verified struct {
	pkg catalog.Package
	rej *catalog.Rejection
}

// verify says why the server would reject a file, if it would. What only the server can know is left to it: a
// distribution that is not in the table here may be in its own, unless the table here has another name for it.
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

// warnOfUnknown says which distributions only the server can know, to who does not wait for what it says.
func (v *verifier) warnOfUnknown(io Stdio) {
	for _, detail := range slices.Sorted(maps.Keys(v.unknown)) {
		fmt.Fprintf(io.Err, "warning: %s (the server rejects it, too, unless its own table has it)\n", command.Printable(detail))
	}
}

// guess returns a distribution of which nothing is known but what a package for it is like.
func guess(d catalog.Distribution, f catalog.Format) layout.Distro {
	return layout.Distro{Distribution: d, Format: f, I386: true}
}

func (v *verifier) examine(ctx context.Context, file string, at layout.Staged, distro layout.Distro) (got verified, err error) {
	key := file + "\x00" + string(distro.Format) + "\x00" + at.Component
	if distro.Format == catalog.RPM { // what clients can install differs
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
		return got, command.Interrupt("interrupted while %s was being read; it is not in staging", file)
	}
	if err != nil {
		return got, command.Fault(err)
	}
	v.seen[key] = got
	return got, nil
}
