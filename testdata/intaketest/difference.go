package intaketest

import (
	"regexp"
	"testing"

	"repomill/schemas/catalog"
)

// A Difference is a kind of package that we refuse on purpose, although another program takes it.
type Difference = struct {
	Detail string // regular expression of what the rejection says
	Why    string
}

// A Comparison counts the packages of each difference.
type Comparison struct {
	differences []Difference
	patterns    []*regexp.Regexp
	seen        []int
	agreed      int
}

// NewComparison begins a comparison in which there are these differences.
func NewComparison(differences []Difference) *Comparison {
	c := &Comparison{differences: differences, seen: make([]int, len(differences))}
	for _, d := range differences {
		c.patterns = append(c.patterns, regexp.MustCompile(d.Detail))
	}
	return c
}

// Accepted counts a package that both take.
func (c *Comparison) Accepted() { c.agreed++ }

// Refused fails the test if it is for no known reason that we refuse what the other program takes.
func (c *Comparison) Refused(t testing.TB, name string, rej *catalog.Rejection) {
	t.Helper()
	for i, p := range c.patterns {
		if p.MatchString(rej.Detail) {
			c.seen[i]++
			return
		}
	}
	t.Errorf("%s: the other program takes it, and we say %v", name, rej)
}

// End logs the list of differences with how many packages of so many showed each, and fails the test if one was
// never seen, or too few packages were accepted for the comparison to say much.
func (c *Comparison) End(t testing.TB, packages int) {
	t.Helper()
	for i, d := range c.differences {
		t.Logf("%4d %s: %s", c.seen[i], d.Detail, d.Why)
		if c.seen[i] == 0 {
			t.Errorf("no package differs in that %s", d.Detail)
		}
	}
	t.Logf("%d packages, %d accepted", packages, c.agreed)
	if c.agreed < packages/10 {
		t.Error("too few packages are accepted for a comparison")
	}
}
