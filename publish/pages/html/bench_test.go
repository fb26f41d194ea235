package html_test

import (
	"fmt"
	"testing"

	"repomill/publish/pages/model"
	"repomill/publish/pages/pagestest"

	pages "repomill/publish/pages/html"
)

// One version page of a few packages, one of all distributions, one of 100,000 files, and the front page of many distributions.
func BenchmarkPages(b *testing.B) {
	site, r := pagestest.NewSite(), pages.New(pagestest.PublicURL)
	var few, many model.VersionPage
	for _, v := range site.Versions {
		switch {
		case v.Package == "libmill++1":
			few = v
		case v.Package == "acme-agent":
			many = v
		}
	}
	few.Packages = few.Packages[:4]
	files := site.Files[0]
	for i := range 100_000 {
		files.Paths = append(files.Paths, model.File{Path: fmt.Sprintf("/usr/share/doc/package/directory-%d/file-%d.html", i/100, i)})
	}
	for name, draw := range map[string]func() []model.Page{
		"version of 4 packages":                                   func() []model.Page { return r.VersionPage(few) },
		fmt.Sprintf("version of %d packages", len(many.Packages)): func() []model.Page { return r.VersionPage(many) },
		"name of 62 versions":                                     func() []model.Page { return r.Name(site.Names[1]) },
		"list of 65 names":                                        func() []model.Page { return r.Names(site.Lists[0]) },
		"front of 9 distributions":                                func() []model.Page { return r.Front(site.Fronts[0]) },
		"files, 100,000":                                          func() []model.Page { return r.Files(files) },
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			n := 0
			for b.Loop() {
				n = len(draw()[0].Body)
			}
			b.ReportMetric(float64(n), "bytes/page")
		})
	}
}
