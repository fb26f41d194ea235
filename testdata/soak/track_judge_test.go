package soak_test

import (
	"testing"
	"time"
)

// A track, which judges all that readers see of a release, finds what is wrong, and nothing else.
func TestTrack(t *testing.T) {
	t.Parallel()
	a, ab, abc := set{"a": "1"}, set{"a": "1", "b": "2"}, set{"a": "1", "b": "2", "c": "3"}
	for _, tt := range []struct {
		fact   string
		atomic bool
		acked  bool // the commands have said that clients see both steps: from {} to a, from a to abc
		saw    []set
		wrong  bool
	}{
		{"the states in order", true, false, []set{{}, a, a, abc, abc}, false},
		{"a state is left out", true, false, []set{{}, abc}, false},
		{"a part of a change that is made in parts", false, false, []set{{}, a, ab, abc}, false},
		{"less of such a change than before", false, false, []set{ab, a}, true},
		{"a part of a change that is atomic", true, false, []set{a, ab}, true},
		{"a state comes back", true, false, []set{abc, a}, true},
		{"nothing comes back", true, false, []set{a, {}}, true},
		{"an old state after the command has ended", true, true, []set{a}, true},
		{"the state after the command has ended", true, true, []set{abc}, false},
		{"a package that was never there", true, false, []set{{"d": "4"}}, true},
		{"other bytes", true, false, []set{{"a": "2"}}, true},
		{"a package of before goes on the way", false, false, []set{a, {"b": "2"}}, true},
	} {
		t.Run(tt.fact, func(t *testing.T) {
			tr := &track{release: allReleases[0]}
			for _, to := range []set{a, abc} {
				done := tr.begin(to, tt.atomic)
				if tt.acked {
					done()
				}
			}
			time.Sleep(time.Millisecond)
			said := ""
			for _, x := range tt.saw {
				if wrong := tr.saw(x, time.Now(), time.Now()); wrong != "" {
					said = wrong
				}
			}
			if (said != "") != tt.wrong {
				t.Errorf("it says %q", said)
			}
		})
	}
	back := &track{release: allReleases[0]}
	for _, to := range []set{a, abc, a} { // withdrawn and restored
		back.begin(to, true)()
	}
	time.Sleep(time.Millisecond)
	if said := back.saw(a, time.Now(), time.Now()); said != "" {
		t.Errorf("a state that is there twice: %s", said)
	}
}
