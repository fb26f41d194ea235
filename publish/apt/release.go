// Package apt writes and reads the Release files of Debian repositories, and reads their indexes.
package apt

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"repomill/schemas/catalog"
)

// A Release is the content of a Release file (Debian's DebianRepository/Format, "Release" files).
type Release struct {
	Origin, Label string // immutable: apt refuses a change
	Codename      string // the suite, too
	Date          time.Time
	Revision      catalog.Revision
	Architectures []string // sorted, with "all"
	Components    []string // sorted
	Snapshots     string   // URL of snapshots, with "@SNAPSHOTID@" for the identifier of one; empty: none is named
	Files         []File   // sorted by path
}

// A File is one line of the SHA256 section.
type File struct {
	Path   string // relative to the Release file
	Size   int64
	SHA256 string
}

// revisionField holds the release's revision and nonce, separated by a blank.
const revisionField = "Repomill-Revision"

// Render returns the body of Release and InRelease. SHA256 is the only digest section, so that clients
// request by-hash names of that algorithm alone.
func (r Release) Render() []byte {
	var b bytes.Buffer
	field := func(name, value string) { b.WriteString(name + ": " + value + "\n") }
	field("Origin", r.Origin)
	field("Label", r.Label)
	field("Suite", r.Codename)
	field("Codename", r.Codename)
	field("Date", r.Date.UTC().Format(dateFormat))
	field(revisionField, r.Revision.String())
	field("Architectures", strings.Join(r.Architectures, " "))
	field("Components", strings.Join(r.Components, " "))
	field("Acquire-By-Hash", "yes")
	if r.Snapshots != "" {
		field("Snapshots", r.Snapshots)
	}
	b.WriteString("SHA256:\n")
	for _, f := range r.Files {
		fmt.Fprintf(&b, " %s %d %s\n", f.SHA256, f.Size, f.Path)
	}
	return b.Bytes()
}

// dateFormat is RFC 1123 with the zone that apt understands.
const dateFormat = "Mon, 02 Jan 2006 15:04:05 UTC"

// Parse reads the body of a Release file in the form of [Release.Render], without its signature. Fields that
// Render does not write are ignored.
func Parse(body []byte) (Release, error) {
	var r Release
	inFiles := false
	for line := range strings.Lines(string(body)) {
		line = strings.TrimSuffix(line, "\n")
		if inFiles && strings.HasPrefix(line, " ") {
			f, err := parseFile(line)
			if err != nil {
				return r, err
			}
			r.Files = append(r.Files, f)
			continue
		}
		name, value, ok := strings.Cut(line, ":")
		if !ok {
			return r, fmt.Errorf("read Release: line %.80q has no colon", line)
		}
		inFiles = name == "SHA256"
		if err := r.set(name, strings.TrimSpace(value)); err != nil {
			return r, fmt.Errorf("read Release: field %s: %w", name, err)
		}
	}
	return r, nil
}

// Redate returns the body of a Release file with its Date replaced. A body without a Date is an error.
func Redate(body []byte, date time.Time) ([]byte, error) {
	before, rest, ok := bytes.Cut(body, []byte("\nDate: "))
	_, after, ends := bytes.Cut(rest, []byte("\n"))
	if !ok || !ends || bytes.Contains(before, []byte("\nSHA256:")) {
		return nil, errors.New("read Release: it has no Date")
	}
	text := date.UTC().Format(dateFormat)
	return slices.Concat(before, []byte("\nDate: "), []byte(text), []byte("\n"), after), nil
}

func (r *Release) set(name, value string) (err error) {
	switch name {
	case "Origin":
		r.Origin = value
	case "Label":
		r.Label = value
	case "Codename":
		r.Codename = value
	case "Date":
		r.Date, err = time.Parse(dateFormat, value)
	case revisionField:
		number, nonce, _ := strings.Cut(value, " ")
		r.Revision.Nonce = nonce
		r.Revision.Number, err = strconv.ParseInt(number, 10, 64)
	case "Architectures":
		r.Architectures = strings.Fields(value)
	case "Components":
		r.Components = strings.Fields(value)
	case "Snapshots":
		r.Snapshots = value
	}
	return err
}

func parseFile(line string) (File, error) {
	p := strings.Fields(line)
	if len(p) != 3 {
		return File{}, fmt.Errorf("read Release: file line %.120q", line)
	}
	size, err := strconv.ParseInt(p[1], 10, 64)
	return File{Path: p[2], Size: size, SHA256: p[0]}, err
}
