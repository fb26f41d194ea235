package twin_test

import (
	"fmt"
	"slices"
	"testing"

	"repomill/publish/pages/model"
	"repomill/schemas/catalog"
)

// Twins of the size that they have at most: 99 versions of six packages, 500 names, 50 changes.
func BenchmarkTwins(b *testing.B) {
	n, f := helloName(), front()
	v := n.Versions[0]
	v.Packages = slices.Repeat(v.Packages, 6)
	n.Versions = slices.Repeat([]model.Version{v}, 99)
	f.Changes = nil
	names := model.Names{Repository: tools, Level: -1, Total: 500}
	for i := range 500 {
		name := fmt.Sprintf("package-%03d", i)
		names.Lines = append(names.Lines, model.Line{Name: name, Summary: "A package with a summary of some length", Version: "1.0-1", Formats: []catalog.Format{catalog.DEB}, At: day(1)})
		if i < 50 {
			f.Changes = append(f.Changes, model.Change{Name: name, Version: "1.0-1", Format: catalog.DEB, At: day(1), Distributions: []string{"debian/trixie"}})
		}
	}
	for _, c := range []struct {
		name   string
		render func() model.Page
	}{
		{"Front", func() model.Page { return renderer.Front(f) }},
		{"Status", func() model.Page { return renderer.Status(f) }},
		{"Feed", func() model.Page { return renderer.Feed(f) }},
		{"Name", func() model.Page { return renderer.Name(n) }},
		{"NameFeed", func() model.Page { return renderer.NameFeed(n) }},
		{"Names", func() model.Page { return renderer.Names(names) }},
	} {
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				b.SetBytes(int64(len(c.render().Body)))
			}
		})
	}
}
