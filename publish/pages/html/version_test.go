package html_test

import (
	"strings"
	"testing"
	"time"

	pages "repomill/publish/pages/html"
	"repomill/publish/pages/model"
	"repomill/schemas/catalog"
)

func helloIn(distribution string) (k model.Package) {
	os, version, _ := strings.Cut(distribution, "/")
	k.Distribution = catalog.Distribution{OS: os, Version: version}
	k.Format, k.Name, k.Version, k.Arch, k.State = catalog.DEB, "hello", "1.0-1", "amd64", catalog.Active
	return k
}

// One command for each distribution withdraws a version: people read the reason once. Who ran it is not theirs to know.
func TestAVersionThatWasWithdrawnInSeveralPlaces(t *testing.T) {
	at := time.Date(2026, 11, 29, 10, 0, 0, 0, time.UTC)
	yanked := func(distribution, reason string, at time.Time) model.Package {
		k := helloIn(distribution)
		k.State = catalog.Yanked
		k.Key = "acme/tools/" + distribution + "/hello_1.0-1_amd64.deb"
		k.Yank = &catalog.Yank{Reason: reason, By: "anna", At: at}
		k.In = []model.Placement{{Since: &at}}
		return k
	}
	v := model.VersionPage{Repository: model.Repository{Name: catalog.Repository{Owner: "acme", Name: "tools"}}, Package: "hello"}
	v.Version = model.Version{Version: "1.0-1", First: at, Packages: []model.Package{
		helloIn("debian/bookworm"), yanked("debian/trixie", "it breaks", at),
		yanked("ubuntu/jammy", "it breaks", at.Add(time.Minute)), yanked("ubuntu/noble", "another reason", at),
	}}
	p := pages.New("https://packages.example.org").VersionPage(v)[0]
	var notices []string
	for _, n := range elements(parse(t, p)) {
		if class, _ := attr(n, "class"); class == "notice" {
			notices = append(notices, strings.Join(strings.Fields(text(n)), " "))
		}
	}
	want := []string{"Withdrawn in debian/trixie (amd64), ubuntu/jammy (amd64) on 2026-11-29. Clients are not offered it any more. it breaks",
		"Withdrawn in ubuntu/noble (amd64) on 2026-11-29. Clients are not offered it any more. another reason"}
	if got := strings.Join(notices, "\n"); got != strings.Join(want, "\n") {
		t.Errorf("notices are\n%s\nwant\n%s", got, strings.Join(want, "\n"))
	}
	body := string(p.Body)
	if strings.Contains(body, "anna") {
		t.Error("the page says who withdrew the version")
	}
	if n := strings.Count(body, "<td><span class=\"word\">until <time"); n != 3 {
		t.Errorf("%d rows say until when clients were offered the package, want 3:\n%s", n, body)
	}
}

// A version that only a part of the hosts upgrades to says so beside each package of which that is true.
func TestAVersionThatIsPhased(t *testing.T) {
	phased := func(distribution string, percent int, state catalog.PackageState) model.Package {
		k := helloIn(distribution)
		k.Phase, k.State = &percent, state
		return k
	}
	v := model.VersionPage{Repository: model.Repository{Name: catalog.Repository{Owner: "acme", Name: "tools"}}, Package: "hello"}
	v.Version = model.Version{Version: "1.0-1", Packages: []model.Package{
		helloIn("debian/bookworm"), phased("debian/trixie", 0, catalog.Active), phased("ubuntu/jammy", 10, catalog.Active), phased("ubuntu/noble", 20, catalog.Yanked),
	}}
	p := pages.New("https://packages.example.org").VersionPage(v)[0]
	var badges []string
	for _, n := range elements(parse(t, p)) {
		if class, _ := attr(n, "class"); class == "badge" {
			badges = append(badges, text(n))
		}
	}
	if got := strings.Join(badges, ", "); got != "0% of hosts upgrade, 10% of hosts upgrade" {
		t.Errorf("it says %q", got)
	}
}
