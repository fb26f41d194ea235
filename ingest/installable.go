package ingest

import (
	"slices"

	"repomill/ingest/deb"
	"repomill/ingest/input"
	"repomill/ingest/rpm"
	"repomill/schemas/catalog"
	"repomill/schemas/layout"
)

// checkInstallable rejects a package that no client of the distribution could install. The readers check what the
// package itself must have for that.
func checkInstallable(k catalog.Package, pkg source, distro layout.Distro) error {
	switch p := pkg.(type) {
	case *deb.Package:
		if distro.NoZstd {
			return p.RefuseZstd(distro.Distribution.String())
		}
	case *rpm.Package:
		return checkInstallableRPM(k, p, distro)
	}
	return nil
}

func checkInstallableRPM(k catalog.Package, p *rpm.Package, distro layout.Distro) error {
	if use := layout.RPMArchOf(k.Arch); use != "" {
		return input.Reject(catalog.UnknownArchitecture, "no RPM client takes packages of the architecture %q; build the package for %s, as RPM calls it", k.Arch, use)
	}
	i386 := distro.Multilib || distro.I386 || slices.Contains(distro.Architectures, "i386")
	if layout.RPMDirOf(k.Arch) == "i386" && !i386 {
		return input.Reject(catalog.UnknownArchitecture, "no system of %s installs packages for 32-bit x86 (%s): the distribution has neither 32-bit systems nor 32-bit libraries for x86_64; build the package for x86_64", distro.Distribution, k.Arch)
	}
	if distro.StrongDigests && p.WeakDigests() {
		return input.Reject(catalog.BadDigest, "%s has rpm 6, which does not install this package: MD5 or SHA-1 alone vouch for its header or its payload; build it again with rpm 4.14 or later", distro.Distribution)
	}
	return p.CheckFeatures(distro.Distribution.String(), distro.RPMLacks)
}
