package corpus

import (
	"fmt"
	"testing"
	"time"

	"repomill/testdata/rpmtest"
)

var rpmArchs = []string{"x86_64", "aarch64", "noarch"}

// What a small package has.
const (
	rpmFiles    = 25
	rpmRequires = 12
	rpmChanges  = 5
	rpmRelease  = "1.el9"
	bigSuffix   = "-data" // of the name of a big package
)

// RPM returns the file name and the bytes of package i as an .rpm: 25 files, 12 requirements, 5 changes.
func (c Corpus) RPM(t testing.TB, i int) (name string, body []byte) {
	t.Helper()
	return build(t, c.rpmSpec(i, rpmFiles))
}

// RPMs writes the packages [from, to) into a folder, which it makes, and returns their paths.
func (c Corpus) RPMs(t testing.TB, dir string, from, to int) []string {
	t.Helper()
	return writeAll(t, dir, from, to, func(i int) (string, []byte) { return c.RPM(t, i) })
}

// BigFiles is the number of files of a big package.
const BigFiles = 100_000

// BigRPM returns the file name and the bytes of package i with [BigFiles] files, for x86_64. Its header
// has about 12 MB.
func (c Corpus) BigRPM(t testing.TB, i int) (name string, body []byte) {
	t.Helper()
	return build(t, c.bigSpec(i))
}

// BigRPMs writes the big packages [from, to) into a folder, which it makes, and returns their paths.
func (c Corpus) BigRPMs(t testing.TB, dir string, from, to int) []string {
	t.Helper()
	return writeAll(t, dir, from, to, func(i int) (string, []byte) { return c.BigRPM(t, i) })
}

func (c Corpus) bigSpec(i int) rpmtest.Spec {
	s := c.rpmSpec(i, BigFiles)
	s.Name, s.Arch = s.Name+bigSuffix, rpmArchs[0]
	return s
}

func build(t testing.TB, s rpmtest.Spec) (name string, body []byte) {
	t.Helper()
	return fmt.Sprintf("%s-%s-%s.%s.rpm", s.Name, s.Version, s.Release, s.Arch), rpmtest.Build(t, s)
}

// rpmSpec returns package i with so many files.
func (c Corpus) rpmSpec(i, files int) rpmtest.Spec {
	m := c.member(i)
	r := m.rand
	s := rpmtest.Spec{
		Name: m.name, Version: m.version, Release: rpmRelease, Arch: rpmArchs[m.arch], Summary: sentence(r, 5), License: "Apache-2.0",
		Vendor: "Example", Packager: "Release Engineering <release@example.org>", URL: "https://example.org/" + m.name,
		Group: "Applications/System", BuildHost: "build.example.org", BuildTime: epoch, Compressor: "gzip:1",
		Provides: []string{m.name + "(x86-64) = " + m.version + "-" + rpmRelease}, Files: map[string]string{},
	}
	s.Description = sentence(r, 9)
	for range 2 + r.IntN(4) {
		s.Description += "\n" + sentence(r, 9)
	}
	s.Requires = []string{"libc.so.6()(64bit)", "/bin/sh"}
	for range rpmRequires - len(s.Requires) {
		s.Requires = append(s.Requires, fmt.Sprintf("%s%s >= %d.%d", pick(r, prefixes), pick(r, words), r.IntN(9), r.IntN(30)))
	}
	for n := range files {
		dir := "/usr/share/" + m.name + "/" + words[n/1000%len(words)]
		s.Files[fmt.Sprintf("%s/%s-%05d.dat", dir, pick(r, words), n)] = "x"
	}
	for n := range rpmChanges {
		s.Changes = append(s.Changes, rpmtest.Change{
			Time: epoch.Add(-time.Duration(n) * 720 * time.Hour), Text: "- " + sentence(r, 8),
			Author: fmt.Sprintf("Release Engineering <release@example.org> - %s-%d", m.version, rpmChanges-n),
		})
	}
	return s
}

// RPMArch returns the architecture of package i as an .rpm.
func (c Corpus) RPMArch(i int) string { return rpmArchs[c.member(i).arch] }
