package ingest

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"time"

	"repomill/ingest/input"
	"repomill/ingest/pgp"
	"repomill/schemas/catalog"
	"repomill/schemas/catalogdb"
	"repomill/schemas/layout"
)

// An admission is the decision that a repository accepts a package.
type admission struct {
	needed *catalogdb.Declaration // what must be declared first; nil if nothing is needed
	terms
}

// terms are the requirements of a repository's settings for a package.
type terms struct {
	verify  catalog.VerifyPayload
	signers *pgp.Ring // keys of which one must have signed it; nil if it need not be signed
	mutable bool      // the same version with other bytes replaces the older ones
}

// authorize checks that the repository accepts packages with this distribution, component and architecture, or, with
// [Ingester.Create], that what it lacks may be declared; nothing is under embargo. The error is a rejection or a fault of the catalog.
func (g *Ingester) authorize(ctx context.Context, k catalog.Package, distro layout.Distro, embargo bool) (adm admission, err error) {
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
	if t, del := s.DeletedTarget(k.Distribution, k.Component); del != nil {
		return adm, catalogdb.DeletedRejection(t, *del)
	}
	adm.verify, adm.mutable = s.VerifyPayload, s.Mutable
	if adm.signers, err = signersOf(s, k.Format); err != nil {
		return adm, err
	}
	ds, has := s.Find(k.Distribution)
	hasComponent := k.Format == catalog.RPM || slices.Contains(ds.Components, k.Component)
	hasArch := arch == "" || slices.Contains(ds.Architectures, arch)
	if g.Create && k.Multilib && distro.I386 && !slices.Contains(ds.Architectures, layout.I386) {
		arch, hasArch = layout.I386, false // 32-bit systems need it, too
	}
	if declared && has && hasComponent && hasArch {
		g.admissions.note(k, arch, adm.terms, now)
		return adm, nil
	}
	if g.Create && !hasArch && !slices.Contains(distro.Architectures, arch) {
		if err := strangeArch(k); err != nil {
			return adm, err
		}
	}
	if g.Create && embargo {
		return adm, input.Reject(catalog.UnknownRepository, "%s does not have all that this package needs (%s), and clients would see that it is added: an upload under embargo adds nothing; declare it with repomill repo create, or repo set, and push again",
			k.Repository, lacking(k, declared, has, hasComponent, arch))
	}
	if g.Create {
		adm.needed = &catalogdb.Declaration{Repository: k.Repository, Distro: distro, Component: k.Component, Arch: arch}
		return adm, nil
	}
	switch {
	case !declared:
		return adm, input.Reject(catalog.UnknownRepository, "repository %s is not declared; create it, or correct the path%s", k.Repository, g.suggestion(ctx, k.Repository))
	case !has:
		return adm, input.Reject(catalog.UnknownDistribution, "repository %s does not have distribution %s; add it to the repository, or correct the path", k.Repository, k.Distribution)
	case !hasComponent:
		return adm, input.Reject(catalog.UnknownComponent, "repository %s does not have component %q in %s; it has %s", k.Repository, k.Component, k.Distribution, strings.Join(ds.Components, ", "))
	default:
		return adm, input.Reject(catalog.UnknownArchitecture, "repository %s does not have architecture %q in %s; it has %s", k.Repository, arch, k.Distribution, strings.Join(ds.Architectures, ", "))
	}
}

// strangeArch returns a rejection if the clients of a format do not know the architecture of a package: that of a typing error would stay
// in the repository, and have an index with all packages for every architecture.
func strangeArch(k catalog.Package) error {
	switch {
	case k.Format == catalog.RPM && !layout.KnownRPMArch(k.Arch):
		return input.Reject(catalog.UnknownArchitecture, "neither rpm nor dnf knows the architecture %q, and an architecture stays in a repository; if systems of yours have it, add it with repomill repo set --arch, and push again", k.Arch)
	case k.Format == catalog.DEB && !layout.KnownDebArch(k.Arch):
		return input.Reject(catalog.UnknownArchitecture, "%q is not an architecture of Debian or its ports, and an architecture stays in a repository; if systems of yours have it, add it with repomill repo set --arch, and push again", k.Arch)
	}
	return nil
}

