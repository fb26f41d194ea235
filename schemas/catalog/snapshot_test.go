package catalog_test

import (
	"testing"
	"time"

	"repomill/schemas/catalog"
)

func TestSnapshotPeriodsBegin(t *testing.T) {
	for _, tt := range []struct {
		period     catalog.SnapshotPeriod
		time, want string
	}{
		{catalog.Daily, "2026-11-29T00:00:00Z", "2026-11-29T00:00:00Z"},
		{catalog.Daily, "2026-11-29T23:59:59Z", "2026-11-29T00:00:00Z"},
		{catalog.Daily, "2026-11-30T00:30:00+01:00", "2026-11-29T00:00:00Z"},
		{catalog.Weekly, "2026-11-29T23:59:59Z", "2026-11-23T00:00:00Z"}, // a Sunday
		{catalog.Weekly, "2026-11-30T00:00:00Z", "2026-11-30T00:00:00Z"}, // a Monday
		{catalog.Weekly, "2026-12-02T12:00:00Z", "2026-11-30T00:00:00Z"},
	} {
		at, err := time.Parse(time.RFC3339, tt.time)
		if err != nil {
			t.Fatal(err)
		}
		if got := tt.period.Begin(at).Format(time.RFC3339); got != tt.want {
			t.Errorf("%s of %s began %s, want %s", tt.period, tt.time, got, tt.want)
		}
	}
}
