package collect_test

import (
	"strings"
	"testing"
	"time"

	"repomill/publish/collect"
)

func TestRetentionIsADayAtLeast(t *testing.T) {
	for _, d := range []time.Duration{-1, time.Second, 23 * time.Hour} {
		if _, err := collect.New(collect.Config{Retention: d}); err == nil || !strings.Contains(err.Error(), "--retention") {
			t.Errorf("%v: got %v", d, err)
		}
	}
	for _, d := range []time.Duration{0, collect.MinRetention} {
		if _, err := collect.New(collect.Config{Retention: d}); err != nil {
			t.Errorf("%v: %v", d, err)
		}
	}
}
