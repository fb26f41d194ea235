package facts_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"repomill/publish/pages/facts"
)

const spec = `Name: kinds
Version: 1.2
Release: 1
Summary: All kinds of relations
License: MIT
BuildArch: noarch
AutoReqProv: no
Requires(pre): before
Requires(postun): after
Requires: plain, ranged >= 1:2.0-3, ranged < 2:0, (alpha or beta >= 2.0)
Recommends: rec >= 1, (x if y)
Suggests: sug
Supplements: (lang and kinds)
Enhances: enh > 0
Conflicts: conf < 2
Obsoletes: obs <= 3-1
%description
Text
%files
`

// RPM finds the relations that rpm prints of a package that rpmbuild made; those of rpmlib are of no interest.
func TestRPMAgreesWithRpmbuild(t *testing.T) {
	if _, err := exec.LookPath("rpmbuild"); err != nil {
		t.Skip("rpmbuild is missing: not all kinds of relations are compared")
	}
	top := t.TempDir()
	file := filepath.Join(top, "kinds.spec")
	if err := os.WriteFile(file, []byte(spec), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("rpmbuild", "-bb", "--quiet", "--define", "_topdir "+top, "--define", "_tmppath "+top, file).CombinedOutput(); err != nil {
		t.Fatalf("rpmbuild: %v: %s", err, out)
	}
	built, err := os.ReadFile(filepath.Join(top, "RPMS/noarch/kinds-1.2-1.noarch.rpm"))
	if err != nil {
		t.Fatal(err)
	}
	k := describeRPM(t, built)
	f, err := facts.RPM(k.Primary, k.Other)
	if err != nil {
		t.Fatal(err)
	}
	got := map[string][]string{}
	for _, r := range f.Relations {
		got[r.Kind] = slices.Sorted(slices.Values(r.Items))
	}
	if diff := cmp.Diff([]string{"before"}, got["Requires(pre)"]); diff != "" {
		t.Errorf("Requires(pre) (-want +got):\n%s", diff)
	}
	got["Requires"] = slices.Sorted(slices.Values(append(got["Requires"], got["Requires(pre)"]...)))
	for _, kind := range []string{"Requires", "Recommends", "Suggests", "Supplements", "Enhances", "Conflicts", "Obsoletes", "Provides"} {
		var want []string
		for l := range strings.Lines(run(t, built, "rpm", "--dbpath", top, "-qp", "--nosignature", "--nodigest", "--"+strings.ToLower(kind), "FILE")) {
			if !strings.HasPrefix(l, "rpmlib(") {
				want = append(want, strings.TrimSpace(l))
			}
		}
		slices.Sort(want)
		if diff := cmp.Diff(want, got[kind]); diff != "" {
			t.Errorf("%s (-rpm +got):\n%s", kind, diff)
		}
	}
}
