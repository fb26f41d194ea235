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

// requireSigned sets in s which packages need a signature: those that --require-signed names or, with the first package key,
// those of RPM, because its clients then refuse all others.
func (c repositoryFlags) requireSigned(s *catalog.Settings, had []catalog.PackageKey) error {
	switch {
	case len(c.RequireSigned) > 0:
		s.RequireSigned = nil
		for _, f := range c.RequireSigned {
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
		return command.Usage("without the last package key no package could be published, because signatures are required: add --require-signed none")
	default:
		return command.Usage("--require-signed %s: the repository has no package key to check signatures with; register one with --package-key", strings.Join(c.RequireSigned, ","))
	}
}

// checkRequireSigned returns an error for an invalid --require-signed.
func (c repositoryFlags) checkRequireSigned() error {
	if len(c.RequireSigned) > 1 && slices.Contains(c.RequireSigned, "none") {
		return command.Usage("--require-signed %s: none excludes all others", strings.Join(c.RequireSigned, ","))
	}
	return nil
}

// warnOfKeys warns of package keys that clients cannot use, if a flag may have changed that.
func (c repositoryFlags) warnOfKeys(io stdio, s catalog.Settings) {
	if len(c.PackageKey)+len(c.RequireSigned) == 0 {
		return
	}
	ring, err := pgp.Read(s.Repository, s.PackageKeys)
	if err != nil {
		fmt.Fprintf(io.err, "warning: %v\n", err)
		return
	}
	for _, problem := range ring.Unusable(time.Now()) {
		problem, _, _ = strings.Cut(problem, ", and the signature is of") // the rest names the time of a signature made now
		fmt.Fprintf(io.err, "warning: package key %s: packages that it signs from now on are refused; register the key again (--package-key) if its owner has extended it\n", command.Printable(problem))
	}
}

// signedText describes in a list which packages of a repository need a signature.
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
