package rpm

import (
	"bytes"
	"errors"
	"strings"

	rpmutils "github.com/sassoftware/go-rpmutils"

	"repomill/ingest/input"
	"repomill/schemas/catalog"
)

// A header has the values of an index that the two headers determine. Its texts went through [cleanText]. files
// refers to the bytes of the package; the others are copies.
type header struct {
	name string
	evr  evr
	arch string

	summary, description, packager, url          string
	license, vendor, group, buildHost, sourceRPM string
	built, installed, archive                    uint64 // seconds since 1970; bytes; bytes
	start, end                                   int    // of the main header in the file
	files                                        *fileList
	provides, requires, conflicts, obsoletes     []dependency
	suggests, enhances, recommends, supplements  []dependency
	features                                     []string         // that rpm must have: NAME of each required rpmlib(NAME)
	changes                                      []changelogEntry // oldest first
}

// parse reads the values of both headers with go-rpmutils. The main header starts at byte start of the file.
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

// A tagReader reads the values of tags and keeps the first error. The value of an absent tag is zero. Of go-rpmutils
// it uses raw values alone: what that library derives from several tags is not safe with hostile input.
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

// isSource reports whether the package is a source package, by the rule of librpm: SOURCEPACKAGE is set or, if
// neither that tag nor SOURCERPM is there, all files are in one directory without a name.
func (t *tagReader) isSource(files *fileList) bool {
	if t.lib.HasTag(tagSourcePackage) || t.lib.HasTag(tagSourceRPM) {
		return t.number(tagSourcePackage) != 0
	}
	return len(files.dirs) == 1 && files.dirs[0] == ""
}

// checkPayloadFormat rejects delta RPMs, whose headers are those of a package, and other payloads that are not cpio.
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

// keep records an error of go-rpmutils, unless it is that the tag is absent.
func (t *tagReader) keep(tag int, err error) {
	if absent := (rpmutils.NoSuchTagError{}); err != nil && !errors.As(err, &absent) {
		t.fail(input.Reject(catalog.Malformed, "tag %d cannot be read: %s", tag, input.Quote(err.Error())))
	}
}

// texts returns all strings of a tag. They share the memory of the package.
func (t *tagReader) texts(tag int) []string {
	s, err := t.lib.GetStrings(tag)
	t.keep(tag, err)
	return s
}

// firstText returns a copy of the first string of a tag: its only one, or that of the C locale.
func (t *tagReader) firstText(tag int) string {
	if s := t.texts(tag); len(s) > 0 {
		return strings.Clone(s[0])
	}
	return ""
}

// maxText is the longest text, in bytes. XML parsers give up at 10 MB.
const maxText = 512 << 10

// freeText returns a text for people, through [cleanText].
func (t *tagReader) freeText(tag int) string { return t.text(tag, t.firstText(tag)) }

// text returns s, a text of this tag, through [cleanText].
func (t *tagReader) text(tag int, s string) string {
	if len(s) > maxText {
		t.fail(input.Reject(catalog.TooLarge, "a text of the package (tag %d) has %d bytes; at most %d are accepted", tag, len(s), maxText))
		return ""
	}
	return cleanText(s)
}

// required returns the string of a tag that every package must have.
func (t *tagReader) required(tag int, what string) string {
	s := t.firstText(tag)
	if s == "" {
		t.fail(input.Reject(catalog.MissingField, "the package has no %s; add it to its spec file", what))
	}
	return s
}

// number returns the integer of the first of these tags that is there.
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

// maxIndexedChanges is the number of changelog entries in an index: the default of createrepo_c.
const maxIndexedChanges = 10

// changes returns the newest changelog entries, oldest first. rpm stores them newest first; [minimalPackage] removed
// the older ones. Entries of one day have the same time. Clients could not order them, so each is moved to one second
// after the one before it.
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

// separateTimes adds seconds to the times of entries that equal the first one, or the one before them.
func separateTimes(changes []changelogEntry) {
	taken := changes[0].time
	for i := 1; i < len(changes) && changes[i].time == taken; i++ {
		changes[i].time++
		taken++
	}
}

// trimAuthor removes blanks at the end, but keeps the first character.
func trimAuthor(s string) string {
	if s == "" {
		return ""
	}
	return strings.Clone(s[:1] + strings.TrimRight(s[1:], " "))
}
