package layout

import (
	"slices"
	"strings"
)

// debArches are the architectures of Debian and its ports, past and present, with the names of dpkg (cputable and tupletable of
// dpkg 1.22), and lpia of Ubuntu. Those of other systems and C libraries, such as musl-linux-amd64, are not among them: there are
// hundreds, and few are used.
var debArches = []string{
	"alpha", "amd64", "arc", "arm", "arm64", "arm64ilp32", "armeb", "armel", "armhf", "avr32", "hppa", "hurd-amd64", "hurd-i386", "i386", "ia64",
	"kfreebsd-amd64", "kfreebsd-i386", "loong64", "lpia", "m32r", "m68k", "mips", "mips64", "mips64el", "mips64r6", "mips64r6el", "mipsel", "mipsn32",
	"mipsn32el", "mipsr6", "mipsr6el", "nios2", "or1k", "powerpc", "powerpcspe", "ppc64", "ppc64el", "riscv64", "s390", "s390x", "sh3", "sh4",
	"sh4eb", "sparc", "sparc64", "tilegx", "x32",
}

// KnownDebArch reports whether an architecture is one of Debian or its ports. It does not hold for "all".
func KnownDebArch(arch string) bool { return slices.Contains(debArches, arch) }

// DebArchOf returns Debian's name of an architecture that others call so, such as amd64 for "x64"; "" if there is none.
func DebArchOf(arch string) string {
	switch strings.ReplaceAll(strings.ToLower(arch), "_", "-") {
	case "x86-64", "x64", "ia32e":
		return "amd64"
	case "i486", "i586", "i686", "i786", "x86":
		return "i386"
	case "aarch64", "armv8":
		return "arm64"
	case "armv7", "armv7l", "armv7hl":
		return "armhf"
	case "armv5", "armv5tel", "armv6":
		return "armel"
	case "ppc64le":
		return "ppc64el"
	case "loongarch64":
		return "loong64"
	case "noarch", "any":
		return "all"
	}
	return ""
}
