package layout_test

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	"repomill/schemas/catalog"
	"repomill/schemas/layout"
)

var sum = strings.Repeat("0123456789abcdef", 4)

func TestParseKeepsPublishedKeys(t *testing.T) {
	for _, key := range []string{
		"acme/tools/gpgkey",
		"acme/tools/ubuntu/jammy.sources",
		"acme/tools/el/9.repo",
		"acme/tools/opensuse/15.6.repo",
		"acme/tools/ubuntu/dists/jammy/InRelease",
		"acme/tools/ubuntu/dists/jammy/Release",
		"acme/tools/ubuntu/dists/jammy/Release.gpg",
		"acme/tools/ubuntu/dists/jammy/main/binary-amd64/Packages.gz",
		"acme/tools/ubuntu/dists/jammy/main/binary-all/Packages.gz",
		"acme/tools/ubuntu/dists/jammy/main/binary-amd64/Release",
		"acme/tools/ubuntu/dists/jammy/main/binary-amd64/by-hash/SHA256/" + sum,
		"acme/tools/ubuntu/dists/jammy/main/source/Sources.gz",
		"acme/tools/ubuntu/dists/jammy/main/source/by-hash/SHA256/" + sum,
		"acme/tools/ubuntu/dists/jammy/main/i18n/Translation-en",
		"acme/tools/ubuntu/dists/jammy/main/Contents-amd64.gz",
		"acme/tools/ubuntu/pool/jammy/main/h/hello/hello_2.10-3_amd64.deb",
		"acme/tools/ubuntu/pool/jammy/main/h/hello/e1/hello_2.10-3_amd64.deb",
		"acme/tools/ubuntu/pool/jammy/main/libc/libc6/libc6_2.35~rc1+b2_amd64.deb",
		"acme/tools/ubuntu/pool/jammy/main/h/hello/e1/hello_2:3_amd64.deb",
		"acme/tools/any/dists/any/InRelease",
		"acme/tools/any/pool/any/main/h/hello/hello_1_all.deb",
		"acme/tools/el/9/x86_64/hello-2.10-3.el9.x86_64.rpm",
		"acme/tools/el/9/x86_64/e1/hello-2.10-3.el9.x86_64.rpm",
		"acme/tools/el/9/x86_64/hello-1~rc1^git1-1.x86_64.rpm",
		"acme/tools/el/9/x86_64/_hello-1-1.x86_64.rpm",
		"acme/tools/el/9/SRPMS/hello-2.10-3.el9.src.rpm",
		"acme/tools/el/9/x86_64/repodata/repomd.xml",
		"acme/tools/el/9/x86_64/repodata/repomd.xml.asc",
		"acme/tools/el/9/x86_64/repodata/repomd.xml.key",
		"acme/tools/el/9/x86_64/repodata/" + sum + "-primary.xml.gz",
		"acme/tools/rpm_any/rpm_any/x86_64/repodata/repomd.xml",
		layout.ScriptKey(tools, catalog.DEB), layout.ScriptKey(tools, catalog.RPM),
		layout.GPGKeyURLKey(tools, catalog.DEB), layout.GPGKeyURLKey(tools, catalog.RPM),
		layout.ConfigFileKey(tools, distribution("ubuntu/jammy"), catalog.DEB), layout.ConfigFileKey(tools, distribution("el/9"), catalog.RPM),
		layout.BaseURLKey(tools, distribution("sles/15.5")), layout.BaseURLKey(tools, distribution("acmeos/3")),
	} {
		ref, ok := layout.Parse(key)
		if want := (layout.Ref{Repository: tools, Key: key}); !ok || ref != want {
			t.Errorf("%s: got %+v, %v; want %+v", key, ref, ok, want)
		}
	}
}

// Other spellings of paths, from a file that the test of the CDN's function reads as well (serve/CONTRACT.md, "Paths").
func TestParseSpellings(t *testing.T) {
	body, err := os.ReadFile("testdata/spellings.json")
	if err != nil {
		t.Fatal(err)
	}
	var cases []struct{ Name, Path, Key string }
	if err := json.Unmarshal(body, &cases); err != nil || len(cases) == 0 {
		t.Fatalf("%d cases, %v", len(cases), err)
	}
	for _, tt := range cases {
		t.Run(tt.Name, func(t *testing.T) {
			ref, ok := layout.Parse(tt.Path)
			if !ok || ref.Key != tt.Key {
				t.Errorf("got %+v, %v; want the key %s", ref, ok, tt.Key)
			}
		})
	}
}

