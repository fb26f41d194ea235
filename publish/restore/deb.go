package restore

import (
	"context"
	"fmt"
	"iter"
	"strings"

	"repomill/publish/apt"
	"repomill/publish/tree"
	"repomill/schemas/catalog"
	"repomill/schemas/layout"
)

// debRows yields the packages of each index that are of its own architecture. Packages of "all" are in every
// index, and yielded from that of "all" alone.
func debRows(ctx context.Context, rd *Release) iter.Seq2[catalog.Package, error] {
	return func(yield func(catalog.Package, error) bool) {
		for _, x := range rd.Indexes {
			component, arch, ok := placeOf(x.Name)
			if !ok {
				continue
			}
			for k, err := range debIndex(ctx, rd, x, component, arch) {
				if !yield(k, err) || err != nil {
					return
				}
			}
		}
	}
}

// placeOf returns the component and architecture of an index of packages, by its name.
func placeOf(name string) (component, arch string, ok bool) {
	p := strings.Split(name, "/")
	if len(p) != 3 || p[2] != "Packages" {
		return "", "", false
	}
	arch, ok = strings.CutPrefix(p[1], "binary-")
	return p[0], arch, ok
}

func debIndex(ctx context.Context, rd *Release, x tree.Index, component, arch string) iter.Seq2[catalog.Package, error] {
	return func(yield func(catalog.Package, error) bool) {
		in, err := tree.OpenIndex(ctx, rd.bucket, x)
		if err != nil {
			yield(catalog.Package{}, err)
			return
		}
		defer in.Close()
		for stanza, err := range apt.Stanzas(in) {
			var k catalog.Package
			if err == nil {
				k, err = rd.deb(stanza)
			}
			switch {
			case err != nil:
			case k.Arch == "all" && arch != "all":
				continue
			case k.Arch != arch || k.Component != component:
				err = fmt.Errorf("%s %s %s of component %s is in %s", k.Name, k.Version, k.Arch, k.Component, x.Name)
			}
			if !yield(k, err) || err != nil {
				return
			}
		}
	}
}

// deb returns the row of a stanza.
func (rd *Release) deb(stanza []byte) (catalog.Package, error) {
	k, err := rd.reader.Deb(stanza)
	if err != nil {
		return k, err
	}
	if k.Distribution.Version != rd.release.Distribution.Version {
		return k, fmt.Errorf("%s %s %s is of %s", k.Name, k.Version, k.Arch, k.Distribution.Version)
	}
	rd.place(&k)
	k.Key, k.Uploaded, k.Stanza = layout.PoolKey(k), rd.Date, stanza
	return k, nil
}
