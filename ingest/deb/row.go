package deb

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"repomill/ingest/input"
	"repomill/schemas/catalog"
	"repomill/schemas/layout"
)

// Identity returns the [Package.Identity] of a package with this name, version and architecture. The error is not a
// rejection; it explains why no package is accepted with them.
func Identity(name, version, arch string) (catalog.Package, error) {
	v, err := ParseVersion(version)
	switch {
	case err != nil:
		return catalog.Package{}, fmt.Errorf("version %s: %w", input.Quote(version), err)
	case len(name) > maxName || !validName(name):
		return catalog.Package{}, fmt.Errorf("%s is not a package name", input.Quote(name))
	case !validArch(arch):
		return catalog.Package{}, fmt.Errorf("%s is not an architecture", input.Quote(arch))
	}
	return catalog.Package{
		Format: catalog.DEB, Name: name, Version: version, Canonical: v.Canonical(), Arch: arch,
		SortKey: SortKey(name, v, version, arch),
	}, nil
}

// Row reads a stanza that [Package.Describe] made, and returns the columns of its row: the identity, the Component,
// the File, the Needs and the codename. A stanza does not have the repository, the distribution and the time of the upload.
// Rules that became stricter since do not apply: the package was published.
func Row(stanza []byte) (catalog.Package, error) {
	fs, err := cutFields(string(stanza))
	if err != nil {
		return catalog.Package{}, fmt.Errorf("read stanza: %w", err)
	}
	k, err := Identity(fs.get("Package"), fs.get("Version"), fs.get("Architecture"))
	if err != nil {
		return k, fmt.Errorf("read stanza: %w", err)
	}
	k.Needs = fs.needs()
	k.File = catalog.File{SHA256: fs.get("SHA256"), MD5: fs.get("MD5sum")}
	if k.File.Size, err = strconv.ParseInt(fs.get("Size"), 10, 64); err != nil || k.File.Size <= 0 || len(k.File.SHA256) != 64 {
		return k, fmt.Errorf("read stanza of %s: it has no size or digest", k.Name)
	}
	name := fs.get("Filename")
	p := strings.Split(name, "/") // pool/<codename>/<component>/<prefix>/<name>/...
	if len(p) < 6 {
		return k, fmt.Errorf("read stanza of %s: Filename is %s", k.Name, input.Quote(name))
	}
	_, k.Variant = layout.CutVariant(name)
	if k.Variant != "" && k.Variant != layout.VariantOf(k.File.SHA256) {
		return k, fmt.Errorf("read stanza of %s: Filename %s is not of a file with SHA-256 %s", k.Name, input.Quote(name), k.File.SHA256)
	}
	if k.Distribution.Version, k.Component = p[1], p[2]; layout.PoolName(k) != name {
		return k, fmt.Errorf("read stanza of %s: Filename is %s, and not %s", k.Name, input.Quote(name), input.Quote(layout.PoolName(k)))
	}
	return k, nil
}

// cutFields splits a stanza that [Package.Describe] made into its fields, without the checks of [parseControl].
func cutFields(stanza string) (fields, error) {
	var fs fields
	for stanza != "" {
		line, _, ok := strings.Cut(stanza, "\n")
		name, _, colon := strings.Cut(line, ":")
		if !ok || !colon {
			return nil, errors.New("a line has no colon, or no end")
		}
		size := len(line) + 1
		size += continuation(stanza[size:])
		fs = append(fs, field{name: name, text: stanza[:size]})
		stanza = stanza[size:]
	}
	return fs, nil
}
