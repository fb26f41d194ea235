package catalog_test

import (
	"testing"

	"repomill/schemas/catalog"
)

func TestPatternMatches(t *testing.T) {
	hello := catalog.Package{Name: "hello", Version: "1:2.0-1", Arch: "amd64"}
	for _, tt := range []struct {
		pattern string
		want    bool
	}{
		{"hello", true}, {"hell", false}, {"Hello", false}, {"hel*", true}, {"*", true}, {"h?llo", true}, {"[a-h]ello", true}, {"[^h]ello", false},
		{"hello=1:2.0-1", true}, {"hello=2.0-1", false}, {"hello=1:*", true}, {"hello=*2.0*", true}, {"hello=*", true},
		{"hello=1:2.0-1:amd64", true}, {"hello=1:2.0-1:arm64", false}, {"hello=*:amd64", true}, {"hello=*:arm64", false}, {"other*=1:2.0-1", false},
		{`hell\o`, true}, {`hell\*`, false},
	} {
		p, err := catalog.ParsePattern(tt.pattern)
		if err != nil || p.String() != tt.pattern || p.Matches(hello) != tt.want {
			t.Errorf("%s: %v, reads back as %s, matches: %v, want %v", tt.pattern, err, p, p.Matches(hello), tt.want)
		}
	}
}

func TestParsePatternRefuses(t *testing.T) {
	for _, s := range []string{"", "=1", "hello=", "hel[lo", "hello=1[", `hello\`} {
		if p, err := catalog.ParsePattern(s); err == nil {
			t.Errorf("%q is read as %+v", s, p)
		}
	}
}

func TestPatternLiterals(t *testing.T) {
	for _, tt := range []struct {
		pattern, name, prefix, version string
		exact                          bool
	}{
		{"hello", "hello", "hello", "", false},
		{"hel*o", "", "hel", "", false},
		{"*", "", "", "", false},
		{"hello=1.0", "hello", "hello", "1.0", true},
		{"hello=1:1.0", "hello", "hello", "1:1.0", true},
		{"hello=1:1.0:amd64", "hello", "hello", "1:1.0", true},
		{"hello=1.0:x86_64", "hello", "hello", "1.0", true},
		{"hello=1.*", "hello", "hello", "", false},
		{"h*=1.0", "", "h", "1.0", false},
	} {
		p, err := catalog.ParsePattern(tt.pattern)
		if err != nil || p.LiteralName() != tt.name || p.NamePrefix() != tt.prefix || p.LiteralVersion() != tt.version || p.Exact() != tt.exact {
			t.Errorf("%s: %v, %q, %q, %q, %v", tt.pattern, err, p.LiteralName(), p.NamePrefix(), p.LiteralVersion(), p.Exact())
		}
	}
}

// No pattern takes long, or more than it says.
func FuzzPattern(f *testing.F) {
	for _, s := range []string{"hello=1.0:amd64", "*a*a*a*a*a*a*a*a*b", "[^x]*=?", `\*`} {
		f.Add(s, "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "1.0")
	}
	f.Fuzz(func(t *testing.T, s, name, version string) {
		p, err := catalog.ParsePattern(s)
		if err != nil {
			return
		}
		if p.String() != s {
			t.Errorf("%q reads back as %q", s, p)
		}
		k := catalog.Package{Name: name, Version: version, Arch: "all"}
		if literal := p.LiteralName(); p.Matches(k) && (literal != "" && literal != name || name[:len(p.NamePrefix())] != p.NamePrefix()) {
			t.Errorf("%q matches %q, but has the name %q and the prefix %q", s, name, literal, p.NamePrefix())
		}
	})
}
