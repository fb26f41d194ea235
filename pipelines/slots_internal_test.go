package pipelines

import (
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// TestSlots: each task runs once, as many at a time as there is room for.
func TestSlots(t *testing.T) {
	const slots = 8
	for _, tt := range []struct {
		name         string
		small, large int
		want         int // at a time
	}{
		{"small ones", 20, 0, slots},
		{"large ones", 0, 5, slots / largeSlots},
		{"fewer than slots", 3, 0, 3},
		{"none", 0, 0, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var tasks []Task
				for range tt.small {
					tasks = append(tasks, Task{Size: largePackage - 1})
				}
				for range tt.large {
					tasks = append(tasks, Task{Size: largePackage})
				}
				var mu sync.Mutex
				ran := map[int]int{}
				var now, most, waiting int
				waits := func(n int) {
					mu.Lock()
					waiting += n
					mu.Unlock()
				}
				inSlots(tasks, slots, waits, func(i int) {
					mu.Lock()
					ran[i]++
					now++
					most = max(most, now)
					first := len(ran) == 1
					mu.Unlock()
					if first {
						synctest.Wait() // all others sleep or wait for room
						mu.Lock()
						if want := min(slots, tt.small+tt.large) - tt.want; waiting != want {
							t.Errorf("%d wait for room, want %d", waiting, want)
						}
						mu.Unlock()
					}
					time.Sleep(time.Second) // until all that have room are here
					mu.Lock()
					now--
					mu.Unlock()
				})
				for i := range tasks {
					if ran[i] != 1 {
						t.Errorf("task %d ran %d times", i, ran[i])
					}
				}
				if waiting != 0 {
					t.Errorf("%d wait for room in the end", waiting)
				}
				if most != tt.want {
					t.Errorf("%d at a time, want %d", most, tt.want)
				}
			})
		})
	}
}
