package deb_test

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"repomill/schemas/catalog"
	"repomill/testdata/debtest"
	"repomill/testdata/intaketest"
	"repomill/testdata/proctest"
)

// onPurpose lists what dpkg would install and we refuse, by what the rejection says. A package that dpkg takes and
// we refuse for another reason fails the test, and so does one that we take and dpkg refuses.
var onPurpose = []intaketest.Difference{
	{`^the file goes on after data\.tar`, "dpkg stops reading at data.tar; other readers see members behind it"},
	{`^the archive has more than 10 members`, "dpkg counts none; no package has more than a signature or two"},
	{`^the archive has a (second data )?member|^archive member .* comes before`, "dpkg stops at data.tar; other readers take another member of the name"},
	{`^the file ends after \d+ bytes, in the`, "dpkg looks at data.tar only when it unpacks it"},
	{`^the compression of "data\.tar|^archive member "data\.tar\S*" has \d+ bytes`, "dpkg looks at data.tar only when it unpacks it"},
	{`^data\.tar\S* does not begin as|^"data\.tar\S*" does not begin as`, "dpkg looks at data.tar only when it unpacks it"},
	{`^dpkg cannot unpack data\.tar`, "dpkg looks at data.tar only when it unpacks it: TestPayloadVerdictIsThatOfDpkg does"},
	{`^archive member .* where a (number|time) should be`, "dpkg reads the size alone; other readers stop at a time or mode that is not a number"},
	{`^archive member .* before control\.tar`, "members before control.tar are held in memory: 1 MiB of them is enough"},
	{`^debian-binary has`, "dpkg reads no more than the first line of debian-binary, however long the rest is"},
	{`^control\.tar has \S+ twice`, "of two members tar keeps the last, apt-ftparchive the first"},
	{`^control\.tar has the PAX header`, "of sizes, sparse files and names of all members: GNU tar reads them, others do or do not"},
	{`^control\.tar has a folder|^control\.tar has a file \S+ outside`, "dpkg refuses it, too, but only when it copies the control files away"},
	{`^control\.tar member \S+ has no content, but a size`, "GNU tar skips that content, other readers take it for members"},
	{`^control\.tar is damaged|^control\.tar goes on after its end`, "GNU tar reads over damage with a warning; other readers stop there"},
	{`^control\.tar has more than 1000 members|has more than 1000 gzip members`, "GNU tar has no limit, nor has zlib"},
	{`^control\.tar\S* cannot be unpacked|^control\.tar\S* goes on after`, "dpkg reads no further than the end of the archive inside; other readers check all"},
	{`unpacks to more than|^the control file has \d+ bytes|^control\.tar\S* has \d+ bytes`, "dpkg has no limits: 1 GiB of control is fine with it"},
	{`^the control file has a comment`, "dpkg takes comments in a control file, apt does not know them in an index"},
	{`^the control file has a field named`, "dpkg takes names of one letter and with control characters"},
	{`^the control file has the field (?i:Revision|Package.Revision|Recommended|Optional|Class)`, "obsolete names: dpkg adds Revision to the version and maps the others, apt does neither"},
	{`^the control file has the field (?i:Conffiles|Config-Version|Status)`, "of dpkg's database: dpkg takes some values of them"},
	{`^the control file has no (Package|Version|Architecture); add it`, "dpkg warns of a package without Architecture"},
	{`^Package is `, "Debian Policy 5.6.1: dpkg and apt make lower case of upper case, so that two names become one"},
	{`^(Package|Version|Architecture) has more than one line`, "dpkg joins the lines, apt takes the first"},
	{`^Version is .* limit is 255|^the file name .* would have`, "dpkg has no limit; file names have"},
	{`there is a NUL byte`, "dpkg reads on; programs written in C do not, apt among them"},
	{`^Architecture is `, "dpkg warns of names that it does not know, and takes source and wildcards"},
	{`^control\.tar has a file name of|^dpkg would keep a file`, "dpkg refuses it, too, but only when it installs: TestInstallVerdictIsThatOfDpkg does"},
	{`^Package-Type is |^Section is `, "packages of the installer have an index of their own"},
	{`^(?i:Description-md5) is`, "apt refuses the whole index with it; dpkg does not look"},
	{`^(?i:Provides) is empty`, "apt refuses the whole index with it; dpkg does not look"},
	{`^(?i:Section|Source) has \d+ bytes`, "apt aborts on long strings"},
	{`^(?i:Depends|Pre-Depends|Recommends|Suggests|Enhances|Breaks|Conflicts|Replaces|Provides|Obsoletes): `, "dpkg warns of, or does not check, relations that keep apt from reading the index"},
}

// An opinion is what a program says of a package: its fields by lower-case name, or nothing.
type opinion map[string]string

func TestVerdictsAndFieldsAreThoseOfDpkgAndApt(t *testing.T) {
	if testing.Short() {
		t.Skip("starts some thousand processes")
	}
	for _, program := range []string{"dpkg", "dpkg-deb", "apt-ftparchive"} {
		proctest.Need(t, program)
	}
	packages := differing()
	dir := t.TempDir()
	for i, p := range packages {
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("%04d.deb", i)), p, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	refused, listed := dpkgRefuses(t, dir), ftparchiveFiles(t, dir)
	verdicts := make([]error, len(packages))
	for i, p := range packages {
		verdicts[i] = measured(t, p)
	}
	shown := showAll(t, dir, verdicts)
	comparison := intaketest.NewComparison(onPurpose)
	for i, p := range packages {
		name := fmt.Sprintf("%04d.deb", i)
		err, complaint := verdicts[i], refused[name]
		if complaint == "" && err == nil && shown[i] == nil {
			complaint = "that it cannot read it"
		}
		var rej *catalog.Rejection
		switch {
		case err == nil && complaint != "":
			t.Errorf("%s is accepted, but dpkg says %s\n%s", name, complaint, tail(p))
		case err == nil:
			comparison.Accepted()
			sameReading(t, name, p, shown[i], listed[name])
		case !errors.As(err, &rej):
			t.Errorf("%s: %v", name, err)
		case complaint == "":
			comparison.Refused(t, name, rej)
		}
	}
	comparison.End(t, len(packages))
}

