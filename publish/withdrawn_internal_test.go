package publish

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"iter"
	"math/rand/v2"
	"slices"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"

	"repomill/publish/render"
	"repomill/publish/tree"
	"repomill/schemas/catalog"
	"repomill/schemas/layout"
)

// A withdrawnSet is withdrawn packages, in order.
type withdrawnSet []catalog.Package

// Withdrawn implements [withdrawnRows].
func (s withdrawnSet) Withdrawn(_ context.Context, from, to []byte) iter.Seq2[catalog.Package, error] {
	return func(yield func(catalog.Package, error) bool) {
		for _, k := range s {
			if bytes.Compare(k.SortKey, from) >= 0 && (to == nil || bytes.Compare(k.SortKey, to) < 0) && !yield(k, nil) {
				return
			}
		}
	}
}

// rendered renders spans of a list again and returns its chunks, and what names them.
func (s withdrawnSet) rendered(t *testing.T, chunks []tree.WithdrawnChunk, spans []withdrawnSpan) (l withdrawnList, next []tree.WithdrawnChunk) {
	t.Helper()
	r := catalog.Release{Repository: catalog.Repository{Owner: "acme", Name: "tools"}, Distribution: catalog.Distribution{OS: "ubuntu", Version: "jammy"}}
	var err error
	if l.bytes, err = render.NewList(t.TempDir()); err != nil {
		t.Fatal(err)
	}
	defer l.close()
	if err := l.render(t.Context(), s, r, chunks, spans); err != nil {
		t.Fatal(err)
	}
	if l.root == nil {
		return l, nil
	}
	body, err := io.ReadAll(l.root.index.Body())
	if err != nil {
		t.Fatal(err)
	}
	list, err := tree.ReadWithdrawnList(t.Context(), oneObject(body), r, tree.Manifest{Withdrawn: l.object})
	if err != nil {
		t.Fatal(err)
	}
	return l, list.Chunks
}

// A universe is packages of which some are withdrawn: many share their sort key with one of another component, and edges are sort keys
// that start a chunk, or are beside one that does.
func universe(t *testing.T, n int) (all withdrawnSet, edges []int) {
	for i := range n {
		key := []byte(fmt.Sprintf("package-%05d", i))
		for _, component := range []string{"contrib", "main"}[i%2:] {
			all = append(all, catalog.Package{Name: string(key), Component: component, SortKey: key, State: catalog.Yanked, Yank: &catalog.Yank{Reason: "old"}})
		}
	}
	_, chunks := all.rendered(t, nil, []withdrawnSpan{{}})
	for _, c := range chunks {
		at, _ := slices.BinarySearchFunc(all, c.Start, func(k catalog.Package, key []byte) int { return bytes.Compare(k.SortKey, key) })
		for i := max(at-2, 0); i <= min(at+2, len(all)-1); i++ {
			edges = append(edges, i)
		}
	}
	return all, edges
}

// After any change, a list that is updated has the bytes of one that is made of all rows.
func TestWithdrawnListIsAFunctionOfRows(t *testing.T) {
	all, edges := universe(t, 4000)
	if len(edges) < 5*4 {
		t.Fatalf("%d edges: there is nothing to join or to divide", len(edges))
	}
	for seed := range uint64(8) {
		random := rand.New(rand.NewPCG(seed, 1))
		withdrawn := make([]bool, len(all))
		share := []float64{0, 0.001, 0.5, 1}[seed%4]
		for i := range withdrawn {
			withdrawn[i] = random.Float64() < share
		}
		set := func() (s withdrawnSet) {
			for i, k := range all {
				if withdrawn[i] {
					s = append(s, k)
				}
			}
			return s
		}
		_, chunks := set().rendered(t, nil, []withdrawnSpan{{}})
		for round := range 21 {
			var keys [][]byte
			for range 1 + random.IntN([]int{1, 4, 60}[round%3]) {
				i := random.IntN(len(all))
				if random.IntN(2) == 0 {
					i = edges[random.IntN(len(edges))]
				}
				if random.IntN(8) > 0 { // else it went and came back
					withdrawn[i] = !withdrawn[i]
				}
				keys = append(keys, all[i].SortKey)
			}
			slices.SortFunc(keys, bytes.Compare)
			keys = slices.CompactFunc(keys, bytes.Equal)
			updated, next := set().rendered(t, chunks, withdrawnSpans(chunks, keys))
			whole, want := set().rendered(t, nil, []withdrawnSpan{{}})
			if diff := gocmp.Diff(want, next); diff != "" || object(updated.object) != object(whole.object) {
				t.Fatalf("seed %d, round %d: chunks (-whole +updated):\n%s", seed, round, diff)
			}
			if len(updated.chunks) > 3*len(keys) {
				t.Errorf("seed %d, round %d: %d of %d chunks were made for %d keys", seed, round, len(updated.chunks), len(next), len(keys))
			}
			chunks = next
		}
	}
}

// Packages that share a sort key are in one chunk, also where that key starts one.
func TestWithdrawnChunkHasAllOfASortKey(t *testing.T) {
	all, _ := universe(t, 4000)
	_, chunks := all.rendered(t, nil, []withdrawnSpan{{}})
	rows := 0
	for i, c := range chunks {
		var to []byte
		if i+1 < len(chunks) {
			to = chunks[i+1].Start
		}
		n := 0
		for range all.Withdrawn(t.Context(), c.Start, to) {
			n++
		}
		if n != c.Rows {
			t.Errorf("chunk %d has %d rows, and %d have its sort keys", i, c.Rows, n)
		}
		rows += c.Rows
	}
	if rows != len(all) || len(chunks) < 4 {
		t.Errorf("%d of %d rows in %d chunks", rows, len(all), len(chunks))
	}
}

// A oneObject is a bucket whose objects all have the same bytes.
type oneObject []byte

// Get implements [tree.Reader].
func (o oneObject) Get(context.Context, string) (io.ReadCloser, layout.Meta, error) {
	return io.NopCloser(bytes.NewReader(o)), layout.Meta{Version: "1", Size: int64(len(o))}, nil
}

// Stat implements [tree.Reader].
func (o oneObject) Stat(context.Context, string) (layout.Meta, error) {
	return layout.Meta{Version: "1", Size: int64(len(o))}, nil
}
