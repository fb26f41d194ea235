package year_test

import "testing"

// What is bounded may go up and down; what has no bound is found within a year.
func TestGrewFindsWhatHasNoBound(t *testing.T) {
	t.Parallel()
	flat, rising, waves := make([]float64, 12), make([]float64, 12), make([]float64, 12)
	for i := range 12 {
		flat[i], rising[i], waves[i] = 1000, 100*float64(i+1), 1000+50*float64(i%3)
	}
	flat[0], flat[1] = 200, 700 // it fills at first
	for name, test := range map[string]struct {
		months []float64
		want   bool
	}{
		"flat after it has filled":          {flat, false},
		"a number of rows a day, for good":  {rising, true},
		"up and down":                       {waves, false},
		"a few rows in an almost empty one": {[]float64{0, 0, 0, 1, 1, 1, 2, 2, 2}, false},
		"two months":                        {[]float64{1, 1000}, false},
	} {
		if _, _, got := grew(test.months, slack); got != test.want {
			t.Errorf("%s: grew = %t", name, got)
		}
	}
}

// A table that is not named as one that is kept is judged, also one that is added later.
func TestJudgeKnowsAllTables(t *testing.T) {
	t.Parallel()
	var months []month
	for i := range 12 {
		months = append(months, month{rows: map[string]int{"packages": 1000 * i, "later": 1000 * i, "uploads": 500}})
	}
	if wrong := judge(months); len(wrong) != 1 || wrong[0] != "table later had 5500 rows, and 9500 later" {
		t.Errorf("judge = %q", wrong)
	}
}
