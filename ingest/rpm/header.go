package rpm

import (
	"bytes"
	"errors"
	"strings"

	rpmutils "github.com/sassoftware/go-rpmutils"

	"repomill/ingest/input"
	"repomill/schemas/catalog"
)

// A header is what an index says about a package, apart from the facts about its file. Free text is clean.
// Only files refers to the bytes of the package.
type header struct {
	name string
	evr  evr
	arch string

	summary, description, packager, url          string
	license, vendor, group, buildHost, sourceRPM string
	built, installed, archive                    uint64 // a time, and bytes
	start, end                                   int    // range of the main header in the file
	files                                        *fileList
	provides, requires, conflicts, obsoletes     []dependency
	suggests, enhances, recommends, supplements  []dependency
	features                                     []string // of rpm, that the package requires: NAME of rpmlib(NAME)
	changes                                      []change // oldest first
}

// parse reads both headers, which have passed the guard, with go-rpmutils. The main header starts at byte
// start of the file.
func parse(signature, main *index, start int) (*header, error) {
	files, err := main.fileList()
	if err != nil {
		return nil, err
	}
	lean, err := leanPackage(signature, main)
	if err != nil {
		return nil, err
	}
	var h *header
	err = input.Guard("the reader of headers", func() error {
		lib, err := rpmutils.ReadHeader(bytes.NewReader(lean))
		if err != nil {
			return input.Reject(catalog.Malformed, "the headers cannot be read: %s", input.Quote(err.Error()))
		}
		t := &tags{lib: lib}
		h = t.header(files)
		return t.err
	})
	if err == nil {
		h.start, h.end = start, start+len(main.raw)
	}
	return h, err
}

// tags reads the values of tags and keeps the first error. An absent tag is the zero value. It uses
// go-rpmutils for raw values alone: what that derives from several tags is not up to hostile input.
type tags struct {
	lib *rpmutils.RpmHeader
	err error
}

func (t *tags) header(files *fileList) *header {
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
		files:       files,
		changes:     t.changes(),
	}
	h.evr.epoch = uint32(t.number(tagEpoch))
	if t.isSource(files) {
		h.arch = "src"
	}
	t.checkPayloadFormat()
	t.checkIdentity(h)
	t.dependencies(h)
	return h
}

// isSource follows librpm: the tag says so or, where neither it nor the name of a source package is
// there, all files lie in one directory without a name.
func (t *tags) isSource(files *fileList) bool {
	if t.lib.HasTag(tagSourcePackage) || t.lib.HasTag(tagSourceRPM) {
		return t.number(tagSourcePackage) != 0
	}
	return len(files.dirs) == 1 && files.dirs[0] == ""
}

// checkPayloadFormat keeps out delta RPMs, which are packages in all but their payload.
func (t *tags) checkPayloadFormat() {
	switch format := t.first(tagPayloadFormat); format {
	case "", "cpio":
	case "drpm":
		t.fail(input.Reject(catalog.Unsupported, "the file is a delta RPM; upload the whole package"))
	default:
		t.fail(input.Reject(catalog.Unsupported, "the payload has the format %s; only cpio can be installed", input.Quote(format)))
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
		t.fail(input.Reject(catalog.Malformed, "tag %d cannot be read: %s", tag, input.Quote(err.Error())))
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

// maxText is the longest text, in bytes. XML parsers give up at 10 MB.
const maxText = 512 << 10

// free returns free text, clean.
func (t *tags) free(tag int) string { return t.text(tag, t.first(tag)) }

// text returns s, a text of a tag, clean.
func (t *tags) text(tag int, s string) string {
	if len(s) > maxText {
		t.fail(input.Reject(catalog.TooLarge, "a text of the package (tag %d) has %d bytes; at most %d are accepted", tag, len(s), maxText))
		return ""
	}
	return clean(s)
}

// id returns a string that a package cannot do without.
func (t *tags) id(tag int, what string) string {
	s := t.first(tag)
	if s == "" {
		t.fail(input.Reject(catalog.MissingField, "the package has no %s; add it to its spec file", what))
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
