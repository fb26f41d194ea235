package pagestest

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"repomill/publish/pages/facts"
	"repomill/publish/pages/model"
	"repomill/schemas/catalog"
	"repomill/schemas/layout"
)

var (
	bothFormats = []catalog.Format{catalog.DEB, catalog.RPM}
	signingKey  = model.Key{Fingerprint: "8F3A6C0D55E1B7249A0CD2E47B61F0953D645A26", User: "Acme packages <packages@acme.example>", Expires: ptr(Now.AddDate(2, 0, 0))}
	nextKey     = model.Key{Fingerprint: "1B9D4470AC2E88F36650C9D1E3AF5B27704C11E9", User: "Acme packages, next <packages@acme.example>", Expires: ptr(Now.AddDate(4, 0, 0))}
	vendorKey   = model.Key{Fingerprint: "C07F92AA41D6358E19BB64F2D0735CEA9D1E6B48", User: "Acme build farm"}
)

func (s *Site) tools() {
	r := model.Repository{Name: Tools, Description: "Command-line tools of Acme for servers and desktops", Snapshots: true}
	f := model.Front{Repository: r, AsOf: Now, Keys: []model.Key{signingKey, nextKey}, PackageKeys: []model.Key{vendorKey}, Keyring: true}
	for _, d := range []string{"debian/bookworm", "debian/trixie", "el/8", "el/9", "fedora/43", "opensuse/15.6", "ubuntu/focal", "ubuntu/jammy", "ubuntu/noble"} {
		os, version, _ := strings.Cut(d, "/")
		f.Distributions = append(f.Distributions, distribution(os, version, "hello-mill"))
	}
	list := model.Names{Repository: r, Level: -1}
	s.hello(r, f.Distributions, &list)
	s.plus(r, f.Distributions, &list)
	tools := strings.Fields("anvil atlas-cli backup-agent beacon bolt brickd cargo-lock catapult cinder-tools cobalt crane-utils deltasync dune echo-server ember-data fathom ferry flint-scan gantry " +
		"gauge glyph granite-db harbor hinge-proxy ingot ionize jetty-tools keystone kiln ladle lantern libacme1 libacme1-dev libferry2 loom magnet meridian nail-gun needle orbit-agent pallet parcel-cli " +
		"piston plumb-line quarry R-acme rivet rope-utils saddle shuttle sieve spindle tackle tinder trestle umbra valve-ctl vault-agent wedge winch xray-collect yoke zinc")
	slices.Sort(tools)
	for i, name := range tools {
		at := at(i%40+3, i)
		about := &facts.Facts{Summary: strings.ToUpper(name[:1]) + name[1:] + ", one of the tools of Acme"}
		v := model.Version{Version: fmt.Sprintf("%d.%d-1", i%4+1, i%9), First: at, Packages: []model.Package{pkg(Tools, f.Distributions[1], name, fmt.Sprintf("%d.%d-1", i%4+1, i%9), "amd64", at, about)}}
		s.add(r, name, about, v)
		list.Lines = append(list.Lines, line(name, about.Summary, v.Version, at, catalog.DEB))
	}
	slices.SortFunc(list.Lines, func(a, b model.Line) int { return strings.Compare(a.Name, b.Name) })
	list.Total = len(list.Lines)
	f.Names, f.Packages = list.Total, 1432
	in := []string{"debian/bookworm", "debian/trixie", "ubuntu/jammy", "ubuntu/noble"}
	f.Changes = []model.Change{
		{Name: "hello-mill", Version: "2.12-1", Format: catalog.DEB, At: Now, Distributions: in},
		{Name: "hello-mill", Version: "2.12-1.el9", Format: catalog.RPM, At: at(0, 1), Distributions: []string{"el/9", "opensuse/15.6"}},
		{Name: "libmill++1", Version: "1:3.0~rc2+dfsg-1", Format: catalog.DEB, At: at(1, 2), Distributions: []string{"debian/trixie"}},
		{Name: "hello-mill", Version: "2.11-1", Format: catalog.DEB, At: at(2, 0), Distributions: in, Withdrawn: true, Reason: "It deletes configuration on upgrade; use 2.12-1"}}
	f.SnapshotRule = &catalog.SnapshotRule{Every: catalog.Daily, Keep: 90}
	f.Retention = []catalog.Retention{{Newest: 3, Keep: []string{"hello-mill=1.*", "libacme*"}, Automatic: true},
		{Distribution: catalog.Distribution{OS: "ubuntu", Version: "noble"}, NewestPerSeries: 2, YoungerDays: 90}}
	s.snapshots(&f, 112)
	s.Fronts, s.Lists = append(s.Fronts, f), append(s.Lists, list)
	s.objects(f)
}

