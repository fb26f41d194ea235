package pipelines

import (
	"context"
	"errors"
	"testing"
	"time"
)

// Whatever this machine's clock says, time is what the catalog says, and goes on while it says nothing.
func TestSharedClock(t *testing.T) {
	asked := 0
	answer, fault := time.Now().Add(time.Hour), error(nil)
	ask := func(context.Context) (time.Time, error) { asked++; return answer, fault }
	var c sharedClock
	for range 3 {
		if ahead := c.now(t.Context(), ask).Sub(answer); ahead < 0 || ahead > 10*time.Second {
			t.Errorf("the time is %s from the catalog's", ahead)
		}
	}
	if asked != 1 {
		t.Errorf("the catalog was asked %d times", asked)
	}
	c.asked = c.asked.Add(-2 * maxClockAge) // two minutes pass
	hangs := func(ctx context.Context) (time.Time, error) { <-ctx.Done(); return answer, ctx.Err() }
	if begin := time.Now(); c.now(t.Context(), hangs).Before(answer) || time.Since(begin) > 5*clockLimit {
		t.Errorf("a catalog that hangs was waited for %s", time.Since(begin))
	}
	fault = errors.New("down")
	if on := c.now(t.Context(), ask).Sub(answer); on < 2*maxClockAge || on > 2*maxClockAge+20*time.Second {
		t.Errorf("the time went on for %s while the catalog was away, want two minutes", on)
	}
	answer, fault = answer.Add(-2*time.Hour), nil
	if ahead := c.now(t.Context(), ask).Sub(answer); ahead < 0 || ahead > 10*time.Second || asked != 3 {
		t.Errorf("asked %d times, the time is %s from the catalog's", asked, ahead)
	}
}
