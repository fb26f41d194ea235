package twin

import (
	"repomill/publish/pages/model"
	"repomill/schemas/catalog"
	"repomill/schemas/layout"
)

// A names is the JSON of a list of packages, or of a part of one. It has either lines or parts.
type names struct {
	Repository string     `json:"repository"`
	Level      int        `json:"level"`
	From       string     `json:"from"`
	Total      *int       `json:"total,omitempty"` // of the top
	Previous   *string    `json:"previous"`
	Next       *string    `json:"next"`
	Lines      []nameLine `json:"lines,omitzero"`
	Parts      []part     `json:"parts,omitzero"`
}

type nameLine struct {
	Name      string           `json:"name"`
	Version   string           `json:"version"`
	Summary   string           `json:"summary"`
	Formats   []catalog.Format `json:"formats"`
	Published *string          `json:"published"`
	Page      string           `json:"page"`
}

type part struct {
	Level int    `json:"level"`
	From  string `json:"from"`
	To    string `json:"to"`
	Twin  string `json:"twin"`
	Page  string `json:"page"`
}

// Names returns the twin of a list of packages, or of a part of one.
func (r *Renderer) Names(n model.Names) model.Page {
	repo := n.Repository.Name
	doc := names{Repository: repo.String(), Level: n.Level, From: n.From}
	if n.Level < 0 {
		doc.Total = &n.Total
	}
	beside := func(p *model.Part) *string {
		if p == nil {
			return nil
		}
		twin := relative(repo, layout.NamesTwinKey(repo, p.Level, p.From))
		return &twin
	}
	doc.Previous, doc.Next = beside(n.Previous), beside(n.Next)
	if n.Level > 0 || len(n.Parts) > 0 {
		doc.Parts = list(n.Parts, func(p model.Part) part {
			return part{p.Level, p.From, p.To, relative(repo, layout.NamesTwinKey(repo, p.Level, p.From)), relative(repo, layout.NamesPageKey(repo, p.Level, p.From))}
		})
	} else {
		doc.Lines = list(n.Lines, func(l model.Line) nameLine {
			return nameLine{l.Name, l.Version, l.Summary, list(l.Formats, func(f catalog.Format) catalog.Format { return f }), stampIf(l.At), relative(repo, layout.NamePageKey(repo, l.Name))}
		})
	}
	return document(layout.NamesTwinKey(repo, n.Level, n.From), doc, 2)
}
