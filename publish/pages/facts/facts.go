// Package facts reads what a package says of itself from the fragments of its row. What it returns is text of the package: any text.
package facts

import "time"

// Bounds of what [DEB], [RPM] and [DEBChangelog] return. Text that is longer is cut, and ends in "…".
const (
	MaxLine    = 2 << 10  // bytes of a text of one line, and of a member of a relation
	MaxText    = 32 << 10 // bytes of a description, and of an entry of a changelog
	MaxItems   = 1000     // members of a relation
	MaxEntries = 10       // entries of a changelog
)

// Facts is what a package says of itself.
type Facts struct {
	Summary     string
	Description string // paragraphs, separated by empty lines
	Homepage    string
	License     string
	Maintainer  string // or packager, or vendor
	Section     string // or group
	Source      string // the source package
	Built       *time.Time
	Installed   int64 // bytes; 0 if it is not said
	Relations   []Relation
	Changelog   []Entry // newest first; a part of it
}

// A Relation is a kind of dependency, with its members in the order and the form of the package: "libc6 (>= 2.34)", "a | b".
type Relation struct {
	Kind  string // as the format calls it: "Depends", "Requires", "Requires(pre)"
	Items []string
	More  int // members that are left out, because there are more than MaxItems
}

// An Entry is one of a changelog.
type Entry struct {
	At     *time.Time
	Author string
	Text   string // lines
}
