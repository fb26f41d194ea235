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
	list := func(pattern, prefix string) (patterns []string) {
		found := regexp.MustCompile(pattern).FindSubmatch(body)
		if found == nil {
			t.Fatalf("modules/federation/permissions.tf has no %s", pattern)
		}
		for _, m := range quoted.FindAllStringSubmatch(string(found[1]), -1) {
			key, ok := strings.CutPrefix(m[1], prefix)
			if !ok {
				t.Errorf("%s is not in the bucket that is served", m[1])
			}
			patterns = append(patterns, key)
		}
		return patterns
	}
	allowed := append(list(`serve = \[\s*\{[^}]*"s3:GetObject"\], Resource = \[([^\]]*)\]`, "${local.served}/"), list(`pages +=\s\[([^\]]*)\]`, "")...)
	denied := list(`internal +=\s\[([^\]]*)\]`, "")
	odd := catalog.Repository{Owner: "p", Name: "names"}
	const sum = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
	r := catalog.Repository{Owner: "acme", Name: "tools"}
	deb, rpm := catalog.Distribution{OS: "ubuntu", Version: "jammy"}, catalog.Distribution{OS: "el", Version: "9"}
	for key, want := range map[string]bool{
		layout.SettingsKey(r): true, layout.FormatKey: true, ".repomill/probe": true,
		layout.ScriptKey(r, catalog.DEB): true, layout.ScriptKey(r, catalog.RPM): true, layout.GPGKeyURLKey(r, catalog.RPM): true,
		layout.ConfigFileKey(r, deb, catalog.DEB): true, layout.ConfigFileKey(r, rpm, catalog.RPM): true, layout.BaseURLKey(r, rpm): true,

		layout.RootPageKey: true, layout.OwnerPageKey("acme"): true, layout.FrontPageKey(r): true, layout.FrontTwinKey(r): true, layout.FeedKey(r): true, layout.StatusKey(r): true,
		layout.NamesPageKey(r, -1, ""): true, layout.NamesTwinKey(r, 0, "hello"): true, layout.NamePageKey(r, "hello"): true, layout.NameTwinKey(r, "hello"): true,
		layout.NameFeedKey(r, "hello"): true, layout.OlderPageKey(r, "hello", 1): true, layout.OlderTwinKey(r, "hello", 1): true,
		layout.VersionPageKey(r, "hello", "1-1"): true, layout.FilesPageKey(r, "hello", sum): true, layout.AssetKey("style-0123456789abcdef.css"): true,
		layout.SnapshotsPageKey(r): true, layout.SnapshotsTwinKey(r): true, layout.OlderSnapshotsPageKey(r, 1): true, layout.OlderSnapshotsTwinKey(r, 1): true,
		layout.SnapshotPageKey(r, "20261129T021500Z"): true,

		layout.SnapshotKey(r, "20261129T021500Z"): false, layout.InSnapshot(r, "20261129T021500Z", layout.SourcesKey(r, deb)): false,

		layout.PointerKey(catalog.Release{Repository: r, Distribution: deb}):                 false,
		layout.HistoryPrefix(catalog.Release{Repository: odd, Distribution: deb}) + "1.json": false, ".collect/tombstones/p/names/p/index.json": false,
		layout.PreparedPrefix(catalog.Release{Repository: odd, Distribution: deb}) + "index.html": false,
		layout.PointerKey(catalog.Release{Repository: odd, Distribution: deb}):                    false, "p/names/el/9/x86_64/p-1-1.noarch.rpm": false,
		"acme/tools/ubuntu/pool/jammy/main/p/names/names_1_all.deb":                        false,
		layout.HistoryPrefix(catalog.Release{Repository: r, Distribution: deb}) + "1.json": false,
		"acme/tools/ubuntu/pool/jammy/main/h/hello/hello_1_all.deb":                        false,
		layout.GPGKeyKey(r): false, layout.SourcesKey(r, deb): false,
	} {
		if got := matches(allowed, key) && !matches(denied, key); got != want {
			t.Errorf("the role reads %s: %v, want %v", key, got, want)
		}
	}
}
