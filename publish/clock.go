package publish

import (
	"fmt"
	"time"

	"repomill/publish/tree"
)

const (
	// maxSkew is how far this machine's clock may be from the store's.
	maxSkew = 5 * time.Second
	// maxAhead is how far a release may be dated in the future. apt refuses 10 seconds.
	maxAhead = 5 * time.Second
)

// A skew is how far this machine's clock is ahead of the store's; negative if it is behind.
type skew struct {
	ahead time.Duration
	here  time.Time
	there time.Time
}

// skewOf compares the store's time with that of this machine before the store was asked and after it
// had answered. Between the two there is no telling.
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

// checkClock refuses to publish by a clock that is wrong: whichever of the two it is, dates, the age of
// objects and the ends of signed URLs would be wrong with it.
func checkClock(s skew) error {
	if s.ahead.Abs() <= maxSkew {
		return nil
	}
	way := "ahead of"
	if s.ahead < 0 {
		way = "behind"
	}
	return fmt.Errorf("this machine's clock is %s %s that of the store behind --bucket (%s here, %s there): set the clock right, by NTP for example; nothing is published before that",
		s.ahead.Abs().Round(time.Second), way, s.here.UTC().Format(time.RFC3339), s.there.UTC().Format(time.RFC3339))
}

// ahead reports whether a release is dated so far in the future that clients would refuse the next date.
func ahead(old tree.Published) bool { return old.Exists && old.Date.After(old.Now.Add(maxAhead)) }

// nextDate is the store's time or, if clients could take that for older, a second after the last date.
// It is the store's time, too, if the last date is in the future: whoever asks then wants it corrected.
func nextDate(old tree.Published) time.Time {
	date := old.Now.UTC().Truncate(time.Second)
	if earliest := old.Date.Add(time.Second); old.Exists && !ahead(old) && date.Before(earliest) {
		return earliest
	}
	return date
}
