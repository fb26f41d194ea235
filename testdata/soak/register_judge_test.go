package soak_test

import (
	"testing"
	"time"
)

// A register finds each read that no order of the states explains.
func TestRegister(t *testing.T) {
	t.Parallel()
	begin := time.Now()
	at := func(ms int) time.Time { return begin.Add(time.Duration(ms) * time.Millisecond) }
	type seen struct {
		digest     string
		begin, end int
	}
	states := []state{{"a", at(0)}, {"b", at(100)}, {"c", at(200)}}
	for name, test := range map[string]struct {
		reads []seen
		wrong int
	}{
		"each state in its time":                            {[]seen{{"a", 10, 20}, {"b", 110, 120}, {"c", 210, 220}}, 0},
		"a state that is left out":                          {[]seen{{"a", 10, 20}, {"c", 210, 220}}, 0},
		"two reads at a time, the later one returns before": {[]seen{{"b", 50, 90}, {"a", 40, 95}}, 0},
		"an earlier state after a later one":                {[]seen{{"b", 50, 60}, {"a", 70, 80}}, 1},
		"an earlier state after a later one was recorded":   {[]seen{{"a", 110, 120}}, 1},
		"a state that comes back":                           {[]seen{{"c", 190, 195}, {"b", 197, 198}, {"c", 210, 220}}, 1},
		"a state that was never published":                  {[]seen{{"x", 10, 20}}, 1},
		"no reads":                                          {nil, 0},
	} {
		var r register
		for _, s := range test.reads {
			r.saw(s.digest, at(s.begin), at(s.end))
		}
		if wrong := r.judge(states, 2*time.Millisecond); len(wrong) != test.wrong {
			t.Errorf("%s: %q, want %d", name, wrong, test.wrong)
		}
	}
}
