package serve

import (
	"log/slog"
	"sync/atomic"
	"time"
)

// quiet is how long a fault that every request meets is not told again.
const quiet = 10 * time.Second

// A faultLog tells of faults now and then: with the bucket away, each request meets one. The zero
// faultLog is ready for use.
type faultLog struct{ last atomic.Int64 } // seconds since 1970

func (f *faultLog) log(log *slog.Logger, now time.Time, message string, args ...any) {
	last := f.last.Load()
	if age := now.Unix() - last; age < 0 || age >= int64(quiet/time.Second) {
		if f.last.CompareAndSwap(last, now.Unix()) {
			log.Error(message, args...)
		}
	}
}
