package pagestest

import (
	"fmt"

	"repomill/publish/pages/facts"
	"repomill/publish/pages/model"
)

func helloFacts() *facts.Facts {
	return &facts.Facts{
		Summary: "Grinds greetings into any language, quickly and without noise",
		Description: "hello-mill reads names from its standard input and prints a greeting for each, in the language of its locale.\n\n" +
			"It is made for pipelines: it reads as fast as its input comes, needs a few kilobytes of memory however long that is, and ends with an exit code that says whether all were greeted.",
		Homepage: "https://hello.acme.example/mill?lang=en&page=1", License: "GPL-3.0-or-later", Maintainer: "Jane Müller <jane@acme.example>", Section: "utils", Source: "hello-mill",
		Built: ptr(at(0, 5)), Installed: 1_843_200,
		Relations: []facts.Relation{
			{Kind: "Depends", Items: []string{"libc6 (>= 2.36)", "libmill++1 (= 1:3.0~rc2+dfsg-1)"}},
			{Kind: "Recommends", Items: []string{"locales | locales-all"}},
			{Kind: "Conflicts", Items: []string{"hello-traditional"}}},
	}
}

func rpmFacts() *facts.Facts {
	f := helloFacts()
	f.Relations = []facts.Relation{
		{Kind: "Requires", Items: []string{"libc.so.6(GLIBC_2.34)(64bit)", "libmill.so.1()(64bit)", "rtld(GNU_HASH)", "/bin/sh"}},
		{Kind: "Recommends", Items: many("font(:lang=%02d)", 60)},
		{Kind: "Provides", Items: []string{"hello-mill = 2.12-1.el9", "hello-mill(x86-64) = 2.12-1.el9"}}}
	f.Changelog = []facts.Entry{
		{At: ptr(at(0, 6)), Author: "Jane Müller <jane@acme.example> - 2.12-1", Text: "- keep configuration on upgrade (bug 4711)\n- greet in Welsh"},
		{At: ptr(at(10, 0)), Author: "Jane Müller <jane@acme.example> - 2.11-1", Text: "- new version"}}
	return f
}

// many returns texts with numbers.
func many(format string, n int) (all []string) {
	for i := range n {
		all = append(all, fmt.Sprintf(format, i))
	}
	return all
}

func files(k model.Package) model.Files {
	f := model.Files{Repository: model.Repository{Name: k.Repository}, Package: k.Package}
	f.Paths = []model.File{{Path: "/etc/hello-mill", Kind: "dir"}, {Path: "/etc/hello-mill/hello.conf"}, {Path: "/usr/bin/hello-mill"}, {Path: "/usr/bin/hm", Kind: "link"}}
	for i := range 40 {
		f.Paths = append(f.Paths, model.File{Path: fmt.Sprintf("/usr/share/locale/l%02d/LC_MESSAGES/hello-mill.mo", i)})
	}
	return f
}
