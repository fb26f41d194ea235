package upload

import (
	"cmp"
	"time"
)

// Limits bound a body, and how many pass the API by. A zero is replaced by a default. How many arrive at a time is the gate's to bound.
type Limits struct {
	MaxSize  int64         // of a package, in bytes
	MinRate  int64         // bytes a second that a body has to arrive with, besides Patience
	Patience time.Duration // how long a body may take in addition, and how long it may pause

	Sessions     float64 // that a principal may begin in a second
	SessionBurst int     // at once beyond that
}

const (
	defaultMaxSize = 8 << 30
	maxWait        = time.Minute
	curlWait       = 50 * time.Second // below the minute after which proxies give up
)

func (l Limits) orDefaults() Limits {
	return Limits{
		MaxSize: cmp.Or(l.MaxSize, defaultMaxSize),
		MinRate: cmp.Or(l.MinRate, 8<<10), Patience: cmp.Or(l.Patience, 30*time.Second),
		Sessions: cmp.Or(l.Sessions, 10), SessionBurst: cmp.Or(l.SessionBurst, 200),
	}
}
