package pipelines

import (
	"context"
	"runtime"
	"sync"

	"golang.org/x/sync/semaphore"
)

// Packages are stored several at a time: distant stores are waited for, and what small packages ask of the catalog at the same time is one
// question ([ingest.Together]). A large one takes the room of several small ones, so that memory and connections stay bounded.
const (
	minLarge     = 8         // large packages that are stored at a time, at least
	largeSlots   = 4         // slots that a large one takes
	largePackage = 256 << 10 // bytes from which a package is large
)

// slotsOf returns how many slots this process has.
func slotsOf() int { return largeSlots * max(minLarge, runtime.GOMAXPROCS(0)) }

// inSlots runs f for each task, by its number, as many at a time as the slots have room for. The goroutines go on from task to task, since a new
// one would grow its stack for each package. waits gets how many tasks more, or less, wait for room: no question waits for theirs.
func inSlots(tasks []Task, slots int, waits func(n int), f func(i int)) {
	room := semaphore.NewWeighted(int64(slots))
	next := make(chan int)
	var workers sync.WaitGroup
	for range min(slots, len(tasks)) {
		workers.Go(func() {
			for i := range next {
				n := int64(1)
				if tasks[i].Size >= largePackage {
					n = largeSlots
				}
				if !room.TryAcquire(n) {
					waits(1)
					room.Acquire(context.Background(), n) //nolint:errcheck // the context does not end
					waits(-1)
				}
				f(i)
				room.Release(n)
			}
		})
	}
	for i := range tasks {
		next <- i
	}
	close(next)
	workers.Wait()
}
