package oidc

import (
	"encoding/json"
	"strings"
	"testing"
)

// A pattern matches what a slow matcher of another kind says, and the claims of any payload are read without harm.
func FuzzClaims(f *testing.F) {
	f.Add([]byte(`{"ref":"v1.2","aud":["a","b"],"ref_protected":"true"}`), "ref", "v*")
	f.Add([]byte(`{"sub":"project_path:acme/tools:ref_type:branch:ref:main"}`), "sub", "project_path:acme/*:ref_type:branch:ref:*")
	f.Add([]byte(`{"ref":"a","ref":"b"}`), "ref", "")
	f.Add([]byte(`{"x":[true,1,null,{}]}`), "x", "true")
	f.Add([]byte(`{"x":"\ud800*"}`), "x", "***")
	f.Fuzz(func(t *testing.T, payload []byte, name, pattern string) {
		c, err := parseClaims(payload)
		if err != nil {
			return
		}
		var plain map[string]any
		if json.Unmarshal(payload, &plain) != nil || len(plain) != len(c) {
			t.Fatalf("%d claims of %q", len(c), payload)
		}
		missed, ok := c.fit(map[string]string{name: pattern})
		want := false
		for _, v := range texts(c[name]) {
			want = want || slowly([]rune(pattern), []rune(v), true)
		}
		if len(pattern) < 200 && ok != want {
			t.Fatalf("%q with %s: %v", pattern, c[name], ok)
		}
		if ok && (pattern == "" || plain[name] == nil) || !ok && missed != name {
			t.Fatalf("%q with %s: %v, misses %q", pattern, c[name], ok, missed)
		}
	})
}

// slowly matches a pattern by trying everything; at the start an empty pattern matches nothing.
func slowly(pattern, value []rune, start bool) bool {
	if len(pattern) == 0 {
		return len(value) == 0 && !start
	}
	if len(value) == 0 {
		return false
	}
	if pattern[0] != '*' {
		return pattern[0] == value[0] && slowly(pattern[1:], value[1:], false)
	}
	if strings.ContainsRune("/:@\x7f", value[0]) || value[0] < ' ' {
		return false
	}
	return slowly(pattern[1:], value[1:], false) || slowly(pattern, value[1:], false)
}

// Any credential is judged by its form without harm.
func FuzzIssuerOf(f *testing.F) {
	f.Add("eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJ4In0.AA")
	f.Add("a.b.c")
	f.Fuzz(func(t *testing.T, raw string) {
		issuer, ok := issuerOf(raw)
		if ok && (issuer == "" || strings.Count(raw, ".") != 2 || len(raw) > maxToken) {
			t.Fatalf("%q: %q", raw, issuer)
		}
	})
}
