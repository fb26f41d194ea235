package rpm_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"repomill/schemas/catalog"
	"repomill/testdata/intaketest"
	"repomill/testdata/rpmtest"
)

// onPurpose lists what rpm reads and we refuse, by what the rejection says. A package that rpm reads and we refuse for
// another reason fails the test, and so does one that we take and rpm cannot read.
var onPurpose = []intaketest.Difference{
	{`list \d+ and \d+ (dependencies|files|changelog entries)`, "rpm cuts arrays of unequal length, or reads beyond the shorter one as nothing"},
	{`^the package has no (name|version|release|arch)`, "rpm prints (none)"},
	{`^the (name|version|release|architecture) .* cannot be published, because`, "rpm takes any text: a file name, and so a URL, is made of this one"},
	{`^the (file|directory) name .* has|^file \d+ is in directory`, "rpm reads what is there, with its control characters"},
	{`^the dependency .* has a control character`, "rpm reads it; createrepo_c drops the whole package"},
	{`^the payload (has the|ends after)|^the file goes on after its payload|^the file ends where its payload`, "rpm -q does not read the payload"},
	{`^the package does not (say for which operating system|name the|say the sizes)|^the package has no digest|^the package is for the operating system`, "rpm -q reads it, rpm -U does not install it"},
	{`^the package is of type \d+`, "rpm has stopped to read the lead, other programs have not"},
}

func TestVerdictsAndFieldsAreThoseOfRPMAndCreaterepo(t *testing.T) {
	for _, program := range []string{"rpm", "createrepo_c"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Skip(program + " is not installed")
		}
	}
	packages := differing(t)
	dir := t.TempDir()
	for i, b := range packages {
		name := filepath.Join(dir, fmt.Sprintf("%04d.rpm", i))
		if err := os.WriteFile(name, b, 0o644); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(name, uploaded, uploaded); err != nil {
			t.Fatal(err)
		}
	}
	rpm, listed := askRPM(t, dir, len(packages)), askCreaterepo(t, dir)
	comparison := intaketest.NewComparison(onPurpose)
	for i, b := range packages {
		c, err := measured(t, b)
		var rej *catalog.Rejection
		switch {
		case err == nil && rpm[i] == "":
			t.Errorf("package %d is accepted, but rpm cannot read it", i)
		case err == nil:
			comparison.Accepted()
			sameIdentity(t, i, c, rpm[i])
			sameElement(t, i, c, listed)
		case !errors.As(err, &rej):
			t.Errorf("package %d: %v", i, err)
		case rpm[i] != "":
			comparison.Refused(t, fmt.Sprint("package ", i), rej)
		}
	}
	comparison.End(t, len(packages))
}

// sameIdentity compares what rpm prints with the row.
func sameIdentity(t *testing.T, i int, c catalog.Package, printed string) {
	t.Helper()
	got := strings.Join([]string{c.Name, c.Version, c.Arch}, " ")
	want := strings.Replace(printed, " (none):", " ", 1)
	want = strings.Replace(want, " 0:", " ", 1)
	if c.Arch == "src" {
		want = want[:strings.LastIndexByte(want, ' ')] + " src" // rpm prints where it was built
	}
	if got != want {
		t.Errorf("package %d: rpm reads %q, we %q", i, want, got)
	}
}

// different is what differs on purpose in primary.xml (see TestDescribeDiffersFromCreaterepo), and what is put in its place
// for the comparison.
var different = []struct {
	theirs, same, why string
}{
	{`<rpm:sourcerpm>\(none\)</rpm:sourcerpm>`, "<rpm:sourcerpm></rpm:sourcerpm>", "createrepo_c says (none) where there is no source package"},
	{`<location href="[^"]*"/>`, "<location/>", "the test's files have other names than published ones"},
	{` pre="1"`, "", "createrepo_c 0.17 does not know dependencies of transaction scripts, 1.2 does"},
	{` archive="(0|99)"/>`, "/>", "createrepo_c with rpm 4.18 does not know the size in a header of rpm 6"},
}

