package restore

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"

	"repomill/publish/repomd"
	"repomill/publish/tree"
	"repomill/schemas/catalog"
	"repomill/schemas/layout"
)

// rpmRows reads the three indexes in parallel. Each must have the same packages in the same order.
func rpmRows(ctx context.Context, rd *Release) iter.Seq2[catalog.Package, error] {
	return func(yield func(catalog.Package, error) bool) {
		noarch, err := rd.noarchDir(ctx)
		if err != nil {
			yield(catalog.Package{}, err)
			return
		}
		filelists, stop := iter.Pull2(rd.elements(ctx, "filelists"))
		defer stop()
		other, stop := iter.Pull2(rd.elements(ctx, "other"))
		defer stop()
		for primary, err := range rd.elements(ctx, "primary") {
			var k catalog.Package
			if err == nil {
				k, err = rd.rpm(primary, noarch)
			}
			if err == nil {
				k.Filelists, err = beside(k, filelists)
			}
			if err == nil {
				k.Other, err = beside(k, other)
			}
			if !yield(k, err) || err != nil {
				return
			}
		}
		for _, next := range []func() ([]byte, error, bool){filelists, other} {
			if _, err, more := next(); more {
				yield(catalog.Package{}, errors.Join(err, errors.New("primary.xml ends before the other indexes")))
				return
			}
		}
	}
}

// elements yields the <package> elements of the index called name.
func (rd *Release) elements(ctx context.Context, name string) iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) {
		i := slices.IndexFunc(rd.Indexes, func(x tree.Index) bool { return x.Name == name })
		if i < 0 {
			yield(nil, fmt.Errorf("repomd.xml lists no %s", name))
			return
		}
		in, err := tree.OpenIndex(ctx, rd.bucket, rd.Indexes[i])
		if err != nil {
			yield(nil, err)
			return
		}
		defer in.Close()
		repomd.Packages(in, name)(yield)
	}
}

// beside returns the next element of filelists or other, which has to be of package k.
func beside(k catalog.Package, next func() ([]byte, error, bool)) ([]byte, error) {
	element, err, ok := next()
	if err == nil && (!ok || !bytes.HasPrefix(element, []byte(`<package pkgid="`+k.File.SHA256+`"`))) {
		err = fmt.Errorf("%s %s %s of primary.xml is not in its place in another index", k.Name, k.Version, k.Arch)
	}
	return element, err
}

// rpm returns the row of an element of primary. noarch is the directory of noarch packages.
func (rd *Release) rpm(primary []byte, noarch string) (catalog.Package, error) {
	k, err := rd.reader.RPM(primary)
	if err != nil {
		return k, err
	}
	rd.place(&k)
	dir := noarch
	if k.Arch != layout.Noarch {
		dir = layout.RPMDirOf(k.Arch)
	}
	// Only the index of x86_64 shows whether a package of i386 is listed there, too.
	k.Multilib = layout.RPMDirOf(k.Arch) == layout.I386 && rd.release.Arch == layout.X86
	if k.Multilib {
		dir = layout.X86
	}
	if !slices.Contains(layout.RPMDirs(k, []string{rd.release.Arch}), rd.release.Arch) {
		return k, fmt.Errorf("%s %s %s is in directory %s", k.Name, k.Version, k.Arch, rd.release.Arch)
	}
	k.Key, k.Primary = layout.RPMKey(k, dir), primary
	return k, nil
}

// noarchDir returns the directory whose copies of noarch packages the rows name: the first one that is
// published, because it has a copy of each.
func (rd *Release) noarchDir(ctx context.Context) (string, error) {
	s, err := tree.ReadSettings(ctx, rd.bucket, rd.release.Repository)
	if err != nil {
		return "", err
	}
	ds, _ := s.Find(rd.release.Distribution)
	for _, dir := range layout.RPMDirs(catalog.Package{Arch: layout.Noarch}, ds.Architectures) {
		other := rd.release
		other.Arch = dir
		if v, err := tree.VersionOf(ctx, rd.bucket, layout.PointerKey(other)); err != nil || v != "" {
			return dir, err
		}
	}
	return rd.release.Arch, nil
}
