package rpm

import (
	"bytes"
	"encoding/binary"
	"slices"
	"strings"

	"repomill/ingest/input"
	"repomill/schemas/catalog"
)

// modeRegular is the file type of a regular file.
const modeRegular = 0o100000

// checkInstallable rejects packages that rpm can read but does not install. Each rule was tried with rpm --root.
func (x *headerIndex) checkInstallable() error {
	if err := x.checkOS(); err != nil {
		return err
	}
	n := x.entries[tagBaseNames].count
	if n == 0 {
		return nil
	}
	for _, tag := range []struct {
		tag  uint32
		what string
	}{{tagFileUsers, "owners"}, {tagFileGroups, "groups"}} {
		if _, ok := x.entries[tag.tag]; !ok {
			return input.Reject(catalog.Malformed, "the package does not name the %s of its files (tag %d), so that rpm cannot read it; the tool that made it is broken", tag.what, tag.tag)
		}
	}
	if err := x.checkTypes(n); err != nil {
		return err
	}
	return x.checkContents(n)
}

// The other file types that rpm can make, besides regular files, directories and symbolic links.
const (
	modePipe      = 0o010000
	modeCharacter = 0o020000
	modeBlock     = 0o060000
	modeSocket    = 0o140000
)

// checkTypes rejects a package of n files if rpm cannot make one of them: a file of an unknown type, or a symbolic
// link without a target.
func (x *headerIndex) checkTypes(n uint32) error {
	modes, flags := x.values(tagFileModes), x.values(tagFileFlags)
	var targets []uint32 // offsets in links
	links := x.values(tagFileLinks)
	for i := range n {
		if isGhost(flags, int(i)) {
			continue
		}
		switch mode := binary.BigEndian.Uint16(modes[2*i:]); mode & modeType {
		case modeRegular, modeDir, modePipe, modeCharacter, modeBlock, modeSocket:
		case modeSymlink:
			if targets == nil {
				targets = textOffsets(links)
			}
			if len(targets) != int(n) || len(textAt(links, targets[i])) == 0 {
				return input.Reject(catalog.Malformed, "file %d of the package is a symbolic link without a target (tag %d), so that rpm cannot make it; the tool that made the package is broken", i, tagFileLinks)
			}
		default:
			return input.Reject(catalog.Malformed, "file %d of the package has the mode %#o, which is of an unknown type, so that rpm cannot make it; the tool that made the package is broken", i, mode)
		}
	}
	return nil
}

// checkOS rejects packages of other operating systems than Linux. rpm cannot read a package without that tag. It does
// not check the tag of a source package.
func (x *headerIndex) checkOS() error {
	if _, source := x.entries[tagSourcePackage]; source {
		return nil
	}
	switch os := x.text(tagOS); {
	case os == "":
		return input.Reject(catalog.MissingField, "the package does not say for which operating system it is (tag %d), so that rpm cannot install it; build it with rpmbuild, or set linux", tagOS)
	case !strings.EqualFold(os, "linux"):
		return input.Reject(catalog.Unsupported, "the package is for the operating system %s; rpm installs it on no Linux system", input.Quote(os))
	}
	return nil
}

// checkContents checks that there are the tags that rpm needs to unpack n files: sizes, digests, and the inodes of
// hard links.
func (x *headerIndex) checkContents(n uint32) error {
	regular := x.regularFiles(n)
	if len(regular) == 0 {
		return nil
	}
	_, sizes := x.entries[tagFileSizes]
	_, long := x.entries[tagLongFileSizes]
	_, digests := x.entries[tagFileDigests]
	switch {
	case !sizes && !long:
		return input.Reject(catalog.Malformed, "the package does not say the sizes of its files, so that rpm cannot unpack it; the tool that made it is broken")
	case !digests:
		return input.Reject(catalog.Malformed, "the package has no digests of its files, so that rpm does not unpack it; the tool that made it is broken")
	case x.entries[tagFileInodes].count == n && x.entries[tagFileDevices].count == n:
		return nil
	}
	if x.haveEqualDigests(regular) {
		return input.Reject(catalog.Malformed, "files of the package are alike, and it does not say by inodes and devices (tags %d, %d) which are one file of several names, so that rpm cannot unpack it; the tool that made it is broken",
			tagFileInodes, tagFileDevices)
	}
	return nil
}

// regularFiles returns the numbers of the files, of n, that have contents in the payload.
func (x *headerIndex) regularFiles(n uint32) (regular []uint32) {
	modes, flags := x.values(tagFileModes), x.values(tagFileFlags)
	for i := range n {
		if !isGhost(flags, int(i)) && binary.BigEndian.Uint16(modes[2*i:])&modeType == modeRegular {
			regular = append(regular, i)
		}
	}
	return regular
}

// haveEqualDigests reports whether two of the files have equal digests, as hard links of each other have. Empty files
// do not count: they need no links.
func (x *headerIndex) haveEqualDigests(files []uint32) bool {
	digests := x.values(tagFileDigests)
	offsets, sizes := textOffsets(digests), x.values(tagFileSizes)
	digest := func(i uint32) []byte { return textAt(digests, offsets[i]) }
	empty := func(i uint32) bool {
		return len(sizes) > 0 && binary.BigEndian.Uint32(sizes[4*i:]) == 0 || len(digest(i)) == 0
	}
	files = slices.DeleteFunc(files, empty)
	slices.SortFunc(files, func(a, b uint32) int { return bytes.Compare(digest(a), digest(b)) })
	for i := 1; i < len(files); i++ {
		if bytes.Equal(digest(files[i-1]), digest(files[i])) {
			return true
		}
	}
	return false
}

// rpmlibPrefix begins the names of dependencies on features of rpm itself.
const rpmlibPrefix = "rpmlib("

// CheckFeatures rejects a package that needs a feature which the rpm of a system lacks: one of its rpmlib(NAME)
// dependencies, or the decompressor of its payload. lacks reports whether rpm lacks the feature NAME; system names
// the system in the rejection.
func (p *Package) CheckFeatures(system string, lacks func(feature string) bool) error {
	if p.PayloadCompressor() == "zstd" && lacks("PayloadIsZstd") {
		return input.Reject(catalog.Unsupported, "the rpm of %s cannot unpack zstd, with which the payload of this package is compressed; build it with _binary_payload w9.gzdio or w2.xzdio", system)
	}
	if p.header.arch == "src" {
		return nil // rpm unpacks a source package without these checks
	}
	for _, name := range p.header.features {
		if lacks(name) {
			return input.Reject(catalog.Unsupported, "the package requires rpmlib(%s), which the rpm of %s does not have%s", name, system, featureAdvice[name])
		}
	}
	return nil
}

// featuresOf returns NAME of each rpmlib(NAME) that a package requires.
func featuresOf(requires []dependency) (names []string) {
	for _, d := range requires {
		if name, ok := strings.CutPrefix(d.name, rpmlibPrefix); ok {
			names = append(names, strings.TrimSuffix(name, ")"))
		}
	}
	return names
}

// featureAdvice explains what makes a package require a feature, and how to avoid that.
var featureAdvice = map[string]string{
	"LargeFiles":       ": one of its files has 4 GiB or more; split it",
	"RichDependencies": ": a dependency of it is in parentheses, such as (a or b); build it for that system without",
	"CaretInVersions":  ": its version has a ^; build it for that system without",
}
