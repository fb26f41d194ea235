package html

import (
	"encoding/hex"
	"html/template"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"repomill/publish/pages/model"
	"repomill/schemas/layout"
)

type filesPage struct {
	head
	Package catalogPackage
	Link    string // of the version
	Total   int
	Chunks  []template.HTML
}

// catalogPackage is what the page of files says of its package.
type catalogPackage struct{ Name, Version, Arch, Distribution, SHA256 string }

// chunk is the number of paths that a browser lays out at once.
const chunk = 500

// Files returns the page of the files of a package.
func (r *Renderer) Files(f model.Files) []model.Page {
	k := f.Package
	d := r.draw(layout.FilesPageKey(f.Name, k.Name, k.File.SHA256))
	p := filesPage{Package: catalogPackage{k.Name, k.Version, k.Arch, k.Distribution.String(), k.File.SHA256}, Link: d.to(layout.VersionPageKey(f.Name, k.Name, k.Version)), Total: len(f.Paths)}
	about := model.Repository{Name: f.Name, Private: true} // or not: the page never changes, and the repository may
	p.head = d.headOf(about, "Files of "+k.Name+" "+k.Version+" · "+f.Name.String(),
		crumb{k.Name, d.to(layout.NamePageKey(f.Name, k.Name))}, crumb{k.Version, p.Link}, crumb{Text: "files"})
	for paths := range slices.Chunk(f.Paths, chunk) {
		p.Chunks = append(p.Chunks, pathItems(paths))
	}
	return []model.Page{d.page("files", p)}
}

// pathItems returns the items of a list of paths. There may be a million of them, for which a template is slow.
func pathItems(paths []model.File) template.HTML {
	var b strings.Builder
	for _, f := range paths {
		b.WriteString("<li><bdi>")
		template.HTMLEscape(&b, []byte(f.Path))
		b.WriteString("</bdi>")
		switch {
		case f.Kind == "", f.Kind == "dir" && strings.HasSuffix(f.Path, "/"):
		case f.Kind == "dir":
			b.WriteByte('/')
		default:
			b.WriteString(` <span class="more">`)
			template.HTMLEscape(&b, []byte(f.Kind))
			b.WriteString("</span>")
		}
		b.WriteByte('\n')
	}
	return template.HTML(b.String()) //nolint:gosec // every text in it is escaped
}

type namesPage struct {
	head
	Repository string
	Top        bool
	From       string
	Total      int
	Letters    []letter
	Sections   []section
	Parts      []link
	Previous   *link
	Next       *link
	Search     string
	Up         string
}

// A letter is a link to the names that begin with it.
type letter struct{ Text, ID string }

// A section is the names that begin with one letter, or all.
type section struct {
	ID    string
	Lines []lineView
}

type lineView struct {
	Name, Summary, Version, Formats string
	Link, VersionLink               string
	At                              time.Time
}

// minLetters is the number of names from which a list has links to letters.
const minLetters = 40

// Names returns a page of the list of packages.
func (r *Renderer) Names(n model.Names) []model.Page {
	d := r.draw(layout.NamesPageKey(n.Name, n.Level, n.From))
	p := namesPage{Repository: n.Name.String(), Top: n.Level < 0, From: n.From, Total: n.Total, Search: d.to(layout.NamesTwinKey(n.Name, -1, ""))}
	top := d.to(layout.NamesPageKey(n.Name, -1, ""))
	crumbs := []crumb{{Text: "packages"}}
	title := "Packages of " + n.Name.String()
	if !p.Top {
		p.Up = top
		crumbs = []crumb{{"packages", top}, {Text: "from " + n.From}}
		if n.From == "" {
			crumbs[1].Text = "first part"
		} else {
			title += " from " + n.From
		}
	}
	p.head = d.headOf(n.Repository, title, crumbs...)
	p.Twin, p.Feed = d.to(layout.NamesTwinKey(n.Name, n.Level, n.From)), d.to(layout.FeedKey(n.Name))
	for _, part := range n.Parts {
		p.Parts = append(p.Parts, link{span(part), d.to(layout.NamesPageKey(n.Name, part.Level, part.From))})
	}
	p.Previous, p.Next = d.beside(n, n.Previous), d.beside(n, n.Next)
	d.lines(&p, n)
	return []model.Page{d.page("names", p)}
}

// span says what names a part has.
func span(p model.Part) string {
	switch {
	case p.From == "" && p.To == "":
		return "all packages"
	case p.From == "":
		return "names before " + p.To
	case p.To == "":
		return "from " + p.From
	}
	return "from " + p.From + " to before " + p.To
}

func (d drawing) beside(n model.Names, p *model.Part) *link {
	if p == nil {
		return nil
	}
	return &link{span(*p), d.to(layout.NamesPageKey(n.Name, p.Level, p.From))}
}

// lines puts the names into sections by their first letters, if the page has them all and they are many.
func (d drawing) lines(p *namesPage, n model.Names) {
	letters := p.Top && len(n.Lines) >= minLetters
	before := ""
	for _, l := range n.Lines {
		first := ""
		if letters {
			c, _ := utf8.DecodeRuneInString(l.Name)
			first = string(c)
		}
		if len(p.Sections) == 0 || first != before {
			s := section{}
			if letters {
				s.ID = "at-" + hex.EncodeToString([]byte(first))
				p.Letters = append(p.Letters, letter{first, s.ID})
			}
			p.Sections, before = append(p.Sections, s), first
		}
		var formats []string
		for _, f := range l.Formats {
			formats = append(formats, string(f))
		}
		s := &p.Sections[len(p.Sections)-1]
		s.Lines = append(s.Lines, lineView{Name: l.Name, Summary: shortened(l.Summary, maxSummary), Version: l.Version, Formats: strings.Join(formats, ", "),
			Link: d.to(layout.NamePageKey(n.Name, l.Name)), VersionLink: d.to(layout.VersionPageKey(n.Name, l.Name, l.Version)), At: l.At})
	}
}

// maxSummary is the number of characters of a summary in a list.
const maxSummary = 160

type rootPage struct {
	head
	Owner   string
	Entries []rootLine
	Owners  []rootOwner
}

type rootLine struct{ Name, Link, Description, Formats string }

type rootOwner struct {
	Name, Link string
	Count      int
}

// Root returns the page of public repositories, of all or of one owner.
func (r *Renderer) Root(root model.Root) []model.Page {
	d := r.draw(layout.RootPageKey)
	p := rootPage{Owner: root.Owner}
	if root.Owner != "" {
		d = r.draw(layout.OwnerPageKey(root.Owner))
		p.head = d.head("Repositories of "+root.Owner, crumb{Text: root.Owner})
	} else {
		p.head = d.head("Package repositories · " + d.site)
	}
	for _, e := range root.Entries {
		var formats []string
		for _, f := range e.Formats {
			formats = append(formats, string(f))
		}
		p.Entries = append(p.Entries, rootLine{e.Name.String(), d.to(layout.FrontPageKey(e.Name)), e.Description, strings.Join(formats, ", ")})
	}
	for _, o := range root.Owners {
		p.Owners = append(p.Owners, rootOwner{o.Name, d.to(layout.OwnerPageKey(o.Name)), o.Repositories})
	}
	return []model.Page{d.page("root", p)}
}
