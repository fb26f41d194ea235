package doctor

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// A file may have as many logins as anybody likes; the time goes with their number, not with its square.
func TestManyLoginsAreHiddenInLittleTime(t *testing.T) {
	const many = 200_000
	var s secrets
	begun := time.Now()
	for n := range many {
		s.addLogin("user", fmt.Sprintf("password-%d", n))
	}
	r := Report{Findings: []Finding{{Detail: "with password-1999 and password-199999"}}}
	s.hide(&r)
	if took := time.Since(begun); took > 20*time.Second {
		t.Errorf("%d logins took %v", many, took)
	}
	if got := r.Findings[0].Detail; strings.Contains(got, "9") || got != "with *** and ***" {
		t.Errorf("got %q", got)
	}
}
