package layout_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"repomill/schemas/catalog"
	"repomill/schemas/layout"
)

var (
	tools = catalog.Repository{Owner: "acme", Name: "tools"}
	jammy = catalog.Release{Repository: tools, Distribution: catalog.Distribution{OS: "ubuntu", Version: "jammy"}}
	el9   = catalog.Release{Repository: tools, Distribution: catalog.Distribution{OS: "el", Version: "9"}, Arch: "x86_64"}
)

func debPackage(name, version, arch string) catalog.Package {
	return catalog.Package{Repository: tools, Distribution: jammy.Distribution, Component: "main", Format: catalog.DEB, Name: name, Version: version, Arch: arch}
}

func rpmPackage(name, version, arch string) catalog.Package {
	return catalog.Package{Repository: tools, Distribution: el9.Distribution, Format: catalog.RPM, Name: name, Version: version, Arch: arch}
}

func TestPoolName(t *testing.T) {
	contrib := debPackage("hello", "1.0", "amd64")
	contrib.Component = "contrib"
	for _, tt := range []struct {
		name string
		p    catalog.Package
		want string
	}{
		{"the prefix is the first letter", debPackage("hello", "2.10-3", "amd64"), "pool/jammy/main/h/hello/hello_2.10-3_amd64.deb"},
		{"the prefix of a library has four letters", debPackage("libc6", "2.35", "amd64"), "pool/jammy/main/libc/libc6/libc6_2.35_amd64.deb"},
		{"the fourth letter may be any", debPackage("lib-x", "1", "all"), "pool/jammy/main/lib-/lib-x/lib-x_1_all.deb"},
		{"lib alone is no library", debPackage("lib", "1", "all"), "pool/jammy/main/l/lib/lib_1_all.deb"},
		{"a name that only starts like lib is no library", debPackage("lia", "1", "all"), "pool/jammy/main/l/lia/lia_1_all.deb"},
		{"the prefix may be a digit", debPackage("0ad", "1", "all"), "pool/jammy/main/0/0ad/0ad_1_all.deb"},
		{"the epoch is not in the file name", debPackage("hello", "1:2.10-3", "amd64"), "pool/jammy/main/h/hello/e1/hello_2.10-3_amd64.deb"},
		{"an epoch of zero is no epoch", debPackage("hello", "0:2.10-3", "amd64"), "pool/jammy/main/h/hello/hello_2.10-3_amd64.deb"},
		{"an epoch has no leading zeros", debPackage("hello", "007:2.10", "amd64"), "pool/jammy/main/h/hello/e7/hello_2.10_amd64.deb"},
		{"a version may have more colons", debPackage("hello", "1:2:3", "amd64"), "pool/jammy/main/h/hello/e1/hello_2:3_amd64.deb"},
		{"a tilde stays", debPackage("hello", "1.0~rc1+b2", "amd64"), "pool/jammy/main/h/hello/hello_1.0~rc1+b2_amd64.deb"},
		{"the component is a folder", contrib, "pool/jammy/contrib/h/hello/hello_1.0_amd64.deb"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := layout.PoolName(tt.p); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
			if got, want := layout.PoolKey(tt.p), layout.OSDir(jammy)+"/"+tt.want; got != want {
				t.Errorf("the key is %q, want %q", got, want)
			}
		})
	}
}

