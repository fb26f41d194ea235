package stall_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"repomill/schemas/stall"
)

// other is a key of another package.
type other struct{}

func TestWorkThatMovesGoesOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := stall.Limit(t.Context(), time.Minute)
		defer cancel()
		below, done := context.WithTimeout(context.WithValue(ctx, other{}, "b"), time.Hour)
		defer done()
		for range 30 {
			time.Sleep(59 * time.Second)
			stall.Moved(below)
		}
		if ctx.Err() != nil {
			t.Fatalf("after half an hour of progress: %v", context.Cause(ctx))
		}
		time.Sleep(59 * time.Second)
		synctest.Wait()
		if ctx.Err() != nil {
			t.Errorf("after 59 s of silence: %v", context.Cause(ctx))
		}
		time.Sleep(2 * time.Second)
		synctest.Wait()
		err := stall.Explain(ctx, ctx.Err())
		if e, ok := errors.AsType[*stall.Error](err); !ok || e.Limit != time.Minute || !errors.Is(err, context.Canceled) {
			t.Errorf("after 61 s of silence: %v", err)
		}
	})
}

func TestEndOfWorkIsNoStall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := stall.Limit(t.Context(), time.Minute)
		cancel()
		time.Sleep(time.Hour)
		if err := stall.Explain(ctx, ctx.Err()); err != context.Canceled { //nolint:errorlint // itself, and nothing more
			t.Errorf("got %v", err)
		}
	})
	stall.Moved(t.Context()) // without a limit, it is nothing
	if err := stall.Explain(t.Context(), nil); err != nil {
		t.Error(err)
	}
}
