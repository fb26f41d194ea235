package catalog_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"repomill/schemas/catalog"
)

func planOf(t *testing.T, versions ...string) catalog.Plan {
	t.Helper()
	r := catalog.Release{Repository: catalog.Repository{Owner: "acme", Name: "tools"}, Distribution: catalog.Distribution{OS: "ubuntu", Version: "jammy"}}
	p := catalog.Plan{Kind: catalog.PlanYank, Target: catalog.PackageTarget{Repository: r.Repository}, Args: json.RawMessage(`{"patterns":["hello*"]}`)}
	for _, v := range versions {
		k := catalog.Package{Component: "main", Name: "hello", Version: v, Arch: "all", File: catalog.File{SHA256: "of " + v, Size: 7}}
		p.Items = append(p.Items, catalog.ItemOf(r, k, catalog.PlanWithdraw))
	}
	if err := p.Seal(); err != nil {
		t.Fatal(err)
	}
	return p
}

// The digest is that of what is done: neither the order in which it was found nor the layout of the file changes it.
func TestPlanDigest(t *testing.T) {
	p := planOf(t, "2.0", "1.0", "2.0")
	if got := planOf(t, "1.0", "2.0"); got.Digest != p.Digest || len(p.Items) != 2 {
		t.Errorf("the order counts: %+v and %+v", p, got)
	}
	text, err := json.MarshalIndent(p, "  ", "\t")
	if err != nil {
		t.Fatal(err)
	}
	read := func(text string) error {
		var back catalog.Plan
		if err := json.Unmarshal([]byte(text), &back); err != nil {
			t.Fatal(err)
		}
		return back.Check()
	}
	if err := read(string(text)); err != nil {
		t.Error(err)
	}
	for _, change := range []struct{ from, to string }{
		{`"hello*"`, `"*"`}, {`"of 2.0"`, `"of 3.0"`}, {`"withdraw"`, `"restore"`}, {`"target": "acme/tools"`, `"target": "acme/other"`},
		{`"kind": "yank"`, `"kind": "unyank"`}, {`"format": 1`, `"format": 2`}, {`"bytes": 7`, `"bytes": 8`},
	} {
		changed := strings.Replace(string(text), change.from, change.to, 1)
		if err := read(changed); err == nil || changed == string(text) {
			t.Errorf("%s in place of %s: it is accepted", change.to, change.from)
		}
	}
}

func TestPlanDifferences(t *testing.T) {
	const in = " all in acme/tools/ubuntu/jammy, main"
	for _, tt := range []struct {
		before, after, want []string
	}{
		{[]string{"1.0"}, []string{"1.0"}, nil},
		{[]string{"1.0"}, nil, []string{"not any more: withdraw hello 1.0" + in}},
		{nil, []string{"1.0"}, []string{"new: withdraw hello 1.0" + in}},
		{[]string{"1.0", "3.0"}, []string{"1.0", "2.0", "4.0"}, []string{"new: withdraw hello 2.0" + in, "not any more: withdraw hello 3.0" + in, "new: withdraw hello 4.0" + in}},
	} {
		got, total := planOf(t, tt.before...).Differences(planOf(t, tt.after...), 9)
		if diff := cmp.Diff(tt.want, got); diff != "" || total != len(tt.want) {
			t.Errorf("%q and then %q: %d (-want +got):\n%s", tt.before, tt.after, total, diff)
		}
	}
	var many []string
	for i := range 100 {
		many = append(many, fmt.Sprint(i))
	}
	if got, total := planOf(t).Differences(planOf(t, many...), 3); len(got) != 3 || total != 100 || !slices.IsSorted(got) {
		t.Errorf("of 100 it says %q and %d", got, total)
	}
}
