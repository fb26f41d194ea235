package client

import (
	"fmt"
	"strconv"
	"strings"

	"repomill/schemas/catalog"
	"repomill/schemas/layout"
)

// noteUnsigned counts the packages without a signature for systems that have rpm 6, or may get it in a later version.
func (v *verifier) noteUnsigned(k catalog.Package, distro layout.Distro) {
	if k.Format == catalog.RPM && k.Signer == "" && maybeRPM6(distro) {
		v.unsigned++
	}
}

// maybeRPM6 reports whether systems of a distribution have rpm 6, or may have it: of SUSE, those since 16 and Tumbleweed.
func maybeRPM6(d layout.Distro) bool {
	major, _, _ := strings.Cut(d.Distribution.Version, ".")
	n, err := strconv.Atoi(major)
	return d.StrongDigests || d.Client == layout.Zypper && (err != nil || n >= 16)
}

// warnOfUnsigned prints one warning for all packages without a signature.
func (v *verifier) warnOfUnsigned(io Stdio) {
	if v.unsigned > 0 {
		fmt.Fprintf(io.Err, "warning: RPM packages without a signature: %d. Clients with rpm 6 refuse them, zypper even where the .repo file has gpgcheck=0; sign them with rpmsign --addsign, and register the key with repomill repo set --package-key\n", v.unsigned)
	}
}
