package worker

import (
	"testing"
	"time"
)

// Who waits for a few uploads learns after a second how far they are. For thousands of them that is not worth its cost.
func TestProgressDelay(t *testing.T) {
	for uploads, want := range map[int]time.Duration{1: 1050 * time.Millisecond, 20: 2 * time.Second, 200: 2 * time.Second} {
		if got := progressDelay(uploads); got != want {
			t.Errorf("%d uploads: learned after %v, want %v", uploads, got, want)
		}
	}
}
