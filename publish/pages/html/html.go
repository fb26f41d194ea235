// Package html draws the pages of repositories for people. A page is a function of the data that it is given: it has no time but those of the
// data, and works without scripts, cookies and files from elsewhere. What packages say is text on it, never markup.
package html

import (
	"bytes"
	"embed"
	"html/template"
	"net/url"
	"strings"
	"sync"
	"time"

	"repomill/publish/pages/model"
	"repomill/schemas/layout"
)

//go:embed templates/*.html
var templateFiles embed.FS

// A Renderer draws pages. Its methods may be called concurrently.
type Renderer struct {
	publicURL string // without a slash at its end
	site      string // its host, as the title of the root
	templates *template.Template
	assets    []model.Page
	style     string // keys of assets
	script    string
	icon      string
}

// New returns a renderer of the pages of a server, by the URL under which clients reach it: commands and configuration that people
// copy have it. Links are relative.
func New(publicURL string) *Renderer {
	r := &Renderer{publicURL: strings.TrimRight(publicURL, "/")}
	r.site = r.publicURL
	if u, err := url.Parse(r.publicURL); err == nil && u.Host != "" {
		r.site = u.Host
	}
	r.templates, r.assets = parsed(), assets()
	r.style, r.script, r.icon = r.assets[0].Key, r.assets[1].Key, r.assets[2].Key
	return r
}

// parsed returns the templates. They are parsed once, which takes milliseconds.
var parsed = sync.OnceValue(func() *template.Template {
	return template.Must(template.New("").Funcs(template.FuncMap{
		"count": count, "counted": counted, "day": day, "minute": minute, "machine": machine, "size": size, "quarters": quarters,
	}).ParseFS(templateFiles, "templates/*.html"))
})

// Assets returns what all pages load: a style sheet, a script and an icon. Their keys contain digests of them, so that they never change.
func (r *Renderer) Assets() []model.Page { return r.assets }

// A head is what each page has around its content.
type head struct {
	Title   string
	Site    string
	Style   string // links, as are those below
	Script  string
	Icon    string
	Crumbs  []crumb // from the root to the page
	Twin    string
	Feed    string
	Private bool
	Mutable bool
	AsOf    time.Time
	Root    string
}

// A crumb is a page above a page, or itself, without a link.
type crumb struct{ Text, Link string }

// A drawing is a page that is being drawn: it computes links from its key.
type drawing struct {
	*Renderer
	key string
}

func (r *Renderer) draw(key string) drawing { return drawing{r, key} }

func (d drawing) to(key string) string { return relative(d.key, key) }

func (d drawing) head(title string, crumbs ...crumb) head {
	return head{Title: title, Site: d.site, Style: d.to(d.style), Script: d.to(d.script), Icon: d.to(d.icon), Crumbs: crumbs, Root: d.to(layout.RootPageKey)}
}

// headOf returns the head of a page of a repository. The last crumb is the page itself. The page of the owner exists for public
// repositories alone.
func (d drawing) headOf(r model.Repository, title string, crumbs ...crumb) head {
	above := []crumb{{Text: r.Name.Owner}, {Text: r.Name.Name}}
	if !r.Private {
		above[0].Link = d.to(layout.OwnerPageKey(r.Name.Owner))
	}
	if len(crumbs) > 0 {
		above[1].Link = d.to(layout.FrontPageKey(r.Name))
	}
	h := d.head(title, append(above, crumbs...)...)
	h.Private, h.Mutable = r.Private, r.Mutable
	return h
}

// page executes a template. It panics if that fails: templates are part of the program, and their data are plain.
func (d drawing) page(name string, data any) model.Page {
	var b bytes.Buffer
	b.Grow(16 << 10)
	if err := d.templates.ExecuteTemplate(&b, name, data); err != nil {
		panic(err)
	}
	return model.Page{Key: d.key, Body: visible(b.Bytes())}
}
