package pages

import (
	"cmp"
	"context"

	"repomill/publish/pages/model"
	"repomill/schemas/catalogdb"
	"repomill/schemas/layout"
)

// maxPart bounds how many names are read of a part: of 128 on average, thousands are as good as impossible.
const maxPart = 100_000

// A place is where a part of the list of names is: its level, and its first name, which is empty for the first part.
type place struct {
	level int
	from  string
}

func comparePlaces(a, b place) int {
	return cmp.Or(cmp.Compare(a.level, b.level), cmp.Compare(a.from, b.from))
}

// partsOf returns the parts of the list that some names, in their order, may have changed, with these names: the one that has the name; if
// the name begins a part, or did, that part and those beside it; and the parts of higher levels that list such a part. Levels that the list has not had yet are
// made in whole before.
func (w *work) partsOf(ctx context.Context, names []string) (map[place][]string, error) {
	t, err := w.readTop(ctx)
	if err == nil {
		err = w.fillLevels(ctx, t.level)
	}
	if err != nil {
		return nil, err
	}
	asked := map[place][]string{}
	for l := 0; l <= t.level; l++ {
		var in part
		for _, name := range names {
			if w.level(name) < l {
				continue
			}
			if !in.has(name) {
				if in, err = w.partAt(ctx, l, name); err != nil {
					return nil, err
				}
			}
			places := []string{in.from}
			if w.level(name) > l {
				previous, next, err := w.Catalog.PageBordersAround(ctx, w.repository, l, name)
				if err != nil {
					return nil, err
				}
				if places = append(places, name); previous != nil {
					places = append(places, *previous)
				}
				if next != "" {
					places = append(places, next)
				}
			}
			for i, from := range places {
				if i == 0 || from != places[0] {
					asked[place{l, from}] = append(asked[place{l, from}], name)
				}
			}
		}
	}
	return asked, nil
}

// A part is one of a level: from its first name up to the next part's, which is empty if there is none. The zero part has no names.
type part struct {
	from, to string
	is       bool
}

func (p part) has(name string) bool { return p.is && name >= p.from && (p.to == "" || name < p.to) }

// partAt returns the part of a level that has a name, or would have it.
func (w *work) partAt(ctx context.Context, level int, name string) (part, error) {
	from, err := w.Catalog.PageBorder(ctx, w.repository, level, name)
	if err != nil {
		return part{}, err
	}
	_, to, err := w.Catalog.PageBordersAround(ctx, w.repository, level, from)
	return part{from, to, true}, err
}

// part brings a part of the list up to date, or removes it: no name begins it any more.
func (w *work) part(ctx context.Context, p place) error {
	keys := []string{layout.NamesPageKey(w.repository, p.level, p.from), layout.NamesTwinKey(w.repository, p.level, p.from)}
	return w.replace(ctx, keys, func(objects) ([]model.Page, error) {
		if p.from != "" {
			from, err := w.Catalog.PageBorder(ctx, w.repository, p.level, p.from)
			if err != nil || from != p.from {
				return nil, err
			}
		}
		return w.drawPart(ctx, p)
	})
}

// drawPart draws a part of the list: its page, and its twin.
func (w *work) drawPart(ctx context.Context, p place) ([]model.Page, error) {
	previous, next, err := w.Catalog.PageBordersAround(ctx, w.repository, p.level, p.from)
	if err != nil {
		return nil, err
	}
	n := model.Names{Repository: w.about, Level: p.level, From: p.from}
	if previous != nil {
		n.Previous = &model.Part{Level: p.level, From: *previous, To: p.from}
	}
	if next != "" {
		n.Next = &model.Part{Level: p.level, From: next}
	}
	// Names of level 0 are lines; names of a higher one begin the parts of the level below.
	names, err := w.Catalog.PageNames(ctx, w.repository, p.level, p.from, next, maxPart)
	if err != nil {
		return nil, err
	}
	if p.level == 0 {
		n.Lines = linesOf(names)
	} else {
		n.Parts = partsBelow(p.level-1, p.from, names, next)
	}
	return append(w.html.Names(n), w.twin.Names(n)), nil
}

func linesOf(names []catalogdb.PageName) []model.Line {
	lines := make([]model.Line, len(names))
	for i, n := range names {
		lines[i] = model.Line{Name: n.Name, Summary: n.Summary, Version: n.Version, Formats: n.Formats, At: n.At}
	}
	return lines
}

// partsBelow returns the parts of a level from from up to to; borders are the names that begin them. The first part of all has no such
// name.
func partsBelow(level int, from string, borders []catalogdb.PageName, to string) (parts []model.Part) {
	if from == "" {
		parts = append(parts, model.Part{Level: level})
	}
	for _, b := range borders {
		parts = append(parts, model.Part{Level: level, From: b.Name})
	}
	for i := range parts {
		parts[i].To = to
		if i+1 < len(parts) {
			parts[i].To = parts[i+1].From
		}
	}
	return parts
}
