package versus_test

import (
	"strings"
	"testing"
	"time"
)

func TestFigureSaysWhichBarsAreMet(t *testing.T) {
	own := expense{cpu: 2 * time.Second, wall: time.Second, peak: 600}
	for fact, tt := range map[string]struct {
		f    figure
		want string
	}{
		"CPU and wall have a bar each": {
			figure{who: "peer", e: expense{cpu: 4 * time.Second, wall: 2 * time.Second}, bar: 0.5, wallBar: 0.4},
			"0.500 0.500 CPU ≤ 0.5: met; wall ≤ 0.4: **not met**",
		},
		"a peer without a bar has shares alone": {figure{who: "peer", e: expense{cpu: time.Second, wall: time.Second}}, "2.000 1.000 "},
		"an allowance has no wall time":         {figure{who: "peer", e: expense{cpu: time.Second}, bar: 1}, "2.000  CPU ≤ 1: **not met**"},
		"repomill has limits of its own":        {figure{who: ours, e: own, limits: []limit{{"peak ≤ 512 MB", false}}}, "  peak ≤ 512 MB: **not met**"},
	} {
		cpu, wall, bars := tt.f.beside(own)
		if got := strings.Join([]string{cpu, wall, strings.Join(bars, "; ")}, " "); got != tt.want {
			t.Errorf("%s: got %q, want %q", fact, got, tt.want)
		}
	}
}
