package versus_test

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
)

// A curve is what one change costs in releases of growing size.
type curve struct {
	name   string
	points map[int]float64 // CPU milliseconds by packages
}

// curves returns those of BenchmarkOneMoreOfMany, of repomill and of what the bytes cost.
func curves(figures []figure) (found []curve) {
	index := map[string]int{}
	for _, f := range figures {
		benchmark, size, _ := strings.Cut(f.work, "=")
		os, isGrowth := strings.CutPrefix(benchmark, "OneMoreOfMany/")
		packages, err := strconv.Atoi(size)
		if !isGrowth || err != nil || f.e.cpu <= 0 {
			continue
		}
		name := os + ": " + f.who
		if _, ok := index[name]; !ok {
			index[name] = len(found)
			found = append(found, curve{name, map[int]float64{}})
		}
		found[index[name]].points[packages] = f.e.cpu.Seconds() * 1000
	}
	return found
}

const (
	plotWidth, plotHeight = 720, 420
	plotMargin            = 56
)

var plotColors = []string{"#1f6feb", "#8ab4f8", "#b35900", "#e0b080", "#2e7d32", "#a5d6a7", "#6a1b9a", "#ce93d8"}

// plot draws curves with logarithmic axes: a cost that grows like the release is a line with the slope of the grid's diagonal.
func plot(all []curve) string {
	var sizes, costs []float64
	for _, c := range all {
		for n, ms := range c.points {
			sizes, costs = append(sizes, float64(n)), append(costs, ms)
		}
	}
	left, right := math.Floor(math.Log10(slices.Min(sizes))), math.Ceil(math.Log10(slices.Max(sizes)))
	bottom, top := math.Floor(math.Log10(slices.Min(costs))), math.Ceil(math.Log10(slices.Max(costs)))
	right, top = max(right, left+1), max(top, bottom+1)
	x := func(n float64) float64 {
		return plotMargin + (plotWidth-2*plotMargin)*(math.Log10(n)-left)/(right-left)
	}
	y := func(ms float64) float64 {
		return plotHeight - plotMargin - (plotHeight-2*plotMargin)*(math.Log10(ms)-bottom)/(top-bottom)
	}
	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" font-family="sans-serif" font-size="12">`+"\n", plotWidth, plotHeight+20*len(all))
	b.WriteString(`<rect width="100%" height="100%" fill="#fff"/>` + "\n")
	fmt.Fprintf(&b, `<text x="%d" y="24">CPU milliseconds of one more package, by packages in the release</text>`+"\n", plotMargin)
	for e := left; e <= right; e++ {
		at := x(math.Pow(10, e))
		fmt.Fprintf(&b, `<path d="M%.1f %d V%d" stroke="#ddd"/><text x="%.1f" y="%d" text-anchor="middle" fill="#666">%.0f</text>`+"\n", at, plotMargin, plotHeight-plotMargin, at, plotHeight-plotMargin+18, math.Pow(10, e))
	}
	for e := bottom; e <= top; e++ {
		at := y(math.Pow(10, e))
		fmt.Fprintf(&b, `<path d="M%d %.1f H%d" stroke="#ddd"/><text x="%d" y="%.1f" text-anchor="end" fill="#666">%g</text>`+"\n", plotMargin, at, plotWidth-plotMargin, plotMargin-6, at+4, math.Pow(10, e))
	}
	for i, c := range all {
		color := plotColors[i%len(plotColors)]
		var line, dots strings.Builder
		for _, n := range slices.Sorted(maps.Keys(c.points)) {
			px, py := x(float64(n)), y(c.points[n])
			fmt.Fprintf(&line, "%.1f,%.1f ", px, py)
			fmt.Fprintf(&dots, `<circle cx="%.1f" cy="%.1f" r="3" fill="%s"><title>%s, %d packages: %.1f ms</title></circle>`, px, py, color, c.name, n, c.points[n])
		}
		fmt.Fprintf(&b, `<polyline fill="none" stroke="%s" stroke-width="2" points="%s"/>%s`+"\n", color, line.String(), dots.String())
		fmt.Fprintf(&b, `<rect x="%d" y="%d" width="12" height="12" fill="%s"/><text x="%d" y="%d">%s</text>`+"\n", plotMargin, plotHeight-16+20*i, color, plotMargin+20, plotHeight-6+20*i, c.name)
	}
	b.WriteString("</svg>\n")
	return b.String()
}
