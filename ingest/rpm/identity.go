package rpm

import (
	"regexp"

	"repomill/ingest/input"
	"repomill/schemas/catalog"
	"repomill/schemas/layout"
)

// What names and versions look like: rpmbuild's rules (build/parsePreamble.c: rpmCharCheck), less '%', '{' and '}',
// which it lets pass: they mean a macro that was not defined, and a '%' in a URL starts an escape. A '-' ends a version
// or release.
var (
	namePattern    = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9._+-]*$`)
	versionPattern = regexp.MustCompile(`^[A-Za-z0-9._+~^]+$`)
)

// maxFileName is the longest name of a file, in bytes, that file systems take.
const maxFileName = 255

// checkIdentity checks what a file name, and so a URL, is made of.
func (t *tags) checkIdentity(h *header) {
	if t.err != nil {
		return
	}
	const use = "use letters, digits, '.', '_', '+', and %s"
	switch {
	case !namePattern.MatchString(h.name):
		t.fail(input.Reject(catalog.BadField, "the name %s cannot be published, because a file name and a URL are made of it: "+use, input.Quote(h.name), "'-', starting with a letter, digit or '_'"))
	case !versionPattern.MatchString(h.evr.version):
		t.fail(input.Reject(catalog.BadField, "the version %s cannot be published, because a file name and a URL are made of it: "+use, input.Quote(h.evr.version), "'~', '^'"))
	case !versionPattern.MatchString(h.evr.release):
		t.fail(input.Reject(catalog.BadField, "the release %s cannot be published, because a file name and a URL are made of it: "+use, input.Quote(h.evr.release), "'~', '^'"))
	case !layout.ValidArch(h.arch):
		t.fail(input.Reject(catalog.BadField, "the architecture %s cannot be published, because a folder is named after it: use up to 32 letters, digits, '_' and '-'", input.Quote(h.arch)))
	case len(layout.RPMName(catalog.Package{Name: h.name, Version: h.evr.version + "-" + h.evr.release, Arch: h.arch})) > maxFileName:
		t.fail(input.Reject(catalog.BadField, "name, version, release and architecture make a file name of more than %d bytes", maxFileName))
	}
}
