package api_test

import (
	"slices"
	"strings"
	"testing"

	"repomill/serve/api"
)

func TestMatch(t *testing.T) {
	for _, tt := range []struct {
		pattern, path string
		names         []string
		ok            bool
	}{
		{"repos", "repos", nil, true},
		{"repos", "repo", nil, false},
		{"repos", "repos/a", nil, false},
		{"repos/OWNER/NAME", "repos/acme/tools", []string{"acme", "tools"}, true},
		{"repos/OWNER/NAME", "repos/acme", nil, false},
		{"repos/OWNER/NAME/promote", "repos/acme/tools/Promote", nil, false},
		{"stats/...", "stats/a/b", []string{"a", "b"}, true},
		{"stats/...", "stats", nil, false},
		{"snapshots/ID", "snapshots/20261129T021500Z", []string{"20261129T021500Z"}, true},
	} {
		names, ok := api.Match(tt.pattern, strings.Split(tt.path, "/"))
		if ok != tt.ok || ok && !slices.Equal(names, tt.names) {
			t.Errorf("%s, %s: got %q, %v; want %q, %v", tt.pattern, tt.path, names, ok, tt.names, tt.ok)
		}
	}
}