func TestRPMKey(t *testing.T) {
	for _, tt := range []struct {
		name string
		p    catalog.Package
		want string
	}{
		{"name, version, release and architecture", rpmPackage("hello", "2.10-3.el9", "x86_64"), "acme/tools/el/9/x86_64/hello-2.10-3.el9.x86_64.rpm"},
		{"the epoch is a folder", rpmPackage("hello", "1:2.10-3", "x86_64"), "acme/tools/el/9/x86_64/e1/hello-2.10-3.x86_64.rpm"},
		{"the file keeps its own architecture", rpmPackage("hello", "2.10-3", "i686"), "acme/tools/el/9/i386/hello-2.10-3.i686.rpm"},
		{"sources lie in SRPMS", rpmPackage("hello", "2.10-3", "src"), "acme/tools/el/9/SRPMS/hello-2.10-3.src.rpm"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := layout.RPMKey(tt.p, layout.RPMDirOf(tt.p.Arch)); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

func TestRPMDirs(t *testing.T) {
	set := []string{"SRPMS", "aarch64", "x86_64"}
	for _, tt := range []struct {
		arch     string
		multilib bool
		set      []string
		want     []string
	}{
		{"x86_64", false, set, []string{"x86_64"}},
		{"i686", true, set, []string{"x86_64"}},
		{"i686", true, []string{"SRPMS", "aarch64", "i386", "x86_64"}, []string{"i386", "x86_64"}},
		{"noarch", false, []string{"i386", "x86_64"}, []string{"i386", "x86_64"}},
		{"x86_64_v3", false, set, []string{"x86_64"}},
		{"amd64", false, set, []string{"x86_64"}},
		{"i386", false, set, []string{"i386"}},
		{"i586", false, set, []string{"i386"}},
		{"i686", false, set, []string{"i386"}},
		{"athlon", false, set, []string{"i386"}},
		{"armv7hl", false, set, []string{"armhfp"}},
		{"armv7l", false, set, []string{"arm"}},
		{"ppc64le", false, set, []string{"ppc64le"}},
		{"ppc64p7", false, set, []string{"ppc64"}},
		{"riscv64", false, set, []string{"riscv64"}},
		{"src", false, set, []string{"SRPMS"}},
		{"nosrc", false, set, []string{"SRPMS"}},
		{"noarch", false, set, []string{"aarch64", "x86_64"}},
	} {
		t.Run(tt.arch, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, layout.RPMDirs(catalog.Package{Arch: tt.arch, Multilib: tt.multilib}, tt.set)); diff != "" {
				t.Errorf("directories (-want +got):\n%s", diff)
			}
		})
	}
	if got := layout.RPMDirs(catalog.Package{Arch: "noarch"}, []string{"SRPMS"}); len(got) != 0 {
		t.Errorf("noarch is in %q though there is no architecture", got)
	}
}

func TestKeys(t *testing.T) {
	sum := strings.Repeat("0f", 32)
	for _, tt := range []struct{ name, got, want string }{
		{"the pointer of a DEB release", layout.PointerKey(jammy), "acme/tools/ubuntu/dists/jammy/InRelease"},
		{"the pointer of an RPM release", layout.PointerKey(el9), "acme/tools/el/9/x86_64/repodata/repomd.xml"},
		{"the folder of a DEB release", layout.DebDir(jammy), "acme/tools/ubuntu/dists/jammy"},
		{"the base of DEB clients", layout.OSDir(jammy), "acme/tools/ubuntu"},
		{"the base of RPM clients", layout.RPMDir(el9), "acme/tools/el/9/x86_64"},
		{"keys", layout.GPGKeyKey(tools), "acme/tools/gpgkey"},
		{"apt's configuration", layout.SourcesKey(tools, jammy.Distribution), "acme/tools/ubuntu/jammy.sources"},
		{"dnf's configuration", layout.RepoKey(tools, el9.Distribution), "acme/tools/el/9.repo"},
		{"a by-hash copy lies beside the index", layout.ByHashKey("acme/tools/ubuntu/dists/jammy/main/binary-amd64/Packages.gz", sum),
			"acme/tools/ubuntu/dists/jammy/main/binary-amd64/by-hash/SHA256/" + sum},
		{"settings", layout.SettingsKey(tools), ".repomill/acme/tools.json"},
		{"the public half of a key in a KMS", layout.SigningKeyKey(sum), ".repomill/signing-keys/" + sum + ".asc"},
		{"a manifest", layout.ManifestKey(jammy, "7", sum), ".history/acme/tools/ubuntu/jammy/7-" + sum + ".json"},
		{"a verdict", layout.VerdictKey("acme/tools/ubuntu/jammy/hello.deb"), ".results/acme/tools/ubuntu/jammy/hello.deb.json"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if tt.got != tt.want {
				t.Errorf("got %q, want %q", tt.got, tt.want)
			}
		})
	}
}

func TestHidden(t *testing.T) {
	for key, want := range map[string]bool{
		".repomill/acme/tools.json": true, ".results/x": true, "acme/.tools/x": true, "acme/tools/el/9/.hello.rpm.part": true, "..": true, "a/../b": true,
		"acme/tools/gpgkey": false, "acme/tools/el/9.repo": false, "a.b/c.d/e.": false, "": false,
	} {
		if got := layout.Hidden(key); got != want {
			t.Errorf("%q is hidden: %v, want %v", key, got, want)
		}
	}
}
