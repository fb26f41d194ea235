package catalog

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"
)

// A Deletion is that of a repository. Until a time the repository is empty, and can be brought back; then its objects are removed. The
// name stays taken.
type Deletion struct {
	At       time.Time  `json:"at"`
	Until    time.Time  `json:"until"`
	By       string     `json:"by,omitempty"`
	Why      string     `json:"why,omitempty"`
	Packages int        `json:"packages"`           // that were withdrawn with it
	Unused   bool       `json:"unused,omitempty"`   // it never had a package; of a part of a repository, it has no file of one
	Removing bool       `json:"removing,omitempty"` // it cannot be brought back any more
	Removed  *time.Time `json:"removed,omitempty"`  // when its objects were
	Final    bool       `json:"final,omitempty"`    // they were looked for once more: the name can be used again
	Digest   string     `json:"digest,omitempty"`   // of the plan that it was done by; empty for none
}

// String says in one sentence what is with the repository.
func (d Deletion) String() string {
	day := func(t time.Time) string { return t.UTC().Format("2006-01-02 15:04 MST") }
	switch {
	case d.Final:
		return fmt.Sprintf("it was deleted on %s, and its objects are removed; repomill repo create --reuse-deleted-name takes the name again", day(d.At))
	case d.Removing:
		return fmt.Sprintf("it was deleted on %s, and its objects are being removed", day(d.At))
	default:
		if d.Until.Sub(d.At) < time.Hour {
			day = func(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05 MST") }
		}
		return fmt.Sprintf("it was deleted on %s; until %s, repomill repo undelete brings it back", day(d.At), day(d.Until))
	}
}

// A DeletedPart is the deletion of a distribution of a repository, or of one component of it.
type DeletedPart struct {
	Distribution Distribution `json:"distribution"`
	Component    string       `json:"component,omitempty"` // empty for the distribution
	Deletion
}

// Target returns the name of a part of a repository.
func (p DeletedPart) Target(r Repository) PackageTarget {
	return PackageTarget{Repository: r, Distribution: p.Distribution, Component: p.Component}
}

// Covers reports whether a component of a distribution is deleted with the part. An empty component is the distribution as a whole.
func (p DeletedPart) Covers(d Distribution, component string) bool {
	return p.Distribution == d && (p.Component == "" || p.Component == component)
}

// CompareDeletedParts orders parts by distribution, then component.
func CompareDeletedParts(a, b DeletedPart) int {
	return cmp.Or(strings.Compare(a.Distribution.String(), b.Distribution.String()), strings.Compare(a.Component, b.Component))
}

// DeletedTarget returns the target that is deleted and has a component of a distribution in it, which is the repository, the
// distribution or the component, with its deletion; nil if none is.
func (s Settings) DeletedTarget(d Distribution, component string) (t PackageTarget, del *Deletion) {
	if s.Deleted != nil {
		return PackageTarget{Repository: s.Repository}, s.Deleted
	}
	for _, p := range s.DeletedParts {
		if p.Covers(d, component) {
			return p.Target(s.Repository), &p.Deletion
		}
	}
	return t, nil
}

// Offered returns the settings without the distributions and components that are deleted: what new clients are set up for.
func (s Settings) Offered() Settings {
	if len(s.DeletedParts) == 0 {
		return s
	}
	var offered []DistributionSettings
	for _, ds := range s.Distributions {
		deleted := func(component string) bool { _, del := s.DeletedTarget(ds.Distribution, component); return del != nil }
		if deleted("") {
			continue
		}
		ds.Components = slices.DeleteFunc(slices.Clone(ds.Components), deleted)
		offered = append(offered, ds)
	}
	s.Distributions = offered
	return s
}

// DeletedPart returns the deletion of a target, which is not that of what it is in; nil if there is none.
func (s Settings) DeletedPart(t PackageTarget) *Deletion {
	if t.Whole() {
		return s.Deleted
	}
	for _, p := range s.DeletedParts {
		if p.Target(s.Repository) == t {
			return &p.Deletion
		}
	}
	return nil
}
