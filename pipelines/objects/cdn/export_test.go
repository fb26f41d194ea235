package cdn

import "time"

// SetNow sets the clock that names invalidations.
func (c *CDN) SetNow(now time.Time) { c.now = func() time.Time { return now } }
