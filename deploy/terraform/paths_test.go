package terraform_test

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"repomill/schemas/catalog"
	"repomill/schemas/layout"
)

var quoted = regexp.MustCompile(`"([^"]*)"`)

// immutablePatterns returns the path patterns of the module cdn that fail over.
func immutablePatterns(t *testing.T) (patterns []string) {
	t.Helper()
	body, err := os.ReadFile("modules/cdn/main.tf")
	if err != nil {
		t.Fatal(err)
	}
	_, list, ok := strings.Cut(string(body), "  immutable = [\n")
	list, _, ends := strings.Cut(list, "  ]\n")
	if !ok || !ends {
		t.Fatal("modules/cdn/main.tf has no list immutable")
	}
	for _, m := range quoted.FindAllStringSubmatch(list, -1) {
		patterns = append(patterns, strings.ReplaceAll(m[1], "${local.digest}", strings.Repeat("?", 64)))
	}
	return patterns
}

// matches reports whether a path has one of CloudFront's patterns: "*" is any text, with slashes, and "?" one character.
func matches(patterns []string, path string) bool {
	for _, p := range patterns {
		re := strings.NewReplacer(`\*`, ".*", `\?`, ".").Replace(regexp.QuoteMeta(p))
		if regexp.MustCompile("^/?" + re + "$").MatchString(path) {
			return true
		}
	}
	return false
}

// What never changes under its name fails over, and nothing else: an older pointer is a fault that clients see.
func TestImmutablePathsFailOver(t *testing.T) {
	patterns := immutablePatterns(t)
	sum := strings.Repeat("0123456789abcdef", 4)
	for _, name := range []string{"acme/tools", "pool/pool", "acme/by-hash", "repodata/repodata", "acme/x.deb", "acme/x.rpm"} { // which an owner may choose
		owner, repository, _ := strings.Cut(name, "/")
		r := catalog.Repository{Owner: owner, Name: repository}
		if err := layout.CheckRepository(r); err != nil {
			t.Fatal(err)
		}
		deb := layout.DebDir(catalog.Release{Repository: r, Distribution: catalog.Distribution{OS: "ubuntu", Version: "jammy"}})
		rpm := layout.RPMDir(catalog.Release{Repository: r, Distribution: catalog.Distribution{OS: "el", Version: "9"}, Arch: "x86_64"})
		for key, want := range map[string]bool{
			deb + "/InRelease": false, deb + "/Release": false, deb + "/Release.gpg": false,
			deb + "/main/binary-amd64/Packages.gz": false, deb + "/main/Contents-amd64.gz": false,
			layout.ByHashKey(deb+"/main/binary-amd64/Packages.gz", sum): true,
			name + "/ubuntu/pool/jammy/main/h/hello/hello_1_all.deb":    true,
			name + "/ubuntu/jammy/pool/main/h/hello/hello_1_all.deb":    true, // as the function gets it
			name + "/ubuntu/jammy/dists/jammy/InRelease":                false,
			rpm + "/hello-1-1.x86_64.rpm":                               true, rpm + "/e1/hello-1-1.x86_64.rpm": true,
			rpm + "/repodata/repomd.xml": false, rpm + "/repodata/repomd.xml.asc": false, rpm + "/repodata/repomd.xml.key": false,
			rpm + "/repodata/" + sum + "-primary.xml.gz": true,
			name + "/ubuntu/jammy.sources":               false, name + "/el/9.repo": false,
			layout.GPGKeyKey(r): false, layout.PackageKeyKey(r, "3D645A26AB9FBD22"): false,
			layout.ScriptKey(r, catalog.DEB): false, layout.InstanceKeyKey: false,
		} {
			if got := matches(patterns, "/"+key); got != want {
				t.Errorf("%s: fails over: %v, want %v", key, got, want)
			}
			if cache := layout.ObjectOf(key).CacheControl; want && !strings.Contains(cache, "immutable") {
				t.Errorf("%s is served with %q, and fails over", key, cache)
			}
		}
	}
	t.Run("a pattern for a pool's folder is found", func(t *testing.T) {
		if !matches([]string{"*/pool/*"}, "/pool/pool/ubuntu/dists/jammy/InRelease") {
			t.Error("a pointer of a repository that is called pool does not match it")
		}
	})
}