func (s *Site) hello(r model.Repository, distros []model.Distribution, list *model.Names) {
	about := helloFacts()
	var versions []model.Version
	for i := range 112 {
		versions = append(versions, s.helloVersion(distros, fmt.Sprintf("1.%d-1", i), at(400-2*i, 0), about, distros[:2]))
	}
	withdrawn := s.helloVersion(distros, "2.11-1", at(9, 0), about, distros)
	for i, k := range withdrawn.Packages {
		k.In[0].From, k.In[0].Since = k.In[0].Since, ptr(at(2, 0))
		withdrawn.Packages[i] = yank(k, "It deletes configuration on upgrade; use 2.12-1", "anna", at(2, 0))
	}
	newest := s.helloVersion(distros, "2.12-1", Now, about, distros)
	for i, k := range newest.Packages {
		if k.Distribution.OS == "ubuntu" && k.Arch == "arm64" {
			newest.Packages[i] = yank(k, "Built with the wrong compiler", "", at(0, 1))
		}
	}
	rpm := model.Version{Version: "2.12-1.el9", First: at(0, 1)}
	for _, d := range distros {
		if d.Format == catalog.RPM {
			for _, arch := range []string{"aarch64", "noarch", "src", "x86_64"} {
				k := pkg(Tools, d, "hello-mill", "2.12-1.el9", arch, at(0, 1), rpmFacts())
				k.Signer = vendorKey.Fingerprint
				rpm.Packages = append(rpm.Packages, k)
			}
		}
	}
	s.add(r, "hello-mill", about, append(versions, withdrawn, rpm, newest)...)
	list.Lines = append(list.Lines, line("hello-mill", about.Summary, "2.12-1", Now, bothFormats...))
}

func (s *Site) helloVersion(all []model.Distribution, version string, at time.Time, about *facts.Facts, distros []model.Distribution) model.Version {
	v := model.Version{Version: version, First: at}
	for _, d := range distros {
		if d.Format != catalog.DEB {
			continue
		}
		for _, arch := range []string{"amd64", "arm64"} {
			f := *about
			if d.Distribution.OS == "ubuntu" {
				f.Relations = slices.Clone(f.Relations)
				f.Relations[0].Items = []string{"libc6 (>= 2.35)", "libmill++1 (= 1:3.0~rc2+dfsg-1)"}
			}
			k := pkg(Tools, d, "hello-mill", version, arch, at, &f)
			if version == "2.12-1" {
				k.Files = layout.FilesPageKey(Tools, "hello-mill", k.File.SHA256)
				s.Files = append(s.Files, files(k))
			}
			v.Packages = append(v.Packages, k)
		}
	}
	return v
}

func (s *Site) plus(r model.Repository, distros []model.Distribution, list *model.Names) {
	about := &facts.Facts{Summary: "Shared library of the mill, with plus signs in its name", Homepage: "javascript:alert(1)", License: "MIT"}
	var v model.Version
	for _, d := range distros {
		if d.Format == catalog.DEB {
			v.Packages = append(v.Packages, pkg(Tools, d, "libmill++1", "1:3.0~rc2+dfsg-1", "amd64", at(1, 2), about),
				pkg(Tools, d, "libmill++1", "3.0~rc2+dfsg-1", "i386", at(1, 2), about))
		}
	}
	v.Version, v.First = "3.0~rc2+dfsg-1", at(1, 2)
	s.add(r, "libmill++1", about, v)
	list.Lines = append(list.Lines, line("libmill++1", about.Summary, "1:3.0~rc2+dfsg-1", at(1, 2), catalog.DEB))
}

