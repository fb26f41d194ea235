package serve

import (
	"context"
	"log/slog"
	"sync/atomic"
	"time"
)

// logInterval is the least time between two lines of one limitedLogger.
const logInterval = 10 * time.Second

// A limitedLogger logs faults that every request may meet, such as an unreachable bucket: one line in each
// logInterval, and the rest is dropped. The zero limitedLogger is ready for use, concurrently too.
type limitedLogger struct{ last atomic.Int64 } // time of the last line, in seconds since 1970

func (l *limitedLogger) log(log *slog.Logger, level slog.Level, now time.Time, message string, args ...any) {
	last := l.last.Load()
	if age := now.Unix() - last; age < 0 || age >= int64(logInterval/time.Second) {
		if l.last.CompareAndSwap(last, now.Unix()) {
			log.Log(context.Background(), level, message, args...)
		}
	}
}
