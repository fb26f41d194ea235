package main

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"repomill/ingest/pgp"
	"repomill/pipelines/command"
	"repomill/schemas/catalog"
)

// requireSigned decides which packages need a signature: what is asked for or, with the first package key, those of RPM,
// whose clients refuse all others from then on.
func (o offer) requireSigned(s *catalog.Settings, had []catalog.PackageKey) error {
	switch {
	case len(o.RequireSigned) > 0:
		s.RequireSigned = nil
		for _, f := range o.RequireSigned {
			if f != "none" {
				s.RequireSigned = append(s.RequireSigned, catalog.Format(f))
			}
		}
	case len(had) == 0 && len(s.PackageKeys) > 0:
		s.RequireSigned = []catalog.Format{catalog.RPM}
	}
	switch {
	case len(s.RequireSigned) == 0 || len(s.PackageKeys) > 0:
		return nil
	case len(had) > 0:
		return command.Usage("without the last package key no package could be published, since signatures are required: give --require-signed none, too")
	default:
		return command.Usage("--require-signed %s: no package key is there to check signatures with; register one with --package-key", strings.Join(o.RequireSigned, ","))
	}
}

// checkRequireSigned says what is wrong with --require-signed.
func (o offer) checkRequireSigned() error {
	if len(o.RequireSigned) > 1 && slices.Contains(o.RequireSigned, "none") {
		return command.Usage("--require-signed %s: none goes with nothing else", strings.Join(o.RequireSigned, ","))
	}
	return nil
}

// warnOfKeys says which package keys of a repository are of no use to its clients, where that may have changed.
func (o offer) warnOfKeys(io stdio, s catalog.Settings) {
	if len(o.PackageKey)+len(o.RequireSigned) == 0 {
		return
	}
	ring, err := pgp.Read(s.Repository, s.PackageKeys)
	if err != nil {
		fmt.Fprintf(io.err, "warning: %v\n", err)
		return
	}
	for _, problem := range ring.Unusable(time.Now()) {
		problem, _, _ = strings.Cut(problem, ", and the signature is of") // which would be one of today
		fmt.Fprintf(io.err, "warning: package key %s: packages that it signs from now on are refused; register the key again (--package-key) if its owner has extended it\n", command.Printable(problem))
	}
}

// signedText says which packages of a repository need a signature.
func signedText(s catalog.Settings) string {
	if len(s.RequireSigned) == 0 {
		return ""
	}
	var formats []string
	for _, f := range s.RequireSigned {
		formats = append(formats, string(f))
	}
	return ", signatures required of " + strings.Join(formats, " and ")
}
