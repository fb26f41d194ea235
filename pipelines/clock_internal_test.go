package pipelines

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

// Time is what the catalog's clock says, even if this machine's clock is wrong, and goes on while the catalog does not answer.
func TestSharedClock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		asked := 0
		answer, fault := time.Now().Add(time.Hour), error(nil)
		ask := func(context.Context) (time.Time, error) { asked++; return answer, fault }
		var c sharedClock
		for range 3 {
			if got := c.now(t.Context(), ask); !got.Equal(answer) {
				t.Errorf("the time is %s from the catalog's", got.Sub(answer))
			}
		}
		if asked != 1 {
			t.Errorf("the catalog was asked %d times", asked)
		}
		time.Sleep(2 * maxClockAge)
		hangs := func(ctx context.Context) (time.Time, error) { <-ctx.Done(); return answer, ctx.Err() }
		begin, want := time.Now(), answer.Add(2*maxClockAge+clockLimit)
		if got := c.now(t.Context(), hangs); !got.Equal(want) || time.Since(begin) != clockLimit {
			t.Errorf("a catalog that hangs was waited for %s; then it was %s", time.Since(begin), got.Sub(answer))
		}
		fault = errors.New("down")
		if got := c.now(t.Context(), ask); !got.Equal(want) || asked != 2 {
			t.Errorf("asked %d times; the time went on for %s while the catalog was away, want %s", asked, got.Sub(answer), want.Sub(answer))
		}
		answer, fault = answer.Add(-2*time.Hour), nil
		if got := c.now(t.Context(), ask); !got.Equal(answer) || asked != 3 {
			t.Errorf("asked %d times, the time is %s from the catalog's", asked, got.Sub(answer))
		}
	})
}
