package worker

import (
	"context"
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

// A pass is done at once, at each period, and when there is a wish for it, one at a time, until its context ends.
func TestPassIsRepeated(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, stop := context.WithCancel(t.Context())
		begin, wish, ended := time.Now(), make(chan struct{}, 1), make(chan struct{})
		var times []time.Duration
		go func() {
			defer close(ended)
			every(ctx, time.Minute, wish, func() { times = append(times, time.Since(begin)) })
		}()
		time.Sleep(90 * time.Second)
		wish <- struct{}{}
		time.Sleep(60 * time.Second)
		stop()
		<-ended
		s := time.Second
		if want := []time.Duration{0, 60 * s, 90 * s, 120 * s}; !slices.Equal(times, want) {
			t.Errorf("done after %v, want %v", times, want)
		}
	})
}
