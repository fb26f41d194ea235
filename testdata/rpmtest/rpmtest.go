// Package rpmtest makes small RPM packages for tests.
package rpmtest

import (
	"bytes"
	"cmp"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/google/rpmpack"
)

// A Spec says what a package contains. Empty fields get harmless defaults, so that the zero Spec is
// the package hello-1.0-1.x86_64.
type Spec struct {
	Name        string
	Epoch       uint32 // 0 leaves the tag out
	Version     string
	Release     string
	Arch        string
	Source      bool // a source package: sets the SOURCEPACKAGE tag
	Summary     string
	Description string
	License     string
	Vendor      string
	Packager    string
	URL         string
	Group       string
	BuildHost   string
	BuildTime   time.Time // the zero time becomes 2024-01-01 00:00 UTC
	Compressor  string    // of the payload, as rpmpack names it: gzip (default), xz, zstd

	// Dependencies are written as in a spec file: "libc.so.6", "bash >= 4.0", "(a or b)".
	// Every package provides itself besides.
	Provides   []string
	Requires   []string
	Conflicts  []string
	Obsoletes  []string
	Suggests   []string
	Recommends []string

	Files       map[string]string // absolute path to content, mode 0644; a path that ends in "/" is a directory
	Ghosts      []string          // absolute paths of %ghost files
	PayloadSize int               // bytes of noise, in one more file; the package is at least as big

	Changes []Change                   // as stored: newest first
	Tags    map[int]rpmpack.IndexEntry // more tags of the main header, or other values for them
	SigTags map[int]rpmpack.IndexEntry // likewise of the signature header
}

// A Change is one entry of a changelog.
type Change struct {
	Time   time.Time
	Author string // "Jo Doe <jo@example.org> - 1.0-1"
	Text   string
}

// Tags that rpmpack has no names for.
const (
	tagChangelogTime = 1080
	tagChangelogName = 1081
	tagChangelogText = 1082
	tagSourcePackage = 1106
)

// Build returns the bytes of the package that s describes. Equal specs give equal bytes.
func Build(t testing.TB, s Spec) []byte {
	t.Helper()
	r, err := rpmpack.NewRPM(metaData(t, s))
	if err != nil {
		t.Fatalf("make rpm: %v", err)
	}
	addFiles(r, s)
	addChanges(r, s.Changes)
	if s.Source {
		r.AddCustomTag(tagSourcePackage, rpmpack.EntryInt32([]int32{1}))
	}
	for tag, e := range s.Tags {
		r.AddCustomTag(tag, e)
	}
	for tag, e := range s.SigTags {
		r.AddCustomSig(tag, e)
	}
	var b bytes.Buffer
	if err := r.Write(&b); err != nil {
		t.Fatalf("write rpm: %v", err)
	}
	return b.Bytes()
}

func metaData(t testing.TB, s Spec) rpmpack.RPMMetaData {
	t.Helper()
	m := rpmpack.RPMMetaData{
		Name:        cmp.Or(s.Name, "hello"),
		Epoch:       rpmpack.NoEpoch,
		Version:     cmp.Or(s.Version, "1.0"),
		Release:     cmp.Or(s.Release, "1"),
		Arch:        cmp.Or(s.Arch, "x86_64"),
		Summary:     cmp.Or(s.Summary, "A test package"),
		Description: cmp.Or(s.Description, "A package made by a test."),
		Licence:     cmp.Or(s.License, "MIT"),
		Vendor:      s.Vendor,
		Packager:    s.Packager,
		URL:         s.URL,
		Group:       s.Group,
		BuildHost:   cmp.Or(s.BuildHost, "localhost"),
		BuildTime:   s.BuildTime,
		Compressor:  s.Compressor,
		Provides:    relations(t, s.Provides),
		Requires:    relations(t, s.Requires),
		Conflicts:   relations(t, s.Conflicts),
		Obsoletes:   relations(t, s.Obsoletes),
		Suggests:    relations(t, s.Suggests),
		Recommends:  relations(t, s.Recommends),
	}
	if s.Epoch != 0 {
		m.Epoch = s.Epoch
	}
	if m.BuildTime.IsZero() {
		m.BuildTime = time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC)
	}
	return m
}

func relations(t testing.TB, list []string) rpmpack.Relations {
	t.Helper()
	var rs rpmpack.Relations
	for _, s := range list {
		if err := rs.Set(s); err != nil {
			t.Fatalf("dependency %q: %v", s, err)
		}
	}
	return rs
}

func addFiles(r *rpmpack.RPM, s Spec) {
	mtime := uint32(1_700_000_000)
	add := func(name, body string, mode uint, kind rpmpack.FileType) {
		r.AddFile(rpmpack.RPMFile{Name: name, Body: []byte(body), Mode: mode, Owner: "root", Group: "root", MTime: mtime, Type: kind})
	}
	for _, name := range slices.Sorted(maps.Keys(s.Files)) {
		if dir, ok := cutSlash(name); ok {
			add(dir, "", 0o40755, rpmpack.GenericFile)
			continue
		}
		add(name, s.Files[name], 0o644, rpmpack.GenericFile)
	}
	for _, name := range s.Ghosts {
		add(name, "", 0o644, rpmpack.GhostFile)
	}
	if s.PayloadSize > 0 {
		add("/usr/share/"+cmp.Or(s.Name, "hello")+"/noise", noise(s.PayloadSize), 0o644, rpmpack.GenericFile)
	}
}

func cutSlash(name string) (string, bool) {
	if len(name) < 2 || name[len(name)-1] != '/' {
		return name, false
	}
	return name[:len(name)-1], true
}

// noise returns n bytes that do not compress, always the same.
func noise(n int) string {
	b := make([]byte, n)
	rand.NewChaCha8([32]byte{}).Read(b)
	return string(b)
}

func addChanges(r *rpmpack.RPM, changes []Change) {
	if len(changes) == 0 {
		return
	}
	var times []uint32
	var authors, texts []string
	for _, c := range changes {
		times = append(times, uint32(c.Time.Unix()))
		authors = append(authors, c.Author)
		texts = append(texts, c.Text)
	}
	r.AddCustomTag(tagChangelogTime, rpmpack.EntryUint32(times))
	r.AddCustomTag(tagChangelogName, rpmpack.EntryStringSlice(authors))
	r.AddCustomTag(tagChangelogText, rpmpack.EntryStringSlice(texts))
}
