package pages

import (
	"context"
	"errors"
	"fmt"

	"repomill/publish/pages/model"
	"repomill/schemas/catalogdb"
	"repomill/schemas/layout"
)

// A top is the first page of the list of names.
type top struct {
	level int                  // of the parts that it lists; -1 if it has all names
	names []catalogdb.PageName // all, or those that begin a part
}

// readTop returns the first page: of the lowest level that has few enough parts.
func (w *work) readTop(ctx context.Context) (t top, err error) {
	for t.level = -1; ; t.level++ {
		t.names, err = w.Catalog.PageNames(ctx, w.repository, t.level+1, "", "", w.limits.top+1)
		few := len(t.names) < w.limits.top || t.level < 0 && len(t.names) == w.limits.top // the first part has no name
		if err != nil || few || t.level == maxLevel {
			return t, err
		}
	}
}

// errMoved says that the first page lists another level than a moment ago.
var errMoved = fmt.Errorf("the list of names has more or fewer levels now: %w", layout.ErrConflict)

// top brings the first page of the list up to date, and the levels below it: those that it needs now have parts, and others have none any
// more.
func (w *work) top(ctx context.Context) error {
	for n := 1; ; n++ {
		err := w.topOnce(ctx)
		if !errors.Is(err, errMoved) || n == maxTries {
			return err
		}
	}
}

func (w *work) topOnce(ctx context.Context) error {
	is, err := w.readTop(ctx)
	if err != nil {
		return err
	}
	if err := w.fillLevels(ctx, is.level); err != nil {
		return err
	}
	keys := []string{layout.NamesPageKey(w.repository, -1, ""), layout.NamesTwinKey(w.repository, -1, "")}
	err = w.replace(ctx, keys, func(objects) ([]model.Page, error) {
		now, err := w.readTop(ctx)
		if err != nil {
			return nil, err
		}
		if now.level != is.level {
			return nil, errMoved
		}
		n := model.Names{Repository: w.about, Level: -1, Total: len(now.names)}
		if now.level < 0 {
			n.Lines = linesOf(now.names)
			return append(w.html.Names(n), w.twin.Names(n)), nil
		}
		front, err := w.Catalog.PageFront(ctx, w.repository, 0)
		if err != nil {
			return nil, err
		}
		n.Total, n.Parts = front.Names, partsBelow(now.level, "", now.names, "")
		return append(w.html.Names(n), w.twin.Names(n)), nil
	})
	if err != nil {
		return err
	}
	return w.emptyLevels(ctx, is.level)
}
