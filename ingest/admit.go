package ingest

import (
	"context"
	"errors"
	"slices"
	"strings"

	"repomill/ingest/input"
	"repomill/ingest/pgp"
	"repomill/schemas/catalog"
	"repomill/schemas/catalogdb"
	"repomill/schemas/layout"
)

// An admission is how a repository takes a package.
type admission struct {
	missing *catalogdb.Declaration // what has to be declared first; nil for nothing
	terms
}

// terms are what the settings of a repository ask of a package.
type terms struct {
	verify  catalog.VerifyPayload
	signers *pgp.Ring // one of these has signed it; nil: it need not be signed
}

// admit makes sure that the repository takes packages of this distribution, component and architecture, or
// may be made to.
func (g *Ingester) admit(ctx context.Context, k catalog.Package, distro layout.Distro) (adm admission, err error) {
	arch := layout.OfferedArch(k)
	if k.Format == catalog.RPM && (arch == k.Arch && arch == layout.SRPMS || arch == "repodata") {
		return adm, input.Reject(catalog.BadField, "architecture %q is the name of a folder of every RPM repository; build the package for a real one", k.Arch)
	}
	now := g.Now()
	if t, ok := g.admissions.lookup(k, arch, now); ok {
		return admission{terms: t}, nil
	}
	s, err := g.Catalog.Settings(ctx, k.Repository)
	if err != nil && !errors.Is(err, catalogdb.ErrNotFound) {
		return adm, err
	}
	declared := err == nil
	adm.verify = s.VerifyPayload
	if adm.signers, err = signersOf(s, k.Format); err != nil {
		return adm, err
	}
	ds, has := s.Find(k.Distribution)
	hasComponent := k.Format == catalog.RPM || slices.Contains(ds.Components, k.Component)
	hasArch := arch == "" || slices.Contains(ds.Architectures, arch)
	if g.Create && k.Multilib && distro.I386 && !slices.Contains(ds.Architectures, layout.I386) {
		arch, hasArch = layout.I386, false // systems of 32-bit x86 want it, too
	}
	if declared && has && hasComponent && hasArch {
		g.admissions.note(k, arch, adm.terms, now)
		return adm, nil
	}
	if g.Create && k.Format == catalog.RPM && !hasArch && !layout.KnownRPMArch(k.Arch) {
		return adm, input.Reject(catalog.UnknownArchitecture, "neither rpm nor dnf knows the architecture %q, and an architecture stays in a repository; if systems of yours have it, add it with repomill repo set --arch, and push again", k.Arch)
	}
	if g.Create {
		adm.missing = &catalogdb.Declaration{Repository: k.Repository, Distro: distro, Component: k.Component, Arch: arch}
		return adm, nil
	}
	switch {
	case !declared:
		return adm, input.Reject(catalog.UnknownRepository, "repository %s is not declared; create it, or correct the path%s", k.Repository, g.nearest(ctx, k.Repository))
	case !has:
		return adm, input.Reject(catalog.UnknownDistribution, "repository %s does not have distribution %s; add it to the repository, or correct the path", k.Repository, k.Distribution)
	case !hasComponent:
		return adm, input.Reject(catalog.UnknownComponent, "repository %s does not have component %q in %s; it has %s", k.Repository, k.Component, k.Distribution, strings.Join(ds.Components, ", "))
	default:
		return adm, input.Reject(catalog.UnknownArchitecture, "repository %s does not have architecture %q in %s; it has %s", k.Repository, arch, k.Distribution, strings.Join(ds.Architectures, ", "))
	}
}
