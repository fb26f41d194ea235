package layout_test

import (
	"testing"

	"repomill/schemas/layout"
)

func TestRPMArchOf(t *testing.T) {
	for arch, want := range map[string]string{
		"amd64": "x86_64", "x64": "x86_64", "X86_64": "x86_64", "x86-64": "x86_64", "ia32e": "x86_64",
		"arm64": "aarch64", "armhf": "armv7hl", "x86": "i686", "i786": "i686", "all": "noarch", "any": "noarch",
		"ppc64el": "ppc64le", "source": "src", "loong64": "loongarch64",
		"x86_64": "", "x86_64_v3": "", "aarch64": "", "i386": "", "noarch": "", "src": "", "riscv64": "", "vax": "", "": "",
	} {
		if got := layout.RPMArchOf(arch); got != want {
			t.Errorf("%q: got %q, want %q", arch, got, want)
		}
	}
}

func TestKnownDebArch(t *testing.T) {
	for arch, want := range map[string]bool{"amd64": true, "loong64": true, "hurd-i386": true, "lpia": true, "x86_64": false, "x000q": false, "all": false, "any": false, "": false} {
		if got := layout.KnownDebArch(arch); got != want {
			t.Errorf("%q: got %t, want %t", arch, got, want)
		}
	}
}

func TestKnownRPMArch(t *testing.T) {
	for arch, want := range map[string]bool{"x86_64": true, "s390x": true, "noarch": true, "amd64": false, "vax": false, "": false} {
		if got := layout.KnownRPMArch(arch); got != want {
			t.Errorf("%q: got %t, want %t", arch, got, want)
		}
	}
}
