package pagestest

import (
	"crypto/sha256"
	"encoding/hex"
	"time"

	"repomill/publish/pages/facts"
	"repomill/publish/pages/model"
	"repomill/schemas/catalog"
	"repomill/schemas/layout"
)

// pkg returns a package as clients see it.
func pkg(r catalog.Repository, d model.Distribution, name, version, arch string, since time.Time, f *facts.Facts) model.Package {
	digest := sha256.Sum256([]byte(d.Distribution.String() + name + version + arch))
	k := model.Package{Facts: f, Package: catalog.Package{Repository: r, Distribution: d.Distribution, Format: d.Format, Name: name, Version: version, Arch: arch,
		File: catalog.File{Size: 40_000 + int64(digest[0])*1000, SHA256: hex.EncodeToString(digest[:])}, Uploaded: since, State: catalog.Active}}
	release := catalog.Release{Repository: r, Distribution: d.Distribution}
	if d.Format == catalog.DEB {
		k.Component = layout.DefaultComponent
		k.Key = layout.PoolKey(k.Package)
		k.In = []model.Placement{{Release: release, Since: &since, Key: k.Key}}
		return k
	}
	for _, dir := range layout.RPMDirs(k.Package, d.Settings.Architectures) {
		release.Arch = dir
		k.In = append(k.In, model.Placement{Release: release, Since: &since, Key: layout.RPMKey(k.Package, dir)})
	}
	k.Key = k.In[0].Key
	return k
}

// yank withdraws a package.
func yank(k model.Package, reason, by string, at time.Time) model.Package {
	k.State, k.Yank = catalog.Yanked, &catalog.Yank{Reason: reason, By: by, At: at}
	return k
}

// add puts the pages of a package into the site: versions oldest first, 50 on each page but the newest.
func (s *Site) add(r model.Repository, name string, f *facts.Facts, versions ...model.Version) {
	const perPage = 50
	older := max(0, len(versions)/perPage-1)
	for number := 1; number <= older+1; number++ {
		part := versions[(number-1)*perPage:]
		if number <= older {
			part = part[:perPage]
		}
		n := model.Name{Repository: r, Package: name, Page: number, Pages: older + 1, AsOf: Now}
		if f != nil {
			n.Summary, n.Homepage = f.Summary, f.Homepage
		}
		for i := range part {
			n.Versions = append(n.Versions, part[len(part)-1-i])
		}
		s.Names = append(s.Names, n)
		if number <= older {
			s.Objects = append(s.Objects, layout.OlderTwinKey(r.Name, name, number))
		}
	}
	s.Objects = append(s.Objects, layout.NameTwinKey(r.Name, name), layout.NameFeedKey(r.Name, name))
	for _, v := range versions {
		s.Versions = append(s.Versions, model.VersionPage{Repository: r, Package: name, Version: v})
		for _, k := range v.Packages {
			s.Objects = append(s.Objects, k.Key)
		}
	}
}

// line returns a package as the list of names has it.
func line(name, summary, version string, at time.Time, formats ...catalog.Format) model.Line {
	return model.Line{Name: name, Summary: summary, Version: version, Formats: formats, At: at}
}
