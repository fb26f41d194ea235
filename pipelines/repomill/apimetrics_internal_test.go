package main

import (
	"testing"
)

// An alert sees the first fault of each call: its counter begins with 0.
func TestAPICountersBeginWithZero(t *testing.T) {
	families, err := newAPIMetrics().registry().Gather()
	if err != nil {
		t.Fatal(err)
	}
	zeros := map[string]bool{}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			if f.GetName() == "repomill_api_calls_total" && m.GetCounter().GetValue() == 0 {
				zeros[m.GetLabel()[0].GetValue()+" "+m.GetLabel()[1].GetValue()] = true
			}
		}
	}
	for _, want := range []string{"upload 202", "upload 500", "upload 503", "upload 507", "session 503", "verdict 503", "exchange 503", "packagecloud 500"} {
		if !zeros[want] {
			t.Errorf("no counter of %q begins with 0: %v", want, zeros)
		}
	}
}
