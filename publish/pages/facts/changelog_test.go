package facts_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"repomill/publish/pages/facts"
)

func TestDEBChangelog(t *testing.T) {
	const newer = "hello (2.10-2) unstable; urgency=medium\n\n  * Fix it.\n    - in detail\n\n  [ Jo ]\n  * More.\n\n -- Jo Döe <jo@example.org>  Tue, 02 Jan 2024 10:00:00 +0100\n"
	const older = "hello (2.10-1) stable unstable; urgency=low, binary-only=yes\n\n  * First.\n\n -- A <a@example.org>  Mon,  1 Jan 2024 00:00:00 +0000 (UTC)\n"
	want := []facts.Entry{
		{At: at(2024, 1, 2, 9), Author: "Jo Döe <jo@example.org>", Text: "hello (2.10-2) unstable; urgency=medium\n\n* Fix it.\n  - in detail\n\n[ Jo ]\n* More."},
		{At: at(2024, 1, 1, 0), Author: "A <a@example.org>", Text: "hello (2.10-1) stable unstable; urgency=low, binary-only=yes\n\n* First."},
	}
	half := facts.Entry{Text: want[1].Text}
	for name, c := range map[string]struct {
		text string
		want []facts.Entry
	}{
		"no text":                             {"", nil},
		"white space":                         {" \n\n", nil},
		"one entry":                           {older, want[1:]},
		"two entries":                         {newer + "\n" + older, want},
		"entries without a line between them": {newer + older, want},
		"lines that end in CR LF":             {strings.ReplaceAll(newer+older, "\n", "\r\n"), want},
		"a comment before the first entry":    {"# comment\n\n" + older, want[1:]},
		"settings of an editor at the end":    {older + "\nLocal variables:\nmode: debian-changelog\nEnd:\n", want[1:]},
		"an end that is missing":              {newer + "\nhello (2.10-1) stable unstable; urgency=low, binary-only=yes\n\n  * First.", []facts.Entry{want[0], half}},
		"an end that is missing in the midst": {"hello (2.10-1) stable unstable; urgency=low, binary-only=yes\n\n  * First.\n\n" + newer, []facts.Entry{half, want[0]}},
		"a time that is not one":              {"a (1) b; c\n\n  * d\n\n -- E <e@f>  yesterday\n", []facts.Entry{{Author: "E <e@f>", Text: "a (1) b; c\n\n* d"}}},
		"text of another format":              {"Version 1.0 (2024-01-01); final\n* something\n\n", []facts.Entry{{Text: "Version 1.0 (2024-01-01); final\n* something"}}},
		"bytes that are not UTF-8":            {"J\xf6", []facts.Entry{{Text: "J\uFFFD"}}},
	} {
		t.Run(name, func(t *testing.T) {
			got := facts.DEBChangelog(c.text)
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			for _, e := range got {
				if e.At != nil && e.At.Location() != time.UTC {
					t.Errorf("%s is not UTC", e.At)
				}
			}
		})
	}
}

func TestDEBChangelogIsBounded(t *testing.T) {
	var text strings.Builder
	for n := range facts.MaxEntries + 2 {
		fmt.Fprintf(&text, "a (%d) b; c\n\n  * %s\n\n -- D <d@e>  Mon, 01 Jan 2024 00:00:00 +0000\n\n", 100-n, strings.Repeat("é\n  ", facts.MaxText))
	}
	entries := facts.DEBChangelog(text.String())
	if len(entries) != facts.MaxEntries || !strings.HasPrefix(entries[9].Text, "a (91) ") || len(entries[9].Text) > facts.MaxText || entries[9].At == nil {
		t.Errorf("%d entries, the last of %d bytes", len(entries), len(entries[len(entries)-1].Text))
	}
	if whole := facts.DEBChangelog(strings.Repeat("x\n", facts.MaxText)); len(whole) != 1 || len(whole[0].Text) > facts.MaxText {
		t.Error("text of another format has no bound")
	}
}
