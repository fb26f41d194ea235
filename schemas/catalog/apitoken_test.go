package catalog_test

import (
	"testing"

	"repomill/schemas/catalog"
)

func TestTargets(t *testing.T) {
	for text, want := range map[string]catalog.Target{
		"all": {}, "acme": {Owner: "acme"}, "acme/tools": {Owner: "acme", Name: "tools"},
	} {
		got, ok := catalog.ParseTarget(text)
		if !ok || got != want || got.String() != text {
			t.Errorf("%s: got %+v (%s), %v", text, got, got, ok)
		}
	}
	for _, text := range []string{"", "/", "acme/", "/tools", "acme/tools/el"} {
		if got, ok := catalog.ParseTarget(text); ok {
			t.Errorf("%q: got %+v", text, got)
		}
	}
}

func TestTargetCovers(t *testing.T) {
	all, acme, tools, other := catalog.Target{}, catalog.Target{Owner: "acme"}, catalog.Target{Owner: "acme", Name: "tools"}, catalog.Target{Owner: "other", Name: "tools"}
	for _, tt := range []struct {
		of, to catalog.Target
		want   bool
	}{
		{all, all, true}, {all, acme, true}, {all, tools, true},
		{acme, all, false}, {acme, acme, true}, {acme, tools, true}, {acme, other, false},
		{tools, acme, false}, {tools, tools, true}, {tools, other, false},
	} {
		if got := tt.of.Covers(tt.to); got != tt.want {
			t.Errorf("%s covers %s: %v", tt.of, tt.to, got)
		}
	}
}