// sameReading holds our stanza against what two other programs read in the same file.
func sameReading(t *testing.T, name string, file []byte, shown, listed opinion) {
	t.Helper()
	ours := parse(string(describe(t, file).Stanza))
	for field, want := range shown {
		if got := ours[field]; likeDpkg(field, got) != likeDpkg(field, indexed(want)) {
			t.Errorf("%s: dpkg-deb reads %s as %q, we as %q", name, field, want, got)
		}
	}
	if listed == nil && (bytes.Contains(file, []byte("PaxHeaders")) || bytes.HasSuffix(file, []byte("\x00\n"))) {
		return // PAX headers, and newlines or nothing behind the last member: apt-ftparchive does not read them, dpkg does
	}
	if listed == nil {
		t.Errorf("%s: apt-ftparchive does not list it\n%s", name, tail(file))
		return
	}
	for _, field := range []string{"filename", "msdos-filename", "sha1", "sha512"} { // of the repository; we have one digest
		delete(listed, field)
		delete(ours, field)
	}
	if listed["package-type"] == "ddeb" {
		delete(listed, "package-type") // which apt takes as any other package
		delete(ours, "package-type")
	}
	for field, value := range listed {
		listed[field], ours[field] = strings.TrimSpace(indexed(value)), strings.TrimSpace(ours[field])
	}
	if d := cmp.Diff(map[string]string(listed), ours); d != "" {
		t.Errorf("%s (-apt-ftparchive +ours):\n%s", name, d)
	}
}

// indexed returns a value as an index has it: in UTF-8, without carriage returns at line ends, and with U+FFFD for
// what would start a new line or act upon a terminal.
func indexed(value string) string {
	lines := strings.Split(value, "\n")
	for i, line := range lines {
		line = strings.TrimRight(line, "\r")
		if !utf8.ValidString(line) {
			var b strings.Builder
			for _, c := range []byte(line) {
				b.WriteRune(rune(c))
			}
			line = b.String()
		}
		lines[i] = regexp.MustCompile(`[\x00-\x08\x0b-\x1f\x7f-\x{9f}\x{2028}\x{2029}]`).ReplaceAllString(line, "\uFFFD")
	}
	return strings.Join(lines, "\n")
}

var noOperator = regexp.MustCompile(`\(([^<>=()])`)

var oldOperator = regexp.MustCompile(`\(([<>])([^<>=])`)

// likeDpkg returns a value as dpkg writes what it has read: blanks at the end of a line are gone; relations have their
// own spelling, their names in lower case (apt keeps the case: no package has such a name), and ">" means ">=".
func likeDpkg(field, value string) string {
	if field == "depends" || field == "provides" {
		value = strings.ToLower(strings.Join(strings.Fields(value), ""))
		return noOperator.ReplaceAllString(oldOperator.ReplaceAllString(value, "($1=$2"), "(=$1")
	}
	lines := strings.Split(strings.TrimSpace(value), "\n")
	for i := range lines {
		lines[i] = strings.TrimRight(lines[i], " \t")
	}
	return strings.Join(lines, "\n")
}

// tail is the control file of a package without compression, more or less.
func tail(file []byte) string {
	at := max(0, bytes.Index(file, []byte("Package")))
	return fmt.Sprintf("%.600q", file[at:])
}

// differing returns the packages of all hostile tables, those that dpkg would see, and some hundreds of mutations.
func differing() (all [][]byte) {
	for _, test := range controlTests() {
		all = append(all, withControl(test.control))
	}
	for _, test := range relationTests {
		all = append(all, withControl("Depends: "+test.value+"\n"+control))
	}
	for _, test := range slices.Concat(archiveTests(), tarTests(), compressedTests()) {
		// dpkg would unpack the bombs and allocate the dictionaries, and dpkg 1.21 does not end on a zstd stream that is cut short.
		if !strings.Contains(test.name, "GiB") && !strings.Contains(test.name, "dictionary of") && !strings.HasPrefix(test.name, "zstd") {
			all = append(all, test.file)
		}
	}
	all = append(all, twoReadings()...)
	for i, value := range nastyValues {
		file, _ := nastyPackage(i, value)
		all = append(all, file)
	}
	base := "Package: hello\nVersion: 1:1.0-1\nArchitecture: amd64\n" + strings.Join(fields, "\n") + "\n"
	r := rand.New(rand.NewPCG(5, 2026))
	for range 90 {
		all = append(all, withControl(mutateText(r, base)))
	}
	for _, c := range []string{"", "gz", "xz", "zst"} {
		packed := archive(strings.TrimSuffix("control.tar."+c, "."), debtest.Compress(c, debtest.Tar(debtest.TarFile{Name: "./control", Body: base})))
		all = append(all, packed)
		for range 8 {
			b := bytes.Clone(packed)
			b[8+r.IntN(len(b)-8)] = "\x00\x01 /0179A\xff"[r.IntN(10)]
			all = append(all, b)
		}
	}
	for range 40 {
		all = append(all, archive("control.tar", mutateTar(r, base)))
	}
	return all
}
