package input

import (
	"io"
	"sync/atomic"
	"testing"
)

// TestVerificationsAreBounded: of many payloads some are unpacked at a time, each in its turn, and what is given up waits for none.
func TestVerificationsAreBounded(t *testing.T) {
	var now, most atomic.Int64
	began := make(chan int, 2*maxUnpacking)
	start := func(i int) *Verification {
		return Verify(func(payload io.Reader) error {
			if n := now.Add(1); n > most.Load() {
				most.Store(n)
			}
			defer now.Add(-1)
			began <- i
			_, err := io.Copy(io.Discard, payload)
			return err
		})
	}
	var all []*Verification
	for i := range maxUnpacking {
		all = append(all, start(i))
		<-began
	}
	given := start(-1)
	waits := start(maxUnpacking)
	given.Close() // while all others unpack
	for i, v := range append(all, waits) {
		if err := v.Result(); err != nil {
			t.Errorf("payload %d: %v", i, err)
		}
	}
	if i := <-began; i != maxUnpacking || len(began) > 0 || most.Load() != maxUnpacking || now.Load() != 0 {
		t.Errorf("payload %d began last, %d others did beside it; %d were unpacked at the same time, and %d are still", i, len(began), most.Load(), now.Load())
	}
}
