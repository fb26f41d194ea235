package soak_test

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"strings"

	"repomill/schemas/catalog"
	"repomill/schemas/layout"
	"repomill/testdata/debtest"
	"repomill/testdata/rpmtest"
)

// make returns a new identity, and a staging key for it.
func (p *pusher) make() (k *pkg, object string) {
	if p.rand.IntN(5) < 3 {
		return p.identity("ubuntu/"+pick(p.rand, "jammy", "jammy", "jammy", "noble"), pick(p.rand, "", "", "", "extra/"), pick(p.rand, "amd64", "amd64", "arm64", "all"))
	}
	return p.identity("el/9", "", pick(p.rand, "x86_64", "noarch", "noarch", "aarch64", "src"))
}

// identity returns a new identity for a place, and a staging key for it.
func (p *pusher) identity(dist, component, arch string) (k *pkg, object string) {
	p.n++
	version := fmt.Sprintf("%d.%d", p.rand.IntN(3), p.n)
	name := fmt.Sprintf("%s%d", pick(p.rand, "alpha", "beta", "libgamma", "delta"), p.rand.IntN(40))
	k = &pkg{dist: dist, component: component, name: name, version: version, arch: arch, busy: true, bytes: map[string][]byte{}}
	object = "acme/tools/" + dist + "/" + component + name + "-" + version + ".deb"
	if strings.HasPrefix(dist, "el/") {
		k.version, object = version+"-1", strings.TrimSuffix(object, "deb")+"rpm"
	}
	k.releases = releasesOf(k)
	p.ledger.declare(k)
	return k, object
}

// releasesOf returns where clients see a package.
func releasesOf(k *pkg) (all []catalog.Release) {
	r, err := catalog.ParseRelease("acme/tools/" + k.dist)
	if err != nil {
		panic(err) // the names above are wrong
	}
	if !strings.HasPrefix(k.dist, "el/") {
		return []catalog.Release{r}
	}
	for _, dir := range layout.RPMDirs(catalog.Package{Arch: k.arch}, []string{"SRPMS", "aarch64", "x86_64"}) {
		r.Arch = dir
		all = append(all, r)
	}
	return all
}

// pick returns one of list.
func pick(r *rand.Rand, list ...string) string { return list[r.IntN(len(list))] }

// build returns bytes for an identity, each time others.
func (p *pusher) build(k *pkg) []byte {
	size := 1000 + p.rand.IntN(30_000)
	if p.rand.IntN(12) == 0 {
		size += 3 << 20 // so that it takes a while to read
	}
	var body []byte
	if strings.HasPrefix(k.dist, "el/") {
		version, _, _ := strings.Cut(k.version, "-")
		s := rpmtest.Spec{Name: k.name, Version: version, Arch: k.arch, PayloadSize: size, Description: fmt.Sprint("Seed ", p.rand.Uint64())}
		if k.arch == "src" {
			s.Arch, s.Source = "x86_64", true
		}
		body = rpmtest.Build(p.site.t, s)
	} else {
		body = debtest.Build(p.site.t, debtest.Spec{Name: k.name, Version: k.version, Arch: k.arch, Size: int64(size), Seed: p.rand.Uint64()})
	}
	p.ledger.change(func() { k.bytes[digest(body)] = body })
	return body
}

func digest(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}
