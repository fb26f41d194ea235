package main

import (
	"time"

	"repomill/schemas/catalog"
)

// A period is a duration as [catalog.ParsePeriod] reads it.
type period time.Duration

// UnmarshalText implements encoding.TextUnmarshaler.
func (p *period) UnmarshalText(text []byte) error {
	d, err := catalog.ParsePeriod(string(text))
	*p = period(d)
	return err
}
