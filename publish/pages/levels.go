package pages

import (
	"context"
	"crypto/sha256"
	"math/bits"
	"strings"

	"golang.org/x/sync/errgroup"

	"repomill/publish/pages/model"
	"repomill/schemas/layout"
)

// maxLevel bounds the levels: no repository has so many names.
const maxLevel = 5

// level returns how many levels of the list of names have a part that begins with a name. It follows from the name alone, so that a name
// that comes or goes changes the parts around it and no others.
func (m *Maker) level(name string) int {
	sum, zeros := sha256.Sum256([]byte(name)), 0
	for i := len(sum) - 1; i >= 0; i-- {
		n := bits.TrailingZeros8(sum[i])
		zeros += n
		if n < 8 {
			break
		}
	}
	return min(zeros/m.limits.bits, maxLevel)
}

// The two objects of the first part of a level say in which state the level is, so that an interrupted change of it is continued: while
// there is its twin, the level may have parts; while there is its page, it has them all.

// fillLevels makes all parts of the levels that the list needs and does not have.
func (w *work) fillLevels(ctx context.Context, highest int) error {
	for l := 0; l <= highest; l++ {
		complete, err := w.has(ctx, layout.NamesPageKey(w.repository, l, ""))
		if err != nil {
			return err
		}
		if complete {
			continue
		}
		if err := w.fillLevel(ctx, l); err != nil {
			return err
		}
	}
	return nil
}

func (w *work) fillLevel(ctx context.Context, l int) error {
	first := place{l, ""}
	err := w.replace(ctx, []string{layout.NamesTwinKey(w.repository, l, "")}, func(objects) ([]model.Page, error) {
		both, err := w.drawPart(ctx, first)
		return both[max(0, len(both)-1):], err
	})
	if err != nil {
		return err
	}
	begins, err := w.Catalog.PageNames(ctx, w.repository, l+1, "", "", maxPart)
	if err != nil {
		return err
	}
	g, limited := errgroup.WithContext(ctx)
	g.SetLimit(Parallel)
	for _, n := range begins {
		g.Go(func() error { return w.guard(func() error { return w.part(limited, place{l, n.Name}) }) })
	}
	if err := g.Wait(); err != nil {
		return err
	}
	return w.part(ctx, first)
}

// emptyLevels removes all parts of the levels that the list has no longer, the highest level first.
func (w *work) emptyLevels(ctx context.Context, highest int) error {
	beyond := highest
	for {
		has, err := w.has(ctx, layout.NamesTwinKey(w.repository, beyond+1, ""))
		if err != nil {
			return err
		}
		if !has {
			break
		}
		beyond++
	}
	for l := beyond; l > highest; l-- {
		page, twin := layout.NamesPageKey(w.repository, l, ""), layout.NamesTwinKey(w.repository, l, "")
		keys := []string{page}
		err := w.Bucket.List(ctx, strings.TrimSuffix(page, ".html")+"/", func(key string, _ layout.Meta) error {
			keys = append(keys, key)
			return nil
		})
		if err != nil {
			return err
		}
		for _, key := range append(keys, twin) {
			if err := w.removeKey(ctx, key); err != nil {
				return err
			}
		}
	}
	return nil
}
