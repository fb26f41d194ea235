package facts_test

import (
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"repomill/publish/pages/facts"
	"repomill/testdata/corpus"
)

// check fails the test if facts exceed their bounds, or are not text.
func check(t *testing.T, f *facts.Facts) {
	t.Helper()
	text := func(s string, max int) {
		if len(s) > max || !utf8.ValidString(s) {
			t.Errorf("a text of %d bytes, UTF-8: %v", len(s), utf8.ValidString(s))
		}
	}
	for _, s := range []string{f.Summary, f.Homepage, f.License, f.Maintainer, f.Section, f.Source} {
		if text(s, facts.MaxLine); strings.Contains(s, "\n") {
			t.Errorf("%q has two lines", s)
		}
	}
	text(f.Description, facts.MaxText)
	for _, r := range f.Relations {
		if len(r.Items) == 0 || len(r.Items) > facts.MaxItems {
			t.Errorf("%s has %d members", r.Kind, len(r.Items))
		}
		for _, item := range r.Items {
			text(item, facts.MaxLine)
		}
	}
	checkEntries(t, f.Changelog)
}

func checkEntries(t *testing.T, entries []facts.Entry) {
	t.Helper()
	if len(entries) > facts.MaxEntries {
		t.Errorf("%d entries", len(entries))
	}
	for _, e := range entries {
		if len(e.Text) > facts.MaxText || len(e.Author) > facts.MaxLine || !utf8.ValidString(e.Text) || !utf8.ValidString(e.Author) {
			t.Errorf("an entry by %q of %d bytes", e.Author, len(e.Text))
		}
	}
}

// A stanza of any bytes gives facts within their bounds.
func FuzzDEB(f *testing.F) {
	f.Add([]byte(stanza))
	f.Add([]byte("Description:\n \n .\n  x\nDepends:,,\n\t\n:\n\nInstalled-Size: 9223372036854775807\n a"))
	f.Fuzz(func(t *testing.T, b []byte) { check(t, facts.DEB(b)) })
}

// Fragments of any bytes give facts within their bounds.
func FuzzRPM(f *testing.F) {
	f.Add([]byte(primary), []byte(other))
	f.Add([]byte(`<a b="`), []byte(`<changelog date="99999999999999" author="&#x110000;&#xD800;&amp;&x"/>`))
	f.Fuzz(func(t *testing.T, primary, other []byte) {
		got, _ := facts.RPM(primary, other)
		check(t, got)
	})
}

// A changelog of any bytes gives entries within their bounds.
func FuzzDEBChangelog(f *testing.F) {
	f.Add("a (1) b; c\n\n  * d\n\n -- E <e@f>  Mon, 01 Jan 2024 00:00:00 +0000\n")
	f.Add(" -- \n () ;\na () ;\na (1);\n -- x")
	f.Fuzz(func(t *testing.T, text string) { checkEntries(t, facts.DEBChangelog(text)) })
}

func BenchmarkFacts(b *testing.B) {
	_, file := (corpus.Corpus{}).RPM(b, 1)
	k := describeRPM(b, file)
	changelog := strings.Repeat("hello (2.10-2) unstable; urgency=medium\n\n  * Fix it.\n    - in detail\n\n -- Jo <jo@example.org>  "+time.Unix(0, 0).UTC().Format(time.RFC1123Z)+"\n\n", 10)
	for _, c := range []struct {
		name string
		size int
		read func() error
	}{
		{"DEB", len(stanza), func() error { facts.DEB([]byte(stanza)); return nil }},
		{"RPM", len(k.Primary) + len(k.Other), func() error { _, err := facts.RPM(k.Primary, k.Other); return err }},
		{"DEBChangelog", len(changelog), func() error { facts.DEBChangelog(changelog); return nil }},
	} {
		b.Run(c.name, func(b *testing.B) {
			b.SetBytes(int64(c.size))
			b.ReportAllocs()
			for b.Loop() {
				if err := c.read(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