// lacking says what a repository lacks for a package.
func lacking(k catalog.Package, declared, has, hasComponent bool, arch string) string {
	switch {
	case !declared:
		return "the repository itself"
	case !has:
		return "distribution " + k.Distribution.String()
	case !hasComponent:
		return "component " + k.Component
	}
	return "architecture " + arch
}

// An admissionCache keeps positive admissions for [TermsAge], so that a batch of packages reads the settings once.
// Settings seldom become stricter, and the claim of a package fails if they did. Refusals are not cached. The zero
// value is ready; methods may be called concurrently.
type admissionCache struct {
	mu      sync.Mutex
	entries map[admissionKey]cachedTerms
}

// An admissionKey identifies what an admission is for.
type admissionKey struct {
	repository      catalog.Repository
	distribution    catalog.Distribution
	component, arch string
}

// cachedTerms are the terms of an admission, and when they were read.
type cachedTerms struct {
	at time.Time
	terms
}

// TermsAge is how long packages may be admitted on the terms of replaced settings.
const TermsAge = time.Second

// maxAdmissions bounds the entries of the cache.
const maxAdmissions = 1000

// lookup returns the terms of packages with the place of k and architecture arch, if they were admitted less than
// [TermsAge] ago.
func (c *admissionCache) lookup(k catalog.Package, arch string, now time.Time) (terms, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	s, ok := c.entries[admissionKey{k.Repository, k.Distribution, k.Component, arch}]
	return s.terms, ok && now.Sub(s.at) < TermsAge
}

// note records an admission.
func (c *admissionCache) note(k catalog.Package, arch string, t terms, now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.entries == nil || len(c.entries) >= maxAdmissions {
		c.entries = map[admissionKey]cachedTerms{}
	}
	c.entries[admissionKey{k.Repository, k.Distribution, k.Component, arch}] = cachedTerms{now, t}
}

// A settingsCache keeps settings for [TermsAge], for packages whose directories depend on them: [catalogdb.DB.Activate] finds a directory
// that was added since. The zero value is ready; methods may be called concurrently.
type settingsCache struct {
	mu      sync.Mutex
	entries map[catalog.Repository]cachedSettings
}

type cachedSettings struct {
	at time.Time
	catalog.Settings
}

// recentSettings returns the settings of the repository of package k as they were not longer than [TermsAge] ago, or as they are if they
// had no directory for it: its distribution may be newer, and a package is refused for good. The error wraps [catalogdb.ErrNotFound].
func (g *Ingester) recentSettings(ctx context.Context, k catalog.Package) (catalog.Settings, error) {
	c, now := &g.settings, g.Now()
	c.mu.Lock()
	s, ok := c.entries[k.Repository]
	c.mu.Unlock()
	if ok && now.Sub(s.at) < TermsAge {
		if ds, _ := s.Find(k.Distribution); len(layout.RPMDirs(k, ds.Architectures)) > 0 {
			return s.Settings, nil
		}
	}
	read, err := g.settingsNow(ctx, k)
	if err != nil {
		return read, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.entries == nil || len(c.entries) >= maxAdmissions {
		c.entries = map[catalog.Repository]cachedSettings{}
	}
	c.entries[k.Repository] = cachedSettings{now, read}
	return read, nil
}

// settingsNow returns the settings of the repository of package k as they are.
func (g *Ingester) settingsNow(ctx context.Context, k catalog.Package) (catalog.Settings, error) {
	return g.Catalog.Settings(ctx, k.Repository)
}

// forget has the settings of a repository read again: this process has changed them.
func (c *settingsCache) forget(r catalog.Repository) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.entries, r)
}
