package rpm

import (
	"bytes"
	"errors"
	"strings"

	rpmutils "github.com/sassoftware/go-rpmutils"

	"repomill/schemas/catalog"
)

// A header is what an index says about a package, apart from the facts about its file. Free text is
// clean, and every string is a copy: the header's own bytes can be dropped.
type header struct {
	name string
	evr  evr
	arch string

	summary, description, packager, url          string
	license, vendor, group, buildHost, sourceRPM string
	built, installed, archive                    uint64 // a time, and bytes
	start, end                                   int    // range of the main header in the file
	files                                        []file
	provides, requires, conflicts, obsoletes     []dependency
	suggests, enhances, recommends, supplements  []dependency
	changes                                      []change // oldest first
}

// A file is one path of the package: dir and base are joined as bytes.
type file struct {
	dir, base string
	kind      string // "dir", "ghost" or ""
}

func (f file) path() string { return f.dir + f.base }

// parse reads the headers, which have passed the guard, with go-rpmutils.
func parse(raw []byte) (*header, error) {
	var h *header
	err := recovered(func() error {
		lib, err := rpmutils.ReadHeader(bytes.NewReader(raw))
		if err != nil {
			return reject(catalog.Malformed, "the headers cannot be read: %s", quote(err.Error()))
		}
		t := &tags{lib: lib}
		h = t.header()
		return t.err
	})
	return h, err
}

// tags reads the values of tags and keeps the first error. An absent tag is the zero value. It uses
// go-rpmutils for raw values alone: what that derives from several tags is not up to hostile input.
type tags struct {
	lib *rpmutils.RpmHeader
	err error
}

func (t *tags) header() *header {
	h := &header{
		name:        t.id(tagName, "name"),
		evr:         evr{version: t.id(tagVersion, "version"), release: t.id(tagRelease, "release")},
		arch:        t.id(tagArch, "arch"),
		summary:     t.free(tagSummary),
		description: t.free(tagDescription),
		packager:    t.free(tagPackager),
		url:         t.free(tagURL),
		license:     t.free(tagLicense),
		vendor:      t.free(tagVendor),
		group:       t.free(tagGroup),
		buildHost:   t.free(tagBuildHost),
		sourceRPM:   t.free(tagSourceRPM),
		built:       t.number(tagBuildTime),
		installed:   t.number(tagLongSize, tagSize),
		archive:     t.number(sigLongArchiveSize, sigBase+sigArchiveSize, tagArchiveSize, tagPayloadPlain),
		files:       t.files(),
		changes:     t.changes(),
	}
	h.evr.epoch = uint32(t.number(tagEpoch))
	if t.isSource() {
		h.arch = "src"
	}
	t.checkPayloadFormat()
	t.checkIdentity(h)
	t.dependencies(h)
	r := t.lib.GetRange()
	h.start, h.end = r.Start, r.End
	return h
}

// isSource follows librpm: the tag says so or, where neither it nor the name of a source package is
// there, all files lie in one directory without a name.
func (t *tags) isSource() bool {
	if t.lib.HasTag(tagSourcePackage) || t.lib.HasTag(tagSourceRPM) {
		return t.number(tagSourcePackage) != 0
	}
	dirs := t.texts(tagDirNames)
	return len(dirs) == 1 && dirs[0] == ""
}

// checkPayloadFormat keeps out delta RPMs, which are packages in all but their payload.
func (t *tags) checkPayloadFormat() {
	switch format := t.first(tagPayloadFormat); format {
	case "", "cpio":
	case "drpm":
		t.fail(reject(catalog.Unsupported, "the file is a delta RPM; upload the whole package"))
	default:
		t.fail(reject(catalog.Unsupported, "the payload has the format %s; only cpio can be installed", quote(format)))
	}
}

func (t *tags) fail(err error) {
	if t.err == nil {
		t.err = err
	}
}

// check keeps an error of go-rpmutils, unless it is that the tag is absent.
func (t *tags) check(tag int, err error) {
	if absent := (rpmutils.NoSuchTagError{}); err != nil && !errors.As(err, &absent) {
		t.fail(reject(catalog.Malformed, "tag %d cannot be read: %s", tag, quote(err.Error())))
	}
}

// texts returns all strings of a tag. They share memory.
func (t *tags) texts(tag int) []string {
	s, err := t.lib.GetStrings(tag)
	t.check(tag, err)
	return s
}

// first returns the first string of a tag: its only one, or that of the C locale.
func (t *tags) first(tag int) string {
	if s := t.texts(tag); len(s) > 0 {
		return strings.Clone(s[0])
	}
	return ""
}

// free returns free text, clean.
func (t *tags) free(tag int) string { return clean(t.first(tag)) }

// id returns a string that a package cannot do without.
func (t *tags) id(tag int, what string) string {
	s := t.first(tag)
	if s == "" {
		t.fail(reject(catalog.MissingField, "the package has no %s; add it to its spec file", what))
	}
	return s
}

// number returns the integer of the first of the tags that is there.
func (t *tags) number(tags ...int) uint64 {
	for _, tag := range tags {
		n, err := t.lib.GetUint64s(tag)
		t.check(tag, err)
		if len(n) > 0 {
			return n[0]
		}
	}
	return 0
}

func (t *tags) numbers(tag int) []uint32 {
	n, err := t.lib.GetUint32s(tag)
	t.check(tag, err)
	return n
}
