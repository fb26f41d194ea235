package pages_test

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/google/go-cmp/cmp"

	"repomill/schemas/catalog"
)

// A history changes a repository at random.
type history struct {
	*world
	rand      *rand.Rand
	next      int
	pushed    []pkg
	withdrawn []pkg
	snapshots map[int64]string // identifiers by number
}

func (h *history) step() {
	h.t.Helper()
	releases := []catalog.Release{jammy, noble, el9}
	switch n := h.rand.IntN(20); {
	case n < 9: // some names get many versions
		h.next++
		name := fmt.Sprintf("p%02d", min(h.rand.IntN(24), h.rand.IntN(24), h.rand.IntN(24)))
		p := pkg{releases[h.rand.IntN(3)], name, fmt.Sprintf("1.%d", h.next), fmt.Sprintf("summary %d", h.rand.IntN(3))}
		h.push(p)
		h.pushed = append(h.pushed, p)
	case n < 14 && len(h.pushed) > 0:
		i := h.rand.IntN(len(h.pushed))
		h.withdraw(h.pushed[i])
		h.withdrawn = append(h.withdrawn, h.pushed[i])
		h.pushed = append(h.pushed[:i:i], h.pushed[i+1:]...)
	case n < 15 && len(h.withdrawn) > 0:
		p := h.withdrawn[len(h.withdrawn)-1]
		if _, err := h.db.Unyank(h.t.Context(), p.selector(), h.at()); err != nil {
			h.t.Fatal(err)
		}
		h.withdrawn, h.pushed = h.withdrawn[:len(h.withdrawn)-1], append(h.pushed, p)
	case n < 16:
		h.publish()
		h.removeWithdrawn()
		h.withdrawn = nil
	case n < 17:
		h.setVisibility([]catalog.Visibility{catalog.Public, catalog.Private}[h.rand.IntN(2)])
	case n < 18:
		number, id := h.keep("", nil)
		h.snapshots[number] = id
		for number, id := range h.snapshots {
			if len(h.snapshots) > 9 {
				h.end(number, id)
				delete(h.snapshots, number)
			}
		}
	default:
		h.publish()
	}
}

// However the pages came about, with faults of the bucket and with none, they are those that are made from nothing.
func TestPagesFollowFromRows(t *testing.T) {
	for _, tt := range []struct {
		fact   string
		faults float64
	}{{"without faults", 0}, {"with a bucket that fails often", 0.05}} {
		for _, seed := range []uint64{0, 1, 19} {
			t.Run(fmt.Sprintf("%s, seed %d", tt.fact, seed), func(t *testing.T) {
				t.Parallel()
				h := &history{world: newWorld(t), rand: rand.New(rand.NewPCG(seed, 15)), snapshots: map[int64]string{}}
				for range 3 {
					for range 40 {
						h.step()
						if h.rand.IntN(3) == 0 {
							h.bucket.FailOften(tt.faults)
							h.make(h.maker())
							h.bucket.FailOften(0)
						}
					}
					h.publish()
					h.make(h.maker())
					got := h.pages()
					if diff := cmp.Diff(h.whole(), got); diff != "" {
						t.Fatalf("with %d packages, pages (-from nothing +step by step):\n%s", len(h.pushed), diff)
					}
				}
			})
		}
	}
}
