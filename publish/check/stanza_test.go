package check

import (
	"io"
	"os/exec"
	"strings"
	"testing"
)

func TestCanonicalVersion(t *testing.T) {
	for _, tt := range []struct {
		a, b  string
		equal bool
	}{
		{"1.0", "1.00", true},
		{"1.0", "1.0-0", true},
		{"1.0", "0:1.0", true},
		{"1.0", "1.", true},
		{"0:1.0-00", "1.000", true},
		{"1:1.0", "01:1.0", true},
		{"1.0a", "1.00a", true},
		{"0", "00", true},
		{"1.0-1", "1.0-01", true},
		{"1.0", "1", false},
		{"1.0a", "1.a", false},
		{"1.0", "1.0-1", false},
		{"1.0", "1:1.0", false},
		{"1.10", "1.1", false},
		{"1.0~", "1.0", false},
		{"1.0+b1", "1.0", false},
		{"1-0-0", "1-0", false},
		{"1-1-0", "1-1-00", true},
	} {
		if got := canonicalVersion(tt.a) == canonicalVersion(tt.b); got != tt.equal {
			t.Errorf("%q and %q: equal: %v, want %v", tt.a, tt.b, got, tt.equal)
		}
		dpkg, err := exec.LookPath("dpkg")
		if err != nil {
			continue
		}
		if got := exec.Command(dpkg, "--compare-versions", tt.a, "eq", tt.b).Run() == nil; got != tt.equal {
			t.Errorf("%q and %q: dpkg says equal: %v, want %v", tt.a, tt.b, got, tt.equal)
		}
	}
}

func TestStanzaReaderRefuses(t *testing.T) {
	for _, tt := range []struct{ name, text, want string }{
		{"a continuation line first", " a\n", "without a field"},
		{"a blank line first", "\nA: 1\n", "blank line"},
		{"a comment", "#A: 1\n", "not a field"},
		{"a name that starts with a dash", "-A: 1\n", "not a field"},
		{"a name with a blank", "A B: 1\n", "not a field"},
		{"a name beyond ASCII", "Ä: 1\n", "not a field"},
		{"an empty name", ": 1\n", "not a field"},
		{"NUL", "A: \x00\n", "control character"},
		{"no newline", "A: 1", "newline"},
		{"more than 4 MiB", "A: " + strings.Repeat("x", 4<<20) + "\n", "more than"},
		{"more than 4 MiB in many lines", "A:\n" + strings.Repeat(" xxxxxxxxxxxxxxx\n", 1<<18), "more than"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := newStanzaReader(strings.NewReader(tt.text)).next()
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want an error about %q", err, tt.want)
			}
		})
	}
}

// What is read must hold every byte: the fields of the stanzas, put together again, are the text.
func FuzzStanza(f *testing.F) {
	f.Add("Package: a\nVersion: 1\nDescription: x\n .\n y\n\nPackage: b\n")
	f.Add("A:\n 1\n\t2\n")
	f.Add("\n")
	f.Fuzz(func(t *testing.T, text string) {
		r := newStanzaReader(strings.NewReader(text))
		stanzas, fields := 0, 0
		for {
			s, err := r.next()
			if err == io.EOF {
				break
			}
			if err != nil {
				return
			}
			stanzas++
			fields += len(s.fields)
			for name, value := range s.fields {
				if !fieldName(name) || strings.ContainsAny(value, "\x00\r") {
					t.Errorf("field %q: %q", name, value)
				}
			}
		}
		blank := strings.Count("\n"+text, "\n\n")
		if max := stanzas; blank > max {
			t.Errorf("%d blank lines around %d stanzas", blank, stanzas)
		}
		lines := 0
		for line := range strings.Lines(text) {
			if line[0] != ' ' && line[0] != '\t' && line != "\n" {
				lines++
			}
		}
		if lines != fields {
			t.Errorf("%d fields in %d lines", fields, lines)
		}
	})
}
