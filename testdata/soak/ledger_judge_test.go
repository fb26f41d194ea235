package soak_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"repomill/schemas/catalog"
)

// The ledger, which judges all that the reader reads, finds what is wrong, and nothing else.
func TestLedger(t *testing.T) {
	t.Parallel()
	jammy, noble := allReleases[0], allReleases[1]
	at := func(second int) time.Time { return time.Unix(int64(second), 0) }
	const id, sum, other = "ubuntu/jammy hello 1.0 amd64", "aa", "bb"
	shows := func(sha256 string) map[string]row { return map[string]row{id: {"hello", "1.0", "amd64", sha256}} }
	for _, tt := range []struct {
		fact string
		do   func(*ledger, *pkg)
		want string // the invariant that is violated; empty for none
	}{
		{"a package that comes late", func(l *ledger, _ *pkg) { l.saw(jammy, nil, at(1), at(2)); l.saw(jammy, shows(sum), at(3), at(4)) }, ""},
		{"a package that goes", func(l *ledger, _ *pkg) { l.saw(jammy, shows(sum), at(1), at(2)); l.saw(jammy, nil, at(3), at(4)) }, "I2"},
		{"a package that goes while it is withdrawn", func(l *ledger, p *pkg) {
			l.saw(jammy, shows(sum), at(1), at(2))
			p.withdrawals = []withdrawal{{from: at(3)}}
			l.saw(jammy, nil, at(3), at(4))
			l.saw(jammy, shows(sum), at(4), at(5)) // the command has not said anything yet
		}, ""},
		{"a package that is there when it is withdrawn", func(l *ledger, p *pkg) {
			p.withdrawals = []withdrawal{{from: at(1), sure: at(2)}}
			l.saw(jammy, shows(sum), at(3), at(4))
		}, "I2"},
		{"a package that does not come back", func(l *ledger, p *pkg) {
			l.saw(jammy, shows(sum), at(0), at(1))
			p.withdrawals = []withdrawal{{at(1), at(2), at(3), at(4)}}
			l.saw(jammy, nil, at(5), at(6))
		}, "I2"},
		{"other bytes", func(l *ledger, _ *pkg) {
			l.saw(jammy, shows(sum), at(1), at(2))
			l.saw(jammy, shows(other), at(3), at(4))
		}, "I4"},
		{"bytes that nobody pushed", func(l *ledger, _ *pkg) { l.saw(jammy, shows("cc"), at(1), at(2)) }, "I4"},
		{"a package in another release", func(l *ledger, _ *pkg) { l.saw(noble, shows(sum), at(1), at(2)) }, "I4"},
		{"a package that clients do not see after its verdict", func(l *ledger, p *pkg) {
			l.settle(&upload{pkg: p, sha256: sum, want: []string{published}}, published, at(1))
			l.saw(jammy, nil, at(2), at(3))
		}, "I2"},
		{"a reading that began before the verdict", func(l *ledger, p *pkg) {
			l.settle(&upload{pkg: p, sha256: sum, want: []string{published}}, published, at(2))
			l.saw(jammy, nil, at(1), at(3))
		}, ""},
		{"a wrong verdict", func(l *ledger, p *pkg) {
			l.settle(&upload{pkg: p, sha256: other, want: []string{rejected + "conflict"}}, duplicate, at(1))
		}, "I3"},
		{"both bytes are published", func(l *ledger, p *pkg) {
			l.settle(&upload{pkg: p, sha256: sum, want: []string{published}}, published, at(1))
			l.settle(&upload{pkg: p, sha256: other, want: []string{published}}, published, at(2))
		}, "I4"},
	} {
		t.Run(tt.fact, func(t *testing.T) {
			var said []string
			l := newLedger(newJudge(func(format string, args ...any) { said = append(said, fmt.Sprintf(format, args...)) }))
			p := &pkg{dist: "ubuntu/jammy", name: "hello", version: "1.0", arch: "amd64", releases: []catalog.Release{jammy}, bytes: map[string][]byte{sum: {1}, other: {2}}}
			l.declare(p)
			tt.do(l, p)
			if n := l.judge.total(); (n > 0) != (tt.want != "") || l.judge.found[tt.want] != n {
				t.Errorf("want %q, got %d violations: %s", tt.want, n, strings.Join(said, "\n"))
			}
		})
	}
}

// A file beside a pointer may be torn, but not for long when nothing disturbs the programs.
func TestPairs(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		fact   string
		states []string // one after the other, of one file; empty when it is whole
		since  time.Duration
		calm   time.Duration
		want   int
	}{
		{"torn for a moment", []string{"a", ""}, 0, time.Hour, 0},
		{"torn until a restart is over", []string{"a", "a"}, 2 * busy, 4 * time.Second, 0},
		{"torn in another way each time", []string{"a", "b"}, 2 * busy, time.Hour, 0},
		{"torn for as long as a busy machine takes", []string{"a", "a"}, busy / 2, time.Hour, 0},
		{"torn for too long", []string{"a", "a"}, 2 * busy, 6*time.Second + busy, 1},
	} {
		t.Run(tt.fact, func(t *testing.T) {
			j := newJudge(func(string, ...any) {})
			for _, state := range tt.states {
				var torn []string
				if state != "" {
					torn = []string{state}
				}
				j.pairs(byReader, "InRelease", torn, tt.calm)
				for id, since := range j.torn {
					j.torn[id] = since.Add(-tt.since)
				}
			}
			if n := j.total(); n != tt.want {
				t.Errorf("%d violations, want %d", n, tt.want)
			}
		})
	}
}
