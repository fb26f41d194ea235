package ingest

import (
	"testing"
	"time"
)

// SetGatherTime lets questions wait longer for each other in a test.
func SetGatherTime(t *testing.T, d time.Duration) {
	was := gatherTime
	gatherTime = d
	t.Cleanup(func() { gatherTime = was })
}
