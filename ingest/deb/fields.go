package deb

import (
	"fmt"
	"regexp"
	"strings"

	"repomill/ingest/input"
	"repomill/schemas/catalog"
	"repomill/schemas/layout"
)

// validName reports whether a package may have this name: those of Debian Policy 5.6.1, and those that dpkg and apt accept besides: with
// underscores, and of one letter. dpkg and apt write capital letters in lower case, so that such a package is not
// found under its name, and two names can be one; they are refused.
func validName(s string) bool {
	for i := range len(s) {
		if c := s[i]; !isDigit(c) && (c < 'a' || c > 'z') && (i == 0 || strings.IndexByte("+._-", c) < 0) {
			return false
		}
	}
	return s != ""
}

// identity returns the identity of the package, and checks all fields. The error is a rejection.
func (fs fields) identity() (catalog.Package, error) {
	p := catalog.Package{Format: catalog.DEB}
	for _, f := range []struct {
		name  string
		value *string
	}{{"Package", &p.Name}, {"Version", &p.Version}, {"Architecture", &p.Arch}} {
		if *f.value = fs.get(f.name); *f.value == "" {
			return catalog.Package{}, input.Reject(catalog.MissingField, "the control file has no %s; add it", f.name)
		}
		if !fs.oneLine(f.name) {
			return catalog.Package{}, input.Reject(catalog.BadField, "%s has more than one line; write %s on the first", f.name, input.Quote(*f.value))
		}
	}
	if lower := strings.ToLower(p.Name); lower != p.Name && validName(lower) {
		return catalog.Package{}, input.Reject(catalog.BadField, "Package is %s; dpkg and apt read it as %s, and find it under that name alone: write it so", input.Quote(p.Name), input.Quote(lower))
	}
	if len(p.Name) > maxName || !validName(p.Name) {
		return catalog.Package{}, input.Reject(catalog.BadField, "Package is %s; use 1 to %d lower-case letters, digits, '+', '-', '.' and '_', starting with a letter or digit", input.Quote(p.Name), maxName)
	}
	v, err := ParseVersion(p.Version)
	if err != nil {
		return catalog.Package{}, input.Reject(catalog.BadField, "Version is %s: %s", input.Quote(p.Version), err)
	}
	if right, wrong := otherArchitectures[p.Arch]; wrong {
		return catalog.Package{}, input.Reject(catalog.BadField, "Architecture is %s, which no system of Debian or Ubuntu has; use %s", input.Quote(p.Arch), right)
	}
	if !validArch(p.Arch) {
		return catalog.Package{}, input.Reject(catalog.BadField, "Architecture is %s; use the one architecture that the package is built for, such as amd64, or all", input.Quote(p.Arch))
	}
	if n := max(len(layout.DebFile(p)), cacheFileSize(p)); n > maxFileName {
		return catalog.Package{}, input.Reject(catalog.TooLarge, "the file name NAME_VERSION_ARCHITECTURE.deb would have %d bytes, as apt's cache writes it, and file systems take %d; shorten the name or the version", n, maxFileName)
	}
	p.Canonical, p.SortKey = v.Canonical(), SortKey(p.Name, v, p.Version, p.Arch)
	return p, fs.check(p.Arch)
}

// cacheFileSize returns the length in bytes of the name under which apt keeps a package in its cache: with the epoch,
// and with '_' and ':' written as "%5f" and "%3a" (apt-pkg/acquire-item.cc, pkgAcqArchive).
func cacheFileSize(p catalog.Package) int {
	quoted := strings.Count(p.Name, "_") + strings.Count(p.Version, ":")
	return len(p.Name+"_"+p.Version+"_"+p.Arch+".deb") + 2*quoted
}

// otherArchitectures are names of other systems for architectures of Debian. apt never asks for them.
var otherArchitectures = map[string]string{
	"x86_64": "amd64", "x86-64": "amd64", "x64": "amd64",
	"aarch64": "arm64", "armv8": "arm64",
	"x86": "i386", "i486": "i386", "i586": "i386", "i686": "i386",
	"arm": "armhf or armel", "armv5": "armel", "armv6": "armhf", "armv6l": "armhf", "armv6hf": "armhf", "armv7": "armhf", "armv7l": "armhf", "armv7hl": "armhf",
	"ppc64le": "ppc64el", "powerpc64le": "ppc64el", "mips64le": "mips64el", "mipsle": "mipsel", "loongarch64": "loong64",
	"noarch": "all", "any": "all, or the one architecture that the package is built for",
}

// validArch reports whether a binary package can have this architecture: not source, not a wildcard, and without an
// underscore, which dpkg refuses and which separates the parts of a file name.
func validArch(s string) bool {
	wildcard := s == "any" || strings.HasPrefix(s, "any-") || strings.HasSuffix(s, "-any")
	return layout.ValidArch(s) && s != "source" && !wildcard && !strings.Contains(s, "_")
}

const inDpkgDatabase = "it belongs to the database of dpkg, which refuses to install a package with it: remove it"

// refusedFields are fields that dpkg and apt read differently, or that dpkg refuses in a package, each with advice.
var refusedFields = map[string]string{
	"revision":         "dpkg adds it to the version, and apt does not: write it into Version",
	"package-revision": "dpkg adds it to the version, and apt does not: write it into Version",
	"package_revision": "dpkg adds it to the version, and apt does not: write it into Version",
	"recommended":      "its name is obsolete: use Recommends",
	"optional":         "its name is obsolete: use Suggests",
	"class":            "its name is obsolete: use Priority",
	"config-version":   inDpkgDatabase,
	"status":           inDpkgDatabase,
	"conffiles":        inDpkgDatabase,
	"triggers-pending": inDpkgDatabase,
	"triggers-awaited": inDpkgDatabase,
}

