package deb

import (
	"regexp"
	"testing"
)

// The forms that are read by hand, as patterns.
var (
	relationPattern = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9+._-]*(?::[A-Za-z0-9][A-Za-z0-9-]*)?[ \t\n]*(?:\([ \t\n]*(?:<<|<=|<|=|>=|>>|>)?[ \t\n]*([^ \t\n()]+)[ \t\n]*\))?$`)
	namePattern     = regexp.MustCompile(`^[a-z0-9][a-z0-9+._-]*$`)
	arNamePattern   = regexp.MustCompile(`^([!-.0-~]{1,16})/? *$`)
	arNumberPattern = regexp.MustCompile(`^[0-9]* *$`)
	arTimePattern   = regexp.MustCompile(`^[0-9]*(\.[0-9]*)? *$`)
)

// FuzzForms compares what reads names, relations and the header of an archive member with patterns.
func FuzzForms(f *testing.F) {
	for _, s := range []string{
		"", "a", "a:any", "a:", ":a", "libc6 (>= 2.31)", "a(1)", "a (<<)", "a (<<=1)", "a ( = )", "a (= 1 )", "a (= 1) b", "a (= 1", "a b", "a\n(\t>>\n1\t)",
		"a (=(1))", "a ()", "A_b.c+d-e", "\xff", "a (\xff)", "a (<)", "a (><1)", "-a", "a:b-c", "a:b+c (=1)",
		"control.tar.gz/ ", "a/", "/", "//", "a /", "a/ b", "0123456789abcdef", "1.5 ", ".", "1..", " 1", "12  ", "a\n",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		version, ok := parseRelation(s)
		m := relationPattern.FindStringSubmatch(s)
		if ok != (m != nil) || ok && version != m[1] {
			t.Errorf("relation %q: got %q, %t; the pattern has %q", s, version, ok, m)
		}
		if got, want := validName(s), namePattern.MatchString(s); got != want {
			t.Errorf("name %q: got %t, want %t", s, got, want)
		}
		field := s[:min(len(s), 16)]
		name, ok := arName([]byte(field))
		m = arNamePattern.FindStringSubmatch(field)
		if ok != (m != nil) || ok && string(name) != m[1] {
			t.Errorf("name of a member %q: got %q, %t; the pattern has %q", field, name, ok, m)
		}
		if got, want := isArNumber([]byte(field)), arNumberPattern.MatchString(field); got != want {
			t.Errorf("number %q: got %t, want %t", field, got, want)
		}
		if got, want := isArTime([]byte(field)), arTimePattern.MatchString(field); got != want {
			t.Errorf("time %q: got %t, want %t", field, got, want)
		}
	})
}
