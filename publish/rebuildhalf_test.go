package publish_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"strings"
	"testing"
	"time"

	"repomill/publish"
	"repomill/schemas/catalog"
	"repomill/schemas/catalogdb"
	"repomill/testdata/rpmtest"
)

// A halfway catalog has something happen in the middle of a rebuild: after the rows of a first batch, when they are read to be imported.
type halfway struct {
	publish.Catalog
	reading int // the last one
	happens func() error
}

func (c halfway) Rebuild(ctx context.Context, r catalog.Release, rows iter.Seq2[catalog.Package, error], published catalog.Revision, now time.Time) (catalogdb.Recovered, error) {
	reading := 0
	return c.Catalog.Rebuild(ctx, r, func(yield func(catalog.Package, error) bool) {
		reading++
		n := 0
		for k, err := range rows {
			if n++; reading == c.reading && n == 2 {
				if err := c.happens(); err != nil {
					yield(catalog.Package{}, err)
					return
				}
			}
			if !yield(k, err) {
				return
			}
		}
	}, published, now)
}

// The catalog lost two rows that clients see. A rebuild that is killed half-way, or beside which another worker publishes, never has clients see
// one of them: the published indexes are all that has them.
func TestHalfOfARebuildIsNotPublished(t *testing.T) {
	skipUnderRace(t)
	for _, reading := range []int{1, 2} { // a rebuild may read rows once, or first to check them
		for _, dies := range []bool{true, false} {
			simulate(t, func(t *testing.T, w *world) {
				large := rpmtest.Spec{Name: "a-large"} // its list of files fills a batch
				for i := range 20_000 {
					large.Ghosts = append(large.Ghosts, fmt.Sprintf("/usr/share/a-large/%s/%d", strings.Repeat("x", 230), i))
				}
				w.push(w.rpm(el9, large), w.rpm(el9, rpmtest.Spec{Name: "b-small"}))
				w.publish(el9)
				time.Sleep(time.Minute)
				for _, query := range []string{`UPDATE uploads SET package_id = NULL`, `DELETE FROM visibility`, `DELETE FROM packages`} {
					w.database(query)
				}
				others := func() error {
					_, err := newPublisher(t, w.config()).Release(t.Context(), el9)
					return err
				}
				c := w.config()
				c.Catalog = halfway{w.db, reading, func() error {
					if dies {
						return errDied
					}
					return others()
				}}
				if _, err := newPublisher(t, c).Rebuild(t.Context(), el9); err != nil && !errors.Is(err, errDied) {
					t.Fatal(err)
				}
				time.Sleep(time.Minute)
				if err := others(); err != nil {
					t.Fatal(err)
				}
				if got, problems := w.read(el9); got.Packages != 2 || len(problems) > 0 {
					t.Errorf("reading %d, killed %t: clients see %d packages, want 2; %v", reading, dies, got.Packages, problems)
				}
				if _, err := newPublisher(t, w.config()).Rebuild(t.Context(), el9); err != nil {
					t.Fatal(err)
				}
				w.publish(el9)
				if got := w.check(el9); got.Packages != 2 {
					t.Errorf("reading %d, killed %t: at the end clients see %d packages, want 2", reading, dies, got.Packages)
				}
			})
		}
	}
}
