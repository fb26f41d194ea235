package twin_test

import (
	"time"

	"repomill/publish/pages/model"
	"repomill/publish/pages/twin"
	"repomill/schemas/catalog"
	"repomill/schemas/layout"
)

const publicURL = "https://packages.example.org"

var (
	renderer = twin.New(publicURL + "/")
	tools    = model.Repository{Name: catalog.Repository{Owner: "acme", Name: "tools"}, Description: "Tools of Acme"}
	trixie   = catalog.Distribution{OS: "debian", Version: "trixie"}
	el9      = catalog.Distribution{OS: "el", Version: "9"}
	jammy    = catalog.Distribution{OS: "ubuntu", Version: "jammy"}
)

// day returns ten o'clock of a day of January 2026, in a zone that is not UTC.
func day(n int) time.Time {
	return time.Date(2026, 1, n, 12, 0, 0, 999, time.FixedZone("two hours east", 7200))
}

func pointer[T any](v T) *T { return &v }

func release(d catalog.Distribution, arch string) catalog.Release {
	return catalog.Release{Repository: tools.Name, Distribution: d, Arch: arch}
}

func front() model.Front {
	about := tools
	about.Snapshots = true
	return model.Front{
		Repository: about, Packages: 12, Names: 3, AsOf: day(9),
		Distributions: []model.Distribution{
			{Distro: layout.Distro{Distribution: trixie, Format: catalog.DEB, Client: layout.Apt}, Settings: catalog.DistributionSettings{Components: []string{"main", "extra"}, Architectures: []string{"amd64"}}},
			{Distro: layout.Distro{Distribution: jammy, Format: catalog.DEB, Client: layout.AptList}, Settings: catalog.DistributionSettings{Components: []string{"main"}, Architectures: []string{"amd64"}}},
			{Distro: layout.Distro{Distribution: el9, Format: catalog.RPM, Client: layout.Dnf}, Settings: catalog.DistributionSettings{Architectures: []string{"SRPMS", "x86_64"}}},
		},
		Releases: []model.Release{
			{Release: release(trixie, ""), Revision: catalog.Revision{Number: 7, Nonce: "0123456789abcdef"}, Published: day(9), Verified: pointer(day(10))},
			{Release: release(el9, "x86_64"), Revision: catalog.Revision{Number: 2, Nonce: "fedcba9876543210"}, Published: day(8)},
			{Release: release(jammy, "")},
		},
		Keys:        []model.Key{{Fingerprint: "0123456789ABCDEF0123456789ABCDEF01234567", User: "Acme <packages@example.org>", Expires: pointer(day(31))}},
		PackageKeys: []model.Key{{Fingerprint: "76543210FEDCBA9876543210FEDCBA9876543210"}},
		Changes: []model.Change{
			{Name: "hello", Version: "1:1.0+b-2", Format: catalog.DEB, At: day(9), Distributions: []string{"debian/trixie"}},
			{Name: "hello", Version: "0.9", Format: catalog.RPM, At: day(8), Distributions: []string{"el/9"}, Withdrawn: true, Reason: "broken"},
		},
		Retention:    []catalog.Retention{{Newest: 3, Keep: []string{"hello=1.*"}, Automatic: true}, {Distribution: jammy, YoungerDays: 90}},
		SnapshotRule: &catalog.SnapshotRule{Every: catalog.Daily, Keep: 30}, Kept: 2, Newest: "20260108T100000Z",
		Deleted: &model.Deleted{At: day(10), Until: day(31)},
	}
}

func helloName() model.Name {
	deb := model.Package{Package: catalog.Package{
		Repository: tools.Name, Distribution: trixie, Component: "main", Format: catalog.DEB, Name: "hello", Version: "1:1.0+b-2", Arch: "amd64",
		Key: "acme/tools/debian/pool/trixie/main/h/hello/hello_1.0+b-2_amd64.deb", File: catalog.File{Size: 1234, SHA256: "aa", MD5: "bb"}, Signer: "0123456789ABCDEF",
		Pusher: catalog.Pusher{User: "secret-pusher", Job: "https://ci.example.org/secret-job"},
	}, Phase: pointer(10), In: []model.Placement{{Release: release(trixie, ""), Since: pointer(day(9)), Key: "acme/tools/debian/pool/trixie/main/h/hello/hello_1.0+b-2_amd64.deb"}}}
	rpm := model.Package{Package: catalog.Package{
		Repository: tools.Name, Distribution: el9, Format: catalog.RPM, Name: "hello", Version: "0.9-1", Arch: "noarch", Key: "acme/tools/el/9/aarch64/Packages/h/hello-0.9-1.noarch.rpm", File: catalog.File{Size: 5, SHA256: "cc"},
	}, In: []model.Placement{
		{Release: release(el9, "aarch64"), Since: pointer(day(8)), Key: "acme/tools/el/9/aarch64/Packages/h/hello-0.9-1.noarch.rpm"},
		{Release: release(el9, "x86_64"), Since: pointer(day(7)), Key: "acme/tools/el/9/x86_64/Packages/h/hello-0.9-1.noarch.rpm"},
	}}
	gone := rpm
	gone.Arch, gone.In = "x86_64", []model.Placement{{Release: release(el9, "x86_64"), Key: rpm.Key}}
	gone.Yank = &catalog.Yank{Reason: "broken", By: "secret-user", At: day(10)}
	return model.Name{
		Repository: tools, Package: "hello", Summary: "Says hello", Homepage: "https://example.org/", Page: 2, Pages: 2, AsOf: day(10),
		Versions: []model.Version{
			{Version: "1:1.0+b-2", First: day(8), Packages: []model.Package{deb}},
			{Version: "0.9-1", First: day(6), Packages: []model.Package{rpm, gone}},
		},
	}
}
