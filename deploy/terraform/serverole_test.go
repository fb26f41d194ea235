package terraform_test

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"repomill/schemas/catalog"
	"repomill/schemas/layout"
)

// What the resolver reads by itself is what its role may read. All else it redirects to.
func TestServeRoleReadsWhatTheResolverReads(t *testing.T) {
	body, err := os.ReadFile("modules/federation/permissions.tf")
	if err != nil {
		t.Fatal(err)
	}
	statement := regexp.MustCompile(`serve = \[\s*\{[^}]*"s3:GetObject"\], Resource = \[([^\]]*)\]`).FindSubmatch(body)
	if statement == nil {
		t.Fatal("modules/federation/permissions.tf has no statement for the objects of serve")
	}
	var patterns []string
	for _, m := range quoted.FindAllStringSubmatch(string(statement[1]), -1) {
		key, ok := strings.CutPrefix(m[1], "${local.served}/")
		if !ok {
			t.Errorf("%s is not in the bucket that is served", m[1])
		}
		patterns = append(patterns, key)
	}
	r := catalog.Repository{Owner: "acme", Name: "tools"}
	deb, rpm := catalog.Distribution{OS: "ubuntu", Version: "jammy"}, catalog.Distribution{OS: "el", Version: "9"}
	for key, want := range map[string]bool{
		layout.SettingsKey(r): true, layout.FormatKey: true, ".repomill/probe": true,
		layout.ScriptKey(r, catalog.DEB): true, layout.ScriptKey(r, catalog.RPM): true, layout.GPGKeyURLKey(r, catalog.RPM): true,
		layout.ConfigFileKey(r, deb, catalog.DEB): true, layout.ConfigFileKey(r, rpm, catalog.RPM): true, layout.BaseURLKey(r, rpm): true,

		layout.PointerKey(catalog.Release{Repository: r, Distribution: deb}):               false,
		layout.HistoryPrefix(catalog.Release{Repository: r, Distribution: deb}) + "1.json": false,
		"acme/tools/ubuntu/pool/jammy/main/h/hello/hello_1_all.deb":                        false,
		layout.GPGKeyKey(r): false, layout.SourcesKey(r, deb): false,
	} {
		if got := matches(patterns, key); got != want {
			t.Errorf("the role reads %s: %v, want %v", key, got, want)
		}
	}
}
