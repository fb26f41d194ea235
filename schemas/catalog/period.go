package catalog

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// ParsePeriod reads a duration that is more than zero, which may also be in days, as "90d", or in years of 365 days, as "2y". The error is a
// sentence for the user.
func ParsePeriod(s string) (time.Duration, error) {
	if years, ok := strings.CutSuffix(s, "y"); ok {
		n, err := strconv.Atoi(years)
		if err != nil || n < 1 || n > 100 {
			return 0, fmt.Errorf("%q: use a number of years such as 2y", s)
		}
		return time.Duration(n) * 365 * 24 * time.Hour, nil
	}
	if days, ok := strings.CutSuffix(s, "d"); ok {
		n, err := strconv.Atoi(days)
		if err != nil || n < 1 || n > 36500 {
			return 0, fmt.Errorf("%q: use a number of days such as 90d", s)
		}
		return time.Duration(n) * 24 * time.Hour, nil
	}
	d, err := time.ParseDuration(s)
	if err != nil || d <= 0 {
		return 0, fmt.Errorf("%q: use a duration such as 90d or 12h", s)
	}
	return d, nil
}