func (s *Site) secret() {
	r := model.Repository{Name: Secret, Description: "What customers of the support contract get", Private: true, Snapshots: true}
	f := model.Front{Repository: r, Packages: 3, Names: 1, AsOf: at(5, 0), Keys: []model.Key{signingKey},
		Distributions: []model.Distribution{distribution("amazon", "2023", "probe"), distribution("debian", "bullseye", "probe"), distribution("el", "7", "probe"),
			distribution("opensuse", "15.6", "probe"), distribution("ubuntu", "jammy", "probe")}}
	about := &facts.Facts{Summary: "Sends health reports"}
	v := model.Version{Version: "1.0-1", First: at(5, 0)}
	for _, d := range f.Distributions {
		arch := "amd64"
		if d.Format == catalog.RPM {
			arch = "x86_64"
		}
		v.Packages = append(v.Packages, pkg(Secret, d, "probe", "1.0-1", arch, at(5, 0), about))
	}
	s.add(r, "probe", about, v)
	f.Changes = []model.Change{{Name: "probe", Version: "1.0-1", Format: catalog.DEB, At: at(5, 0), Distributions: []string{"ubuntu/jammy"}}}
	s.snapshots(&f, 1)
	s.Fronts = append(s.Fronts, f)
	s.Lists = append(s.Lists, model.Names{Repository: r, Level: -1, Total: 1, Lines: []model.Line{line("probe", about.Summary, "1.0-1", at(5, 0), bothFormats...)}})
	s.objects(f)
}

func (s *Site) wide() {
	r := model.Repository{Name: Wide, Description: "The agent, for all systems"}
	f := model.Front{Repository: r, Names: 1, AsOf: at(0, 3), Keys: []model.Key{signingKey}}
	v := model.Version{Version: "7.4.1-1", First: at(0, 3)}
	about := &facts.Facts{Summary: "Agent that collects logs, metrics and traces", Homepage: "https://agent.acme.example/"}
	var names []string
	for _, distro := range layout.DefaultTable().All() {
		d := distribution(distro.Distribution.OS, distro.Distribution.Version, "acme-agent")
		f.Distributions, names = append(f.Distributions, d), append(names, d.Distribution.String())
		archs := []string{"aarch64", "ppc64le", "x86_64"}
		if d.Format == catalog.DEB {
			archs = []string{"amd64", "arm64", "armhf"}
		}
		for _, arch := range archs {
			v.Packages = append(v.Packages, pkg(Wide, d, "acme-agent", "7.4.1-1", arch, at(0, 3), about))
		}
	}
	f.Packages = len(v.Packages)
	f.Changes = []model.Change{{Name: "acme-agent", Version: "7.4.1-1", At: at(0, 3), Distributions: names}}
	s.add(r, "acme-agent", about, v)
	s.Fronts = append(s.Fronts, f)
	s.Lists = append(s.Lists, model.Names{Repository: r, Level: -1, Total: 1, Lines: []model.Line{line("acme-agent", about.Summary, "7.4.1-1", at(0, 3), bothFormats...)}})
	s.objects(f)
}

func (s *Site) empty() {
	r := model.Repository{Name: New, Snapshots: true}
	f := model.Front{Repository: r, Deleted: &model.Deleted{At: at(3, 0), Until: at(-27, 0)}, SnapshotRule: &catalog.SnapshotRule{Every: catalog.Weekly, Keep: 1}}
	s.snapshots(&f, 0)
	s.Fronts, s.Lists = append(s.Fronts, f), append(s.Lists, model.Names{Repository: r, Level: -1})
	s.objects(f)
}

func (s *Site) big() {
	r := model.Repository{Name: Big}
	f := model.Front{Repository: r, Packages: 1_000_000, Names: 401_213, AsOf: at(0, 7), Keys: []model.Key{{Fingerprint: nextKey.Fingerprint, User: "Globex"}},
		Distributions: []model.Distribution{distribution("debian", "trixie", "")}}
	top := model.Names{Repository: r, Level: -1, Total: f.Names, Parts: []model.Part{{Level: 0, To: "golang-acme"}, {Level: 0, From: "golang-acme", To: "python3-mill"}, {Level: 0, From: "python3-mill"}}}
	s.Lists = append(s.Lists, top)
	for i, part := range top.Parts {
		n := model.Names{Repository: r, Level: 0, From: part.From}
		if i > 0 {
			n.Previous = &top.Parts[i-1]
		}
		if i+1 < len(top.Parts) {
			n.Next = &top.Parts[i+1]
		}
		name := part.From
		if name == "" {
			name = "0ad"
		}
		about := &facts.Facts{Summary: "A package of a large repository"}
		s.add(r, name, about, model.Version{Version: "1.0-1", First: at(3, 0), Packages: []model.Package{pkg(Big, f.Distributions[0], name, "1.0-1", "amd64", at(3, 0), nil)}})
		n.Lines = []model.Line{line(name, about.Summary, "1.0-1", at(3, 0), catalog.DEB)}
		s.Lists = append(s.Lists, n)
		s.Objects = append(s.Objects, layout.NamesTwinKey(Big, 0, part.From))
	}
	s.Fronts = append(s.Fronts, f)
	s.objects(f)
}