// fieldValues are the values, in lower case, of fields that dpkg accepts with these values alone. dpkg ignores case.
var fieldValues = map[string]string{
	"essential":  "yes no",
	"protected":  "yes no",
	"multi-arch": "no same foreign allowed",
}

// md5Hex matches the values that apt requires in Description-md5: it refuses an index with any other.
var md5Hex = regexp.MustCompile(`^[0-9A-Fa-f]{32}$`)

// check rejects fields that keep dpkg from installing the package, or apt from reading an index.
func (fs fields) check(arch string) error {
	for _, f := range fs {
		if err := f.check(); err != nil {
			return err
		}
	}
	if arch == "all" && strings.EqualFold(fs.get("Multi-Arch"), "same") {
		return input.Reject(catalog.BadField, "Multi-Arch is same, and dpkg refuses that with Architecture all; use foreign, or none")
	}
	return fs.checkKind()
}

// checkKind rejects packages of the Debian installer. dpkg does not work with them, since they have no maintainer
// scripts for an installed system, and apt would offer them to every client. Debug symbols of Ubuntu have the type
// ddeb, and are installed as any other package: neither dpkg nor apt reads the type.
func (fs fields) checkKind() error {
	kind, section := fs.get("Package-Type"), fs.get("Section")
	if i := strings.LastIndexByte(section, '/'); strings.EqualFold(section[i+1:], "debian-installer") {
		return input.Reject(catalog.Unsupported, "Section is %s: a package of the Debian installer (udeb) is not for installed systems; it cannot be published here", input.Quote(section))
	}
	if strings.EqualFold(kind, "udeb") {
		return input.Reject(catalog.Unsupported, "Package-Type is %s: a package of the Debian installer is not for installed systems; it cannot be published here", input.Quote(kind))
	}
	return nil
}

// check checks one field alone, for [fields.check].
func (f field) check() error {
	key, value := strings.ToLower(f.name), f.value()
	if why, ok := refusedFields[key]; ok {
		return input.Reject(catalog.BadField, "the control file has the field %s; %s", f.name, why)
	}
	if allowed, ok := fieldValues[key]; ok && value != "" && !oneOf(value, allowed) {
		return input.Reject(catalog.BadField, "%s is %s; use one of: %s", f.name, input.Quote(value), allowed)
	}
	_, choice := fieldValues[key]
	alternatives, ok := relationFields[key]
	if (choice || ok && key != "obsoletes") && value != "" && f.beginsBelow() {
		return input.Reject(catalog.BadField, "%s begins on the line below its name, and dpkg reads nothing there; write the value on the same line", f.name)
	}
	if ok {
		if err := checkRelation(value, alternatives); err != nil {
			return input.Reject(catalog.BadField, "%s: %s", f.name, err)
		}
	}
	switch {
	case key == "provides" && value == "":
		return input.Reject(catalog.BadField, "Provides is empty, and apt refuses an index with that; remove it")
	case (key == "filename" || key == "msdos-filename" || key == "size" || key == "md5sum") && value == "":
		return input.Reject(catalog.BadField, "%s is empty, and dpkg refuses that; remove it: only a repository knows it", f.name)
	case key == "description-md5" && !md5Hex.MatchString(value):
		return input.Reject(catalog.BadField, "Description-md5 is %s, and not 32 hexadecimal digits; remove it", input.Quote(value))
	case (key == "section" || key == "source") && len(value) > maxString:
		return input.Reject(catalog.TooLarge, "%s has %d bytes; the limit is %d", f.name, len(value), maxString)
	}
	return nil
}

// oneOf reports whether value is one of the words, in any case.
func oneOf(value, words string) bool {
	for _, w := range strings.Fields(words) {
		if strings.EqualFold(value, w) {
			return true
		}
	}
	return false
}

// relationFields are the fields that name other packages, and whether dpkg accepts alternatives ("a | b") in them. If
// apt cannot parse a relation, it refuses the whole index, and no client of the repository can install anything.
var relationFields = map[string]bool{
	"depends": true, "pre-depends": true, "recommends": true, "suggests": true, "enhances": true,
	"breaks": false, "conflicts": false, "replaces": false, "provides": false, "obsoletes": false,
}

// checkRelation returns an error, as the end of a sentence, if dpkg or apt cannot read the value of a relation field.
// alternatives reports whether the field may have them.
func checkRelation(value string, alternatives bool) error {
	if value == "" {
		return nil
	}
	if i := strings.LastIndexByte(value, '('); i >= 0 {
		// apt-pkg/deb/deblistparser.cc, ParseDepends, fails on fewer bytes, and with it the whole index.
		if end := strings.TrimLeft(value[i+1:], " \t\n"); len(end) <= 3 {
			return fmt.Errorf("%s at the end is too short for apt; write an operator and a space, as in (= 1)", input.Quote(value[i:]))
		}
	}
	for group := range strings.SplitSeq(value, ",") {
		if !alternatives && strings.Contains(group, "|") {
			return fmt.Errorf("%s has alternatives, which dpkg refuses here", input.Quote(group))
		}
		for one := range strings.SplitSeq(group, "|") {
			one = strings.Trim(one, " \t\n")
			version, ok := parseRelation(one)
			if !ok || len(one) > maxString {
				return fmt.Errorf("%s is not a package, such as libc6 or libc6:any (>= 2.31); dpkg or apt cannot read it", input.Quote(one))
			}
			if version == "" {
				continue
			}
			if _, err := ParseVersion(version); err != nil {
				return fmt.Errorf("%s: %w", input.Quote(one), err)
			}
		}
	}
	return nil
}
