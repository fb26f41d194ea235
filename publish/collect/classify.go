package collect

import (
	"regexp"
	"strings"

	"repomill/publish/tree"
	"repomill/schemas/catalog"
	"repomill/schemas/layout"
)

// indexName matches the names of RPM indexes, which contain their digest.
var indexName = regexp.MustCompile(`^[0-9a-f]{64}-[a-z]+\.xml\.gz$`)

// indexOf returns the release of an index, a manifest, a part of a list of withdrawn packages or a prepared index file by
// its key. It reports false for packages and for keys of unknown kind.
func (s *repositorySweep) indexOf(key string) (r catalog.Release, ok bool) {
	if layout.Hidden(key) {
		for r := range s.releases {
			if _, ok := tree.PointerOf(r, key); ok || tree.IsWithdrawnKey(r, key) || strings.HasPrefix(key, layout.PreparedPrefix(r)) {
				return r, true
			}
		}
		return r, false
	}
	p := strings.Split(key, "/")
	if r, ok = s.releaseOf(p); !ok {
		return r, false
	}
	if r.Arch == "" { // owner/name/os/dists/jammy/main/binary-amd64/by-hash/SHA256/<hex>
		return r, len(p) == 10 && p[3] == "dists" && p[7] == "by-hash"
	}
	return r, len(p) == 7 && p[5] == "repodata" && indexName.MatchString(p[6])
}

// releaseOf returns the release in whose folder a key lies. p has the segments of the key.
func (s *repositorySweep) releaseOf(p []string) (r catalog.Release, ok bool) {
	if len(p) < 6 {
		return r, false
	}
	r.Repository = catalog.Repository{Owner: p[0], Name: p[1]}
	r.Distribution = catalog.Distribution{OS: p[2], Version: p[3]}
	r.Arch = p[4]
	if p[3] == "dists" || p[3] == "pool" {
		r.Distribution.Version, r.Arch = p[4], ""
	}
	return r, s.releases[r]
}

// packageOf returns the identity of the package whose file lies under a key. It reports false for a key that
// ingest does not give to packages.
func (s *repositorySweep) packageOf(key string) (k catalog.Package, ok bool) {
	p := strings.Split(key, "/")
	r, ok := s.releaseOf(p)
	if !ok {
		return k, false
	}
	format, name, version, arch := catalog.DEB, "", "", ""
	file, variant := layout.CutVariant(p[len(p)-1])
	epoch := ""
	if e, isEpoch := strings.CutPrefix(p[len(p)-2], "e"); isEpoch && strings.Trim(e, "0123456789") == "" && e != "" {
		epoch = e + ":"
	}
	if r.Arch == "" {
		name, version, arch = debName(file)
	} else {
		format = catalog.RPM
		name, version, arch = rpmName(file)
	}
	k, err := s.collector.rows.Identity(format, name, epoch+version, arch)
	if err != nil {
		return k, false
	}
	k.Repository, k.Distribution, k.Variant = r.Repository, r.Distribution, variant
	if format == catalog.DEB {
		k.Component = p[5]
	}
	k.Multilib = format == catalog.RPM && r.Arch == layout.X86 && layout.RPMDirOf(arch) == layout.I386
	return k, tree.IsKeyOf(key, k)
}

// debName splits "name_version_arch.deb" from its end: a name may contain underscores.
func debName(file string) (name, version, arch string) {
	rest, arch := cutLast(strings.TrimSuffix(file, ".deb"), "_")
	name, version = cutLast(rest, "_")
	return name, version, arch
}

// rpmName splits "name-version-release.arch.rpm" from its end: a name may contain dots and hyphens.
func rpmName(file string) (name, version, arch string) {
	rest, arch := cutLast(strings.TrimSuffix(file, ".rpm"), ".")
	rest, release := cutLast(rest, "-")
	name, version = cutLast(rest, "-")
	return name, version + "-" + release, arch
}

// cutLast cuts s around the last sep; without one, there is nothing before it.
func cutLast(s, sep string) (before, after string) {
	i := strings.LastIndex(s, sep)
	return s[:max(i, 0)], s[i+1:]
}
