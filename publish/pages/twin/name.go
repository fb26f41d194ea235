package twin

import (
	"time"

	"repomill/publish/pages/model"
	"repomill/schemas/catalog"
	"repomill/schemas/layout"
)

// A name is the JSON of the versions of a package.
type name struct {
	Repository string    `json:"repository"`
	Name       string    `json:"name"`
	Summary    string    `json:"summary"`
	Homepage   string    `json:"homepage"`
	AsOf       *string   `json:"as_of"`
	Page       string    `json:"page"`
	Feed       string    `json:"feed"`
	Newest     string    `json:"newest"`
	Older      *string   `json:"older"`
	Versions   []version `json:"versions"`
}

type version struct {
	Version   string  `json:"version"`
	Published *string `json:"published"`
	Page      string  `json:"page"`
	Packages  []pkg   `json:"packages"`
}

type pkg struct {
	Distribution string         `json:"distribution"`
	Component    string         `json:"component"`
	Architecture string         `json:"architecture"`
	Format       catalog.Format `json:"format"`
	Size         int64          `json:"size"`
	SHA256       string         `json:"sha256"`
	MD5          string         `json:"md5,omitempty"`
	URL          *string        `json:"url"`
	Since        *string        `json:"since"`
	From         *string        `json:"from,omitempty"`
	Releases     []string       `json:"releases"`
	Signer       string         `json:"signer"`
	Phase        *int           `json:"phase,omitempty"`
	Withdrawn    *withdrawn     `json:"withdrawn"`
}

type withdrawn struct {
	At     string `json:"at"`
	Reason string `json:"reason"`
}

// Name returns p/NAME.json, or the twin of a page of older versions.
func (r *Renderer) Name(n model.Name) model.Page {
	repo := n.Repository.Name
	key, page := layout.NameTwinKey(repo, n.Package), layout.NamePageKey(repo, n.Package)
	if n.Page < n.Pages {
		key, page = layout.OlderTwinKey(repo, n.Package, n.Page), layout.OlderPageKey(repo, n.Package, n.Page)
	}
	doc := name{
		Repository: repo.String(), Name: n.Package, Summary: n.Summary, Homepage: n.Homepage, AsOf: stampIf(n.AsOf), Page: relative(repo, page),
		Feed: relative(repo, layout.NameFeedKey(repo, n.Package)), Newest: relative(repo, layout.NameTwinKey(repo, n.Package)),
		Versions: list(n.Versions, func(v model.Version) version {
			return version{v.Version, stampIf(v.First), relative(repo, layout.VersionPageKey(repo, n.Package, v.Version)), list(v.Packages, r.packageOf)}
		}),
	}
	if n.Page > 1 {
		older := relative(repo, layout.OlderTwinKey(repo, n.Package, n.Page-1))
		doc.Older = &older
	}
	return document(key, doc, 4)
}

func (r *Renderer) packageOf(p model.Package) pkg {
	out := pkg{
		Distribution: p.Distribution.String(), Component: p.Component, Architecture: p.Arch, Format: p.Format,
		Size: p.File.Size, SHA256: p.File.SHA256, MD5: p.File.MD5, Since: stampPointer(since(p)), Signer: p.Signer,
		Releases: list(p.In, func(in model.Placement) string { return in.Release.String() }),
	}
	if y := p.Yank; y != nil {
		out.From = stampPointer(from(p))
		out.Withdrawn = &withdrawn{stamp(y.At), y.Reason} // and no URL: its file is not to be installed
		return out
	}
	out.Phase = p.Phase
	key := p.Key
	if len(p.In) > 0 && p.In[0].Key != "" {
		key = p.In[0].Key
	}
	url := r.url(key)
	out.URL = &url
	return out
}

// since returns when the first of its releases was published with a package, or without one that was withdrawn; nil if that is not known.
func since(p model.Package) (first *time.Time) {
	for _, in := range p.In {
		if in.Since != nil && (first == nil || in.Since.Before(*first)) {
			first = in.Since
		}
	}
	return first
}

// from returns when the first of its releases was published with a package that was withdrawn; nil if that is not known.
func from(p model.Package) (first *time.Time) {
	for _, in := range p.In {
		if in.From != nil && (first == nil || in.From.Before(*first)) {
			first = in.From
		}
	}
	return first
}
