package layout

import "slices"

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