// Keys lie outside of every repository, where a reader learns of none.
func TestParseSharedKeys(t *testing.T) {
	for path, want := range map[string]string{
		"gpg.key":                 layout.InstanceKeyKey,
		"gpgkey/gpg.key":          layout.InstanceKeyKey,
		"gpgkey/3D645A26AB9FBD22": layout.SharedKeyKey("3D645A26AB9FBD22"),
	} {
		if ref, ok := layout.Parse(path); !ok || ref != (layout.Ref{Key: want}) {
			t.Errorf("%s: got %+v, %v; want the key %s of no repository", path, ref, ok, want)
		}
	}
}

func TestRefIsKey(t *testing.T) {
	for path, want := range map[string]bool{
		"acme/tools/gpgkey": true,
		"acme/tools/gpgkey/acme-tools-3D645A26AB9FBD22.pub.gpg":  true,
		"acme/tools/gpgkeys/acme-tools-3D645A26AB9FBD22.pub.gpg": true,
		"acme/tools/el/9.repo":                           false,
		"acme/tools/el/9/x86_64/repodata/repomd.xml.key": false,
		"acme/tools/ubuntu/dists/jammy/InRelease":        false,
	} {
		ref, ok := layout.Parse(path)
		if !ok || ref.IsKey() != want {
			t.Errorf("%s: got %v, %v; want %v", path, ref.IsKey(), ok, want)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	for _, tt := range []struct{ name, path string }{
		{"a leading slash", "/acme/tools/gpgkey"},
		{"a trailing slash", "acme/tools/gpgkey/"},
		{"a doubled slash", "acme/tools//gpgkey"},
		{"a folder", "acme/tools/ubuntu/dists/jammy"},
		{"capitals", "Acme/tools/gpgkey"},
		{"a reserved owner", "api/tools/gpgkey"},
		{"an install script of another kind", "install/repositories/acme/tools/script.gem.sh"},
		{"an install script of a reserved owner", "install/repositories/api/tools/script.deb.sh"},
		{"something below an install script", "install/repositories/acme/tools/script.deb.sh/gpgkey"},
		{"a repository of the reserved owner of install scripts", "install/tools/gpgkey"},
		{"a configuration without a distribution", "install/repositories/acme/tools/config_file.list"},
		{"a configuration for half of a distribution", "install/repositories/acme/tools/ubuntu/config_file.list"},
		{"a configuration for a system without a name", "install/repositories/acme/tools//8/config_file.repo"},
		{"a configuration for capitals", "install/repositories/acme/tools/Ubuntu/jammy/config_file.list"},
		{"a configuration for a folder of every repository", "install/repositories/acme/tools/ubuntu/dists/config_file.list"},
		{"a configuration for traversal", "install/repositories/acme/tools/ubuntu/../config_file.list"},
		{"traversal to an install script", "install/repositories/acme/../acme/tools/script.deb.sh"},
		{"a token of the API", "install/repositories/acme/tools/tokens.text"},
		{"a package key of no owner", "gpgkey//3D645A26AB9FBD22.pub.gpg"},
		{"a package key of an owner without its ending", "gpgkey/acme/3D645A26AB9FBD22"},
		{"the instance's key as owner", "gpg.key/tools/gpgkey"},
		{"a folder of keys", "gpgkey"},
		{"the name of a key", "gpgkey/acme"},
		{"a short key ID", "gpgkey/AB9FBD22"},
		{"a key ID in small letters", "gpgkey/3d645a26ab9fbd22"},
		{"something below a key", "gpgkey/3D645A26AB9FBD22/gpgkey"},
		{"something below the instance's key", "gpg.key/gpgkey"},
		{"a reserved os", "acme/tools/packages/jammy/x86_64/hello.rpm"},
		{"settings", ".repomill/acme/tools.json"},
		{"a manifest", ".history/acme/tools/ubuntu/jammy/1-" + sum + ".json"},
		{"a verdict", ".results/acme/tools/ubuntu/jammy/hello.deb.json"},
		{"a hidden folder", "acme/tools/el/9/x86_64/.tmp/hello.rpm"},
		{"a hidden file", "acme/tools/el/9/x86_64/.hello.rpm"},
		{"traversal in front", "../acme/tools/gpgkey"},
		{"traversal in the middle", "acme/tools/el/../el/9/x86_64/hello.rpm"},
		{"traversal at the end", "acme/tools/el/9/x86_64/.."},
		{"traversal for other systems", `acme/tools/el/9/x86_64/..\hello.rpm`},
		{"a dot", "acme/tools/./gpgkey"},
		{"a NUL", "acme/tools/gpgkey\x00"},
		{"a newline", "acme/tools/gpgkey\n"},
		{"a blank", "acme/tools/el/9/x86_64/hello world.rpm"},
		{"percent-encoding", "acme/tools/el/9/x86_64/hello%2f.rpm"},
		{"a query", "acme/tools/gpgkey?x=1"},
		{"letters beyond ASCII", "acme/tools/el/9/x86_64/héllo.rpm"},
		{"bytes that are no text", "acme/tools/el/9/x86_64/\xff.rpm"},
		{"a long path", "acme/tools/el/9/x86_64/" + strings.Repeat("a", 1000) + ".rpm"},
		{"an unknown file of a release", "acme/tools/ubuntu/dists/jammy/Release.asc"},
		{"an unknown folder of a component", "acme/tools/ubuntu/dists/jammy/main/udeb/Packages.gz"},
		{"a digest of another kind", "acme/tools/ubuntu/dists/jammy/main/binary-amd64/by-hash/MD5Sum/" + sum[:32]},
		{"a digest in capitals", "acme/tools/ubuntu/dists/jammy/main/binary-amd64/by-hash/SHA256/" + strings.ToUpper(sum)},
		{"a short digest", "acme/tools/ubuntu/dists/jammy/main/binary-amd64/by-hash/SHA256/" + sum[1:]},
		{"a pool without a codename", "acme/tools/ubuntu/pool/main/h/hello/hello_1_all.deb"},
		{"a prefix of another package", "acme/tools/ubuntu/pool/jammy/main/x/hello/hello_1_all.deb"},
		{"an epoch of zero", "acme/tools/ubuntu/pool/jammy/main/h/hello/e0/hello_1_all.deb"},
		{"an epoch with zeros", "acme/tools/ubuntu/pool/jammy/main/h/hello/e01/hello_1_all.deb"},
		{"two epochs", "acme/tools/ubuntu/pool/jammy/main/h/hello/e1/e1/hello_1_all.deb"},
		{"an rpm in the pool", "acme/tools/ubuntu/pool/jammy/main/h/hello/hello.rpm"},
		{"a deb among rpms", "acme/tools/el/9/x86_64/hello_1_all.deb"},
		{"an rpm without an architecture", "acme/tools/el/9/hello.rpm"},
		{"an rpm in a folder", "acme/tools/el/9/x86_64/h/hello.rpm"},
		{"a configuration of another kind", "acme/tools/el/9.list"},
		{"a configuration without a version", "acme/tools/el/.repo"},
		{"the base of one codename with the suite of another", "acme/tools/ubuntu/jammy/dists/noble/InRelease"},
		{"the base of one codename with the pool of another", "acme/tools/ubuntu/jammy/pool/noble/main/h/hello/hello_1_all.deb"},
		{"the base of a folder", "acme/tools/ubuntu/dists/dists/jammy/InRelease"},
		{"a folder of DEB repositories as architecture", "acme/tools/el/9/pool/hello.rpm"},
		{"the codename twice", "acme/tools/ubuntu/jammy/jammy/dists/jammy/InRelease"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if ref, ok := layout.Parse(tt.path); ok {
				t.Errorf("got %+v", ref)
			}
		})
	}
}

// Any package whose parts are valid has a key that Parse keeps, and so has everything beside it.
func FuzzLayout(f *testing.F) {
	f.Add("acme", "tools", "ubuntu", "jammy", "main", "hello", "1:2.10-3", "amd64", "acme/tools/ubuntu/jammy/pool/main/h/hello/hello_1_all.deb")
	f.Add("acme", "tools", "el", "9", "main", "libx", "2.10-3.el9", "noarch", "acme/tools/el/9/x86_64/repodata/repomd.xml")
	f.Add("a", "b", "dists", "1", "pool", "lib", "0:1", "src", "a/b/dists/dists/1/InRelease")
	f.Add("a", "b", "pool", "pool", "by-hash", "e1", "e1", "pool", "a/b/pool/jammy/pool/jammy/h/hello/e1/e1.deb")
	f.Add("a", "b", "os", "e1", "e1", "repodata", "1:1", "repodata", "a/b/os/x/pool/x/main/e1/e1/e1/e1.deb")
	f.Add("a", "b", "os", "1", "c", "x", "1", "dists", "a/b/os/1/dists/1/x.rpm")
	f.Add("a", "b", "os", "1", "c", "x.json", "1:2", "a", "a/b/p/x.json/1:2:3/")
	f.Add("a", "b", "os", "1", "c", "x", "1-.5", "a", "a/b/packages/el/9/x-.5-1.noarch.rpm")
	f.Add("a", "b", "os", "1", "c", "p", "names", "a", "a/b/names/0/.html")
	f.Add("a", "b", "os", "1", "c", "p", "names", "a", "app/a/b/search")
	f.Add("a", "b", "os", "1", "c", "p", "names", "a", "a/b/status")
	f.Fuzz(func(t *testing.T, owner, name, os, version, component, pkg, pkgVersion, arch, path string) {
		if ref, ok := layout.Parse(path); ok {
			again, ok := layout.Parse(ref.Key)
			if ref.File = ""; ref.MovedTo == "" && (!ok || again != ref) {
				t.Errorf("%q is %+v, then %+v, %v", path, ref, again, ok)
			}
			if layout.Hidden(ref.Key) || layout.Hidden("/"+ref.MovedTo) {
				t.Errorf("%q leads to %+v", path, ref)
			}
			if inside := strings.Contains("/"+ref.Key+ref.MovedTo, "/"+ref.Repository.String()+"/"); ref.Repository != (catalog.Repository{}) && !inside {
				t.Errorf("%q leads out of its repository: %+v", path, ref)
			}
			if ref.IsPage() && ref.MovedTo == "" && !strings.Contains(".html .json .atom .css .js .svg .png .ico", ref.Key[strings.LastIndex(ref.Key, "."):]) {
				t.Errorf("%q is answered with bytes of %+v", path, ref)
			}
			if to := ref.MovedTo; to != "" && !strings.HasPrefix(to, "api/") {
				if next, ok := layout.Parse(to); !ok || next.MovedTo != "" || next.Repository != ref.Repository {
					t.Errorf("%q is moved to %q, which is %+v, %v", path, to, next, ok)
				}
			}
		}
		for _, key := range built(owner, name, os, version, component, pkg, pkgVersion, arch) {
			if ref, ok := layout.Parse(key); !ok || ref.Key != key {
				t.Errorf("%q: got %+v, %v", key, ref, ok)
			}
		}
	})
}

// built returns the published keys of a package with these parts, or none if a part is not valid.
func built(owner, name, os, version, component, pkg, pkgVersion, arch string) []string {
	staged, rej := layout.ParseStaging(strings.Join([]string{owner, name, os, version, component, "f"}, "/"))
	if rej != nil || !layout.ValidArch(arch) || !plain(pkg) || !plain(pkgVersion) || len(pkg)+len(pkgVersion) > 200 {
		return nil
	}
	k := catalog.Package{Repository: staged.Repository, Distribution: staged.Distribution, Component: component, Name: pkg, Version: pkgVersion, Arch: arch}
	deb := catalog.Release{Repository: k.Repository, Distribution: k.Distribution}
	rpm := deb
	rpm.Arch = layout.RPMDirOf(arch)
	packages := layout.DebDir(deb) + "/" + component + "/binary-" + arch + "/Packages.gz"
	sources := layout.DebDir(deb) + "/" + component + "/source/Sources.gz"
	return []string{
		layout.PoolKey(k), layout.RPMKey(k, rpm.Arch), layout.PointerKey(deb), layout.PointerKey(rpm), layout.PointerKey(rpm) + ".asc",
		packages, sources, layout.ByHashKey(packages, sum), layout.ByHashKey(sources, sum), layout.DebDir(deb) + "/Release.gpg",
		layout.GPGKeyKey(k.Repository), layout.SourcesKey(k.Repository, k.Distribution), layout.RepoKey(k.Repository, k.Distribution),
		layout.NamePageKey(k.Repository, pkg), layout.NameTwinKey(k.Repository, pkg), layout.VersionPageKey(k.Repository, pkg, pkgVersion),
		layout.FilesPageKey(k.Repository, pkg, sum), layout.NamesPageKey(k.Repository, 0, pkg), layout.NamesTwinKey(k.Repository, 1, pkg),
		layout.OlderPageKey(k.Repository, pkg, 7), layout.OlderTwinKey(k.Repository, pkg, 7), layout.NameFeedKey(k.Repository, pkg),
	}
}

// plain reports whether s is made of what the readers let into names and versions of packages, with
// at most an epoch of one digit.
func plain(s string) bool {
	if epoch, rest, ok := strings.Cut(s, ":"); ok {
		if len(epoch) != 1 || epoch[0] < '0' || epoch[0] > '9' {
			return false
		}
		s = rest
	}
	const first = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
	return s != "" && strings.Contains(first, s[:1]) && strings.Trim(s, first+"._+~^-") == ""
}