// sameElement compares our element of primary.xml with createrepo_c's.
func sameElement(t *testing.T, i int, c catalog.Package, listed map[string]string) {
	t.Helper()
	ours := string(c.Primary)
	theirs, ok := listed[c.File.SHA256]
	if !ok {
		if all := ours + string(c.Other); !strings.Contains(all, "\uFFFD") && !strings.Contains(all, "&#xFFFD;") { // a control character: it drops the package
			t.Errorf("package %d: createrepo_c does not list it\n%s", i, ours)
		}
		return
	}
	replace := func(s string) []string {
		for _, d := range different {
			s = regexp.MustCompile(d.theirs).ReplaceAllString(s, d.same)
		}
		return strings.Split(s, "\n")
	}
	if d := cmp.Diff(replace(theirs), replace(ours)); d != "" {
		t.Errorf("package %d (-createrepo_c +ours):\n%s", i, d)
	}
}

// differing returns sound packages and some hundred mutations of them.
func differing(t *testing.T) (all [][]byte) {
	t.Helper()
	for i, text := range nastyTexts {
		f, _ := nasty(i, text)
		all = append(all, f.bytes())
	}
	whole := unsealed().bytes()
	real := rpmtest.Build(t, rpmtest.Spec{Files: map[string]string{"/etc/x": "x", "/usr/bin/y": "y"}, Requires: []string{"a >= 1", "b"}})
	all = append(all, whole, real, v6().bytes())
	r := rand.New(rand.NewPCG(6, 2026))
	odd := "\x00\x01\x02\x7f\x80\xff /-A\n"
	for range 200 {
		b := bytes.Clone(whole)
		for range 1 + r.IntN(2) {
			b[96+r.IntN(len(b)-96)] = odd[r.IntN(len(odd))]
		}
		all = append(all, b)
	}
	for range 40 {
		b := bytes.Clone(real)
		b[r.IntN(len(b))] = odd[r.IntN(len(odd))]
		all = append(all, b)
	}
	for i := range 12 { // one array is longer than those beside it, or missing
		tags := []uint32{1117, 1116, 1030, 1037, 1118, 1047, 1112, 1113, 1049, 1048, 1050, 1028}
		f := unsealed()
		if i%2 == 0 {
			f.drop(tags[i])
		} else {
			f.set(strs(tags[i-1], "a", "b", "c"))
		}
		all = append(all, f.bytes())
	}
	for _, at := range []int{4, 7} {
		f := unsealed()
		f.lead[at] = 2
		all = append(all, f.bytes())
	}
	return all
}

// askRPM returns "name epoch:version-release arch" of each package, or nothing for those that rpm cannot read.
func askRPM(t *testing.T, dir string, n int) []string {
	t.Helper()
	said := make([]string, n)
	var wait sync.WaitGroup
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	db := t.TempDir()
	for worker := range 2 {
		wait.Go(func() {
			for i := worker; i < n; i += 2 {
				out, err := exec.CommandContext(ctx, "rpm", "--dbpath", db, "-qp", "--nosignature", "--queryformat", "%{NAME} %{EPOCH}:%{VERSION}-%{RELEASE} %{ARCH}",
					filepath.Join(dir, fmt.Sprintf("%04d.rpm", i))).Output()
				if err == nil {
					said[i] = string(out)
				}
			}
		})
	}
	wait.Wait()
	if ctx.Err() != nil {
		t.Fatal("rpm does not end")
	}
	return said
}

// askCreaterepo returns the elements of primary.xml by digest.
func askCreaterepo(t *testing.T, dir string) map[string]string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "createrepo_c", "--quiet", "--no-database", "--simple-md-filenames", "--general-compress-type=gz", "--workers", "1", dir)
	cmd.Env = append(os.Environ(), "LC_ALL=C")
	out, _ := cmd.CombinedOutput() //nolint:errcheck // it fails if any package is bad
	if ctx.Err() != nil {
		t.Fatalf("createrepo_c does not end\n%.1000s", out)
	}
	return elements(t, dir, "primary")
}
