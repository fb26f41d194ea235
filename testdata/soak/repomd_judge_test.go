package soak_test

import (
	"bytes"
	"fmt"
	"testing"
	"time"

	"repomill/publish/repomd"
	"repomill/schemas/catalog"
)

// The timestamps of a repomd.xml are one date, and that of the next one is later.
func TestRepomdDates(t *testing.T) {
	t.Parallel()
	x8664 := allReleases[2]
	day := time.Date(2026, 8, 1, 12, 0, 0, 0, time.UTC)
	render := func(revision int64, date time.Time) []byte {
		md := repomd.Repomd{Revision: catalog.Revision{Number: revision, Nonce: "0123456789abcdef"}, Date: date}
		for _, index := range []string{"primary", "filelists", "other"} {
			md.Data = append(md.Data, repomd.Data{Type: index, SHA256: digest([]byte(index)), Size: 9})
		}
		return md.Render()
	}
	for _, tt := range []struct {
		fact string
		next []byte // after revision 7
		want string // the invariant that is violated; empty for none, "unreadable" for no pointer
	}{
		{"later", render(8, day.Add(time.Second)), ""},
		{"the same date", render(8, day), "I2"},
		{"earlier", render(8, day.Add(-time.Hour)), "I2"},
		{"a lower revision", render(6, day.Add(time.Second)), "I2"},
		{"no date", render(8, time.Unix(0, 0)), "unreadable"},
		{"two dates", bytes.Replace(render(8, day), fmt.Append(nil, day.Unix()), fmt.Append(nil, day.Unix()+1), 1), "unreadable"},
	} {
		t.Run(tt.fact, func(t *testing.T) {
			r := &reader{soaking: &soaking{judge: newJudge(func(string, ...any) {})}}
			last, err := parsePointer(x8664, render(7, day))
			if err != nil {
				t.Fatal(err)
			}
			next, err := parsePointer(x8664, tt.next)
			if (err != nil) != (tt.want == "unreadable") {
				t.Fatalf("parse: %v", err)
			}
			if err != nil {
				return
			}
			r.compare(x8664, &view{revision: last.revision, date: last.date}, &view{revision: next.revision, date: next.date})
			if found := r.judge.found; r.judge.total() > 0 != (tt.want != "") || found["I2"] != r.judge.total() {
				t.Errorf("want %q, got %v", tt.want, found)
			}
		})
	}
}
