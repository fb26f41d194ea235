package layout

import (
	"slices"
	"strings"

	"repomill/schemas/catalog"
)

// downloads is the segment of packagecloud's pages of packages, below a repository. It is a reserved os.
const downloads = "packages"

// download takes the segments below owner/name of a direct download, and returns those of the package that it names:
//
//	packages/ubuntu/jammy/hello_2.10-3_amd64.deb/download is ubuntu/pool/jammy/main/h/hello/hello_2.10-3_amd64.deb
//	packages/el/9/hello-2.10-3.el9.x86_64.rpm/download.rpm is el/9/x86_64/hello-2.10-3.el9.x86_64.rpm
//
// The name of a file has neither component nor epoch: a package in another component than main, or with an epoch that is
// not zero, is not found so.
func download(p []string) (rest []string, file string, ok bool) {
	if len(p) != 5 || p[0] != downloads {
		return nil, "", false
	}
	d, file := defaultTable().System(p[1], p[2]), p[3]
	stem, kind := cutLast(file, ".")
	if p[4] != "download" && p[4] != "download."+kind {
		return nil, "", false
	}
	switch kind {
	case "deb":
		name, more, cut := strings.Cut(stem, "_")
		if !cut || name == "" || strings.Count(more, "_") != 1 {
			return nil, "", false
		}
		return []string{d.OS, "pool", d.Version, DefaultComponent, poolPrefix(name), name, file}, file, true
	case "rpm":
		plain, _ := CutVariant(file)
		_, arch := cutLast(strings.TrimSuffix(plain, ".rpm"), ".")
		return []string{d.OS, d.Version, downloadDir(d, arch), file}, file, arch != ""
	}
	return nil, "", false
}

// downloadDir returns a directory of an RPM distribution that has the packages of an architecture: of those that are in
// several, that of most systems.
func downloadDir(d catalog.Distribution, arch string) string {
	if arch == Noarch {
		return X86
	}
	dir := RPMDirOf(arch)
	if distro, rej := defaultTable().Lookup(d); rej == nil && distro.Multilib && dir == I386 {
		return X86
	}
	return dir
}

// Misplaced reports whether a path is one of a pool without a codename, below the base URL of all distributions of an os:
// owner/name/os/pool/component/p/name/[e<epoch>/]file. Which package it names only a distribution says, in the
// codename's place: of ref, that segment is [Codename].
func Misplaced(path string) (ref Ref, ok bool) {
	p := strings.Split(path, "/")
	if len(p) < 8 || len(path) > MaxStagingKey || !plainSegments(p) || p[3] != "pool" {
		return Ref{}, false
	}
	r := catalog.Repository{Owner: p[0], Name: p[1]}
	if CheckRepository(r) != nil || !published(slices.Concat(p[2:4], []string{"x"}, p[4:])) {
		return Ref{}, false
	}
	return Ref{Repository: r, Key: strings.Join(slices.Insert(p, 4, Codename), "/")}, true
}

// Codename takes the place of a distribution in what [Misplaced] returns.
const Codename = "CODENAME"
