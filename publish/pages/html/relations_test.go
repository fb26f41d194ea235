package html_test

import (
	"fmt"
	"strings"
	"testing"

	"repomill/publish/pages/facts"
	"repomill/publish/pages/model"
	"repomill/publish/pages/pagestest"
	"repomill/schemas/catalog"

	pages "repomill/publish/pages/html"
)

// A version may have very many packages, each with other dependencies than all others. Its page says how many it leaves out.
func TestDependenciesOfVeryManyPackagesAreBounded(t *testing.T) {
	v := model.VersionPage{Repository: pagestest.NewSite().Versions[0].Repository, Package: "hello", Version: model.Version{Version: "1.0"}}
	for i := range 60 {
		k := model.Package{Package: catalog.Package{Format: catalog.DEB, Name: "hello", Version: "1.0", Arch: "amd64", Component: "main"}}
		k.Distribution = catalog.Distribution{OS: "debian", Version: fmt.Sprint(i)}
		var items []string
		for j := range 1000 {
			items = append(items, fmt.Sprintf("%d-%03d%s", i, j, strings.Repeat("<", 100)))
		}
		k.Facts = &facts.Facts{Relations: []facts.Relation{{Kind: "Depends", Items: items, More: 7}}}
		v.Version.Packages = append(v.Version.Packages, k)
	}
	p := pages.New(pagestest.PublicURL).VersionPage(v)[0]
	if len(p.Body) > 12_000_000 {
		t.Errorf("the page has %d bytes", len(p.Body))
	}
	var left []string
	for _, n := range elements(parse(t, p)) {
		if class, _ := attr(n, "class"); class == "more" && strings.HasPrefix(text(n), "and ") {
			left = append(left, text(n))
		}
	}
	if len(left) != 60 || left[0] != "and 7 others" || left[59] != "and 1007 others" {
		t.Errorf("left out are %q", left)
	}
	if n := len(v.Version.Packages[59].Facts.Relations[0].Items); n != 1000 {
		t.Errorf("the facts have %d items now", n)
	}
}
