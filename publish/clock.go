package publish

import (
	"fmt"
	"time"

	"repomill/publish/tree"
)

const (
	// maxSkew is the largest accepted difference between this machine's clock and the store's.
	maxSkew = 5 * time.Second
	// maxAhead is how far in the future a release may be dated. apt refuses 10 seconds.
	maxAhead = 5 * time.Second
)

// A skew is the difference between this machine's clock and the store's: positive if this machine's is ahead.
type skew struct {
	ahead time.Duration
	here  time.Time
	there time.Time
}

// skewOf compares the store's time with this machine's times before the request and after the answer. The
// skew is 0 for a store's time between the two.
func skewOf(before, there, after time.Time) skew {
	s := skew{here: after, there: there}
	switch {
	case there.Before(before):
		s.ahead = before.Sub(there)
	case there.After(after):
		s.ahead = after.Sub(there)
	}
	return s
}

// checkClock returns an error if the clocks differ by more than maxSkew. One of them is wrong then, and so would be dates, the age
// of objects or the expiry of signed URLs.
func checkClock(s skew) error {
	if s.ahead.Abs() <= maxSkew {
		return nil
	}
	way := "ahead of"
	if s.ahead < 0 {
		way = "behind"
	}
	return fmt.Errorf("this machine's clock is %s %s that of the store behind --bucket (%s here, %s there): set the clock right, by NTP for example; nothing is published until then",
		s.ahead.Abs().Round(time.Second), way, s.here.UTC().Format(time.RFC3339), s.there.UTC().Format(time.RFC3339))
}

// ahead reports whether a release is dated more than maxAhead in the future: clients would refuse the next date.
func ahead(old tree.Published) bool { return old.Exists && old.Date.After(old.Now.Add(maxAhead)) }

// nextDate returns the date of the next publish: the store's time or, if that is not later than the last date, one second after
// the last date. If the last date is in the future ([Publisher.Redate]), it is the store's time.
func nextDate(old tree.Published) time.Time {
	date := old.Now.UTC().Truncate(time.Second)
	if earliest := old.Date.Add(time.Second); old.Exists && !ahead(old) && date.Before(earliest) {
		return earliest
	}
	return date
}
