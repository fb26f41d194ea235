package main

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// A period is a duration that may also be given in days, as "90d", or in years of 365 days, as "2y".
type period time.Duration

// UnmarshalText implements encoding.TextUnmarshaler.
func (p *period) UnmarshalText(text []byte) error {
	s := string(text)
	if years, ok := strings.CutSuffix(s, "y"); ok {
		n, err := strconv.Atoi(years)
		if err != nil || n < 1 || n > 100 {
			return fmt.Errorf("%q: use a number of years such as 2y", s)
		}
		*p = period(time.Duration(n) * 365 * 24 * time.Hour)
		return nil
	}
	if days, ok := strings.CutSuffix(s, "d"); ok {
		n, err := strconv.Atoi(days)
		if err != nil || n < 1 || n > 36500 {
			return fmt.Errorf("%q: use a number of days such as 90d", s)
		}
		*p = period(time.Duration(n) * 24 * time.Hour)
		return nil
	}
	d, err := time.ParseDuration(s)
	if err != nil || d <= 0 {
		return fmt.Errorf("%q: use a duration such as 90d or 12h", s)
	}
	*p = period(d)
	return nil
}
