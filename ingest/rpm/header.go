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
	features                                     []string         // of rpm, that the package requires: NAME of rpmlib(NAME)
	changes                                      []changelogEntry // oldest first
}

// parse reads both headers, which have passed the guard, with go-rpmutils. The main header starts at byte
// start of the file.
func parse(signature, main *headerIndex, start int) (*header, error) {
	files, err := main.fileList()
	if err != nil {
		return nil, err
	}
	minimal, err := minimalPackage(signature, main)
	if err != nil {
		return nil, err
	}
	var h *header
	err = input.Guard("the reader of headers", func() error {
		lib, err := rpmutils.ReadHeader(bytes.NewReader(minimal))
		if err != nil {
			return input.Reject(catalog.Malformed, "the headers cannot be read: %s", input.Quote(err.Error()))
		}
		t := &tagReader{lib: lib}
		h = t.header(files)
		return t.err
	})
	if err == nil {
		h.start, h.end = start, start+len(main.raw)
	}
	return h, err
}

// tagReader reads the values of tags and keeps the first error. An absent tag is the zero value. It uses
// go-rpmutils for raw values alone: what that derives from several tags is not up to hostile input.
type tagReader struct {
	lib *rpmutils.RpmHeader
	err error
}

func (t *tagReader) header(files *fileList) *header {
	h := &header{
		name:        t.required(tagName, "name"),
		evr:         evr{version: t.required(tagVersion, "version"), release: t.required(tagRelease, "release")},
		arch:        t.required(tagArch, "arch"),
		summary:     t.freeText(tagSummary),
		description: t.freeText(tagDescription),
		packager:    t.freeText(tagPackager),
		url:         t.freeText(tagURL),
		license:     t.freeText(tagLicense),
		vendor:      t.freeText(tagVendor),
		group:       t.freeText(tagGroup),
		buildHost:   t.freeText(tagBuildHost),
		sourceRPM:   t.freeText(tagSourceRPM),
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
func (t *tagReader) isSource(files *fileList) bool {
	if t.lib.HasTag(tagSourcePackage) || t.lib.HasTag(tagSourceRPM) {
		return t.number(tagSourcePackage) != 0
	}
	return len(files.dirs) == 1 && files.dirs[0] == ""
}

// checkPayloadFormat keeps out delta RPMs, which are packages in all but their payload.
func (t *tagReader) checkPayloadFormat() {
	switch format := t.firstText(tagPayloadFormat); format {
	case "", "cpio":
	case "drpm":
		t.fail(input.Reject(catalog.Unsupported, "the file is a delta RPM; upload the whole package"))
	default:
		t.fail(input.Reject(catalog.Unsupported, "the payload has the format %s; only cpio can be installed", input.Quote(format)))
	}
}

func (t *tagReader) fail(err error) {
	if t.err == nil {
		t.err = err
	}
}

// keep keeps an error of go-rpmutils, unless it is that the tag is absent.
func (t *tagReader) keep(tag int, err error) {
	if absent := (rpmutils.NoSuchTagError{}); err != nil && !errors.As(err, &absent) {
		t.fail(input.Reject(catalog.Malformed, "tag %d cannot be read: %s", tag, input.Quote(err.Error())))
	}
}

// texts returns all strings of a tag. They share memory.
func (t *tagReader) texts(tag int) []string {
	s, err := t.lib.GetStrings(tag)
	t.keep(tag, err)
	return s
}

// firstText returns the first string of a tag: its only one, or that of the C locale.
func (t *tagReader) firstText(tag int) string {
	if s := t.texts(tag); len(s) > 0 {
		return strings.Clone(s[0])
	}
	return ""
}

// maxText is the longest text, in bytes. XML parsers give up at 10 MB.
const maxText = 512 << 10

// freeText returns free text, clean.
func (t *tagReader) freeText(tag int) string { return t.text(tag, t.firstText(tag)) }

// text returns s, a text of a tag, clean.
func (t *tagReader) text(tag int, s string) string {
	if len(s) > maxText {
		t.fail(input.Reject(catalog.TooLarge, "a text of the package (tag %d) has %d bytes; at most %d are accepted", tag, len(s), maxText))
		return ""
	}
	return cleanText(s)
}

// required returns a string that a package cannot do without.
func (t *tagReader) required(tag int, what string) string {
	s := t.firstText(tag)
	if s == "" {
		t.fail(input.Reject(catalog.MissingField, "the package has no %s; add it to its spec file", what))
	}
	return s
}

// number returns the integer of the first of the tags that is there.
func (t *tagReader) number(tags ...int) uint64 {
	for _, tag := range tags {
		n, err := t.lib.GetUint64s(tag)
		t.keep(tag, err)
		if len(n) > 0 {
			return n[0]
		}
	}
	return 0
}

func (t *tagReader) numbers(tag int) []uint32 {
	n, err := t.lib.GetUint32s(tag)
	t.keep(tag, err)
	return n
}

// A changelogEntry is one entry of a changelog.
type changelogEntry struct {
	time         int64 // seconds since 1970
	author, text string
}

// maxIndexedChanges is the number of changes in an index: createrepo_c's default.
const maxIndexedChanges = 10

// changes returns the newest changes, oldest first. rpm stores them newest first, and [minimalPackage] has cut the
// others off. Those of one day have one time, by which clients could not order them: each is moved one second
// beyond the one before.
func (t *tagReader) changes() []changelogEntry {
	times, authors, texts := t.numbers(tagChangeTime), t.texts(tagChangeName), t.texts(tagChangeText)
	if t.err != nil {
		return nil
	}
	n := min(len(times), maxIndexedChanges)
	changes := make([]changelogEntry, n)
	for i := range n {
		changes[n-1-i] = changelogEntry{int64(times[i]), t.text(tagChangeName, trimAuthor(authors[i])), t.text(tagChangeText, strings.Clone(texts[i]))}
		if i > 0 && times[i] == times[i-1] {
			separateTimes(changes[n-1-i:])
		}
	}
	return changes
}

// separateTimes moves those changes one second on that would have the time of the first, or of each other.
func separateTimes(changes []changelogEntry) {
	taken := changes[0].time
	for i := 1; i < len(changes) && changes[i].time == taken; i++ {
		changes[i].time++
		taken++
	}
}

// trimAuthor cuts blanks from the end, but never the first character.
func trimAuthor(s string) string {
	if s == "" {
		return ""
	}
	return strings.Clone(s[:1] + strings.TrimRight(s[1:], " "))
}
