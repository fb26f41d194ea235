package catalog_test

import (
	"testing"
	"time"

	"repomill/schemas/catalog"
)

func TestTrustDigest(t *testing.T) {
	trust := func(change func(*catalog.Trust)) catalog.Trust {
		v := catalog.Trust{Owner: "acme", Name: "tools", Scope: "push", Issuer: "https://gitlab.acme.example",
			Audience: "packages.acme.example", Claims: map[string]string{"project_path": "acme/tools", "ref_protected": "true"}}
		change(&v)
		return v
	}
	first := trust(func(*catalog.Trust) {}).Digest()
	if len(first) != 16 {
		t.Errorf("%q has %d characters, want 16", first, len(first))
	}
	for _, tt := range []struct {
		name   string
		change func(*catalog.Trust)
		same   bool
	}{
		{"the same again", func(*catalog.Trust) {}, true},
		{"made later", func(v *catalog.Trust) { v.Created, v.ID = time.Now(), "other" }, true},
		{"for the whole owner", func(v *catalog.Trust) { v.Name = "" }, false},
		{"with another scope", func(v *catalog.Trust) { v.Scope = "manage" }, false},
		{"with a claim less", func(v *catalog.Trust) { delete(v.Claims, "ref_protected") }, false},
		{"with another value", func(v *catalog.Trust) { v.Claims["ref_protected"] = "false" }, false},
		{"with its parts shifted", func(v *catalog.Trust) { v.Issuer, v.Audience = v.Audience, v.Issuer }, false},
	} {
		if got := trust(tt.change).Digest(); (got == first) != tt.same {
			t.Errorf("%s: %s beside %s", tt.name, got, first)
		}
	}
}

func TestTrustTarget(t *testing.T) {
	if got := (catalog.Trust{Owner: "acme", Name: "tools"}).Target(); got != "acme/tools" {
		t.Errorf("got %q", got)
	}
	if got := (catalog.Trust{Owner: "acme"}).Target(); got != "acme" {
		t.Errorf("got %q", got)
	}
}
