package main

import (
	"strings"

	"repomill/pipelines/client"
	"repomill/pipelines/command"
	"repomill/schemas/catalog"
	"repomill/schemas/layout"
)

// A logFilter selects entries of the log.
type logFilter struct {
	repository catalog.Target
	place      string // "owner/name/os/version[/component]"; empty for all
	patterns   []catalog.Pattern
}

// filter reads what the log is to be of.
func (c *logCmd) filter() (f logFilter, err error) {
	if f.patterns, err = parsePatterns(c.Packages); err != nil || c.Target == "" {
		return f, err
	}
	if strings.Count(strings.Trim(c.Target, "/"), "/") < 2 {
		f.repository, err = parseTarget(c.Target)
		if err == nil && len(f.patterns) > 0 && f.repository.Name == "" {
			err = command.Usage("target %q: name the repository of the packages, owner/name", c.Target)
		}
		return f, err
	}
	t, err := parsePackageTarget(c.Target)
	f.repository, f.place = catalog.Target(t.Repository), t.String()
	return f, err
}

// selects reports whether an entry is to be printed.
func (f logFilter) selects(e catalog.AuditEntry) bool {
	k, ofPackage := packageOfEntry(e)
	at := e.Target
	if e.Action == catalog.ActionUpload && at+"/"+layout.DefaultComponent == f.place { // no component is the default one
		at = f.place
	}
	switch {
	case len(f.patterns) == 0 && e.Target == catalog.AllRepositories:
		return true
	case f.place != "" && !atOrBelow(at, f.place) && (ofPackage || !atOrBelow(f.place, at)):
		return false
	case len(f.patterns) == 0:
		return true
	}
	for _, p := range f.patterns {
		if ofPackage && p.Matches(k) {
			return true
		}
	}
	return e.Action == catalog.ActionRollback
}

// atOrBelow reports whether a path is at or below another.
func atOrBelow(path, above string) bool { return path == above || strings.HasPrefix(path, above+"/") }

// packageOfEntry returns the package that an entry is about, and whether it is about one. Of a file whose name says nothing it is empty.
func packageOfEntry(e catalog.AuditEntry) (k catalog.Package, ok bool) {
	switch {
	case e.Action == catalog.ActionUpload && e.Package == "":
		k, _ = client.PackageOfFile(fileOf(e))
		return k, true
	case e.Action == catalog.ActionUpload:
		k, ok = packageIn(e.Package)
	case e.Action != catalog.ActionRollback && strings.HasPrefix(string(e.Action), "package."):
		k, ok = packageIn(e.Detail)
	}
	return k, ok
}

// packageIn reads the package that a text begins with: name version architecture.
func packageIn(text string) (k catalog.Package, ok bool) {
	p := strings.Fields(text)
	if len(p) < 3 {
		return k, false
	}
	return catalog.Package{Name: p[0], Version: p[1], Arch: p[2]}, true
}

// fileOf returns the name of the file of an upload without a package.
func fileOf(e catalog.AuditEntry) string {
	file := e.Detail
	for _, state := range []catalog.UploadState{catalog.Received, catalog.Rejected} {
		if before, _, found := strings.Cut(e.Detail, " "+string(state)); found && len(before) < len(file) {
			file = before
		}
	}
	return file
}
