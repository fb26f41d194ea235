package command

import (
	"runtime/debug"
	"testing"
)

func TestVersionOf(t *testing.T) {
	vcs := func(revision, time, modified string) []debug.BuildSetting {
		return []debug.BuildSetting{{Key: "vcs.revision", Value: revision}, {Key: "vcs.time", Value: time}, {Key: "vcs.modified", Value: modified}}
	}
	const revision = "0123456789abcdef0123456789abcdef01234567"
	for _, tt := range []struct {
		name   string
		module string
		vcs    []debug.BuildSetting
		want   string
	}{
		{"nothing is known", "", nil, "unknown"},
		{"a test of ours has no revision", "(devel)", nil, "unknown"},
		{"a release", "v1.2.3", vcs(revision, "2026-11-29T01:02:03Z", "false"), "v1.2.3 (0123456789ab 2026-11-29T01:02:03Z)"},
		{"a release, installed from the module proxy", "v1.2.3", nil, "v1.2.3"},
		{"a revision that is no release", "v0.0.0-20261129010203-0123456789ab", vcs(revision, "2026-11-29T01:02:03Z", "false"), "0123456789ab 2026-11-29T01:02:03Z"},
		{"a working copy", "(devel)", vcs(revision, "2026-11-29T01:02:03Z", "true"), "0123456789ab 2026-11-29T01:02:03Z modified"},
	} {
		if got := versionOf(&debug.BuildInfo{Main: debug.Module{Version: tt.module}, Settings: tt.vcs}); got != tt.want {
			t.Errorf("%s: got %q, want %q", tt.name, got, tt.want)
		}
	}
}
