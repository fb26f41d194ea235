package stats

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"repomill/schemas/catalog"
)

// Counts of the largest ends are exact for every order in which parts are merged: whole downloads have the largest end.
func TestEndsAreTheSameInEveryOrder(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 200 {
		values := make([]int64, 1+r.IntN(60))
		for i := range values {
			values[i] = int64(r.IntN(30))
		}
		var want ends
		for _, v := range values {
			want.add(v, 1)
		}
		parts := make([]ends, 1+r.IntN(5))
		for _, i := range r.Perm(len(values)) {
			parts[r.IntN(len(parts))].add(values[i], 1)
		}
		var got ends
		for _, i := range r.Perm(len(parts)) {
			got.merge(&parts[i])
		}
		if diff := cmp.Diff(want.largest, got.largest); diff != "" || want.below != got.below {
			t.Fatalf("ends of %v: below %d, want %d (-want +got):\n%s", values, got.below, want.below, diff)
		}
		sum := got.below
		for i, e := range got.largest {
			sum += e.Count
			if i > 0 && e.Byte >= got.largest[i-1].Byte || i >= maxEnds {
				t.Errorf("ends are %v", got.largest)
			}
		}
		if sum != int64(len(values)) {
			t.Errorf("%d answers became %d", len(values), sum)
		}
	}
}

// Many partial answers of different lengths take the place of nothing: the whole ones are counted.
func TestPartialAnswersHideNoDownload(t *testing.T) {
	var log strings.Builder
	for n := range 3290 {
		log.WriteString(nginx("GET "+deb+" HTTP/1.1", fmt.Sprintf("200 %d ", n)+apt))
		if n%100 == 0 {
			log.WriteString(nginx("GET "+deb+" HTTP/1.1", "200 3290 "+apt))
		}
	}
	res, err := read(t.Context(), strings.NewReader(log.String()), 0, true)
	if err != nil || len(res.rows) != 1 {
		t.Fatal(res, err)
	}
	for _, n := range res.rows {
		if n.largest[0] != (catalog.End{Byte: 3290, Count: 33}) || n.below != 3290-maxEnds+1 {
			t.Errorf("got %v and %d below", n.largest, n.below)
		}
	}
}

// Agents with other versions each time make no more rows than versions that are kept.
func TestVersionsOfClientsAreBounded(t *testing.T) {
	c := newCounter()
	for n := range 5 * maxVersions {
		c.add(&entry{day: day, get: true, status: 200, path: []byte(deb), agent: fmt.Appendf(nil, "curl/%d.%d", n/100, n%100), end: 3290})
	}
	if len(c.counts) > maxVersions+1 || c.lines.Other+c.lines.Bots > 0 {
		t.Errorf("%d rows, %+v", len(c.counts), c.lines)
	}
	rows := map[row]*ends{}
	c.rows(rows)
	sum := int64(0)
	for _, n := range rows {
		sum += n.largest[0].Count
	}
	if sum != 5*maxVersions {
		t.Errorf("%d downloads, want %d", sum, 5*maxVersions)
	}
}
