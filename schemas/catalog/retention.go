package catalog

import (
	"cmp"
	"fmt"
	"path"
	"slices"
	"strings"
	"time"
)

// A Retention is the rule set of a repository, or of one of its distributions. A package that no rule of a set for its
// distribution keeps leaves the release. What one rule keeps, no other rule removes.
type Retention struct {
	Distribution    Distribution `json:"distribution,omitzero"`       // zero for all of the repository
	Newest          int          `json:"newest,omitempty"`            // versions of each name and architecture that stay; 0: no such rule
	NewestPerSeries int          `json:"newest_per_series,omitempty"` // the same within each major.minor
	YoungerDays     int          `json:"younger_days,omitempty"`      // packages that clients see since so many days or less stay; 0: see [RetentionFloor]
	Keep            []string     `json:"keep,omitempty"`              // patterns of packages that stay ([ParsePattern]); sorted
	DownloadedDays  int          `json:"downloaded_days,omitempty"`   // packages that were downloaded within so many days stay; 0: no such rule
	Automatic       bool         `json:"automatic,omitempty"`         // workers apply it each day; if not, it is paused
	AllowShrink     bool         `json:"allow_shrink,omitempty"`      // also if more than [MaxShrink] of a release leaves
	Archive         *Archive     `json:"archive,omitempty"`           // where packages that leave are copied to first; nil: nowhere
}

// An Archive is the repository that packages go to which no rule keeps: to the same distribution and component. They are withdrawn only
// where clients see them there.
type Archive struct {
	Repository Repository `json:"repository"`
	ToPublic   bool       `json:"to_public,omitempty"` // also if it is public, and the packages come from a private repository
}

// Check returns why the archive cannot take packages of a repository. archive are its settings; nil if it is not declared. The error is a
// sentence for the user.
func (a Archive) Check(from Settings, archive *Settings) error {
	switch {
	case a.Repository == from.Repository:
		return fmt.Errorf("%s cannot be its own archive: name another repository with --archive", from.Repository)
	case archive == nil:
		return fmt.Errorf("the archive %s is not declared; declare it with repomill repo create", a.Repository)
	case archive.Deleted != nil:
		return fmt.Errorf("the archive %s takes no packages: %s; or name another repository with --archive", a.Repository, archive.Deleted)
	case archive.Mutable:
		return fmt.Errorf("the archive %s is mutable: a later package of the same name and version would replace what it keeps; name another repository with --archive", a.Repository)
	case from.Visibility != Public && archive.Visibility == Public && !a.ToPublic:
		return fmt.Errorf("%s is private and its archive %s is public: everybody could read the packages there; use retain set --archive %s --to-public if that is meant", from.Repository, a.Repository, a.Repository)
	}
	return nil
}

// ArchiveOf returns the archive of a distribution: that of its own rule set or, without one, that of the repository's; nil for none.
func (s Settings) ArchiveOf(d Distribution) (a *Archive) {
	for _, r := range s.RetentionOf(d) {
		if r.Archive != nil && (a == nil || r.Distribution == d) {
			a = r.Archive
		}
	}
	return a
}

// RetentionFloor is how long each package stays under any rules, after clients saw it first, or again.
const RetentionFloor = 14 * 24 * time.Hour

// MaxShrink is how much of a release may leave in one automatic run, in per cent.
const MaxShrink = 20

// Expired is the reason with which packages are withdrawn that no rule keeps.
const Expired = "expired"

// The limits of a rule set.
const (
	maxRetained  = 1_000_000 // versions
	maxDays      = 36500
	maxKeep      = 200  // patterns
	maxKeepBytes = 1000 // of a pattern
)

// Check sorts the patterns, and returns what is invalid. The error is a sentence for the user.
func (r *Retention) Check() error {
	slices.Sort(r.Keep)
	r.Keep = slices.Compact(r.Keep)
	floor := int(RetentionFloor / (24 * time.Hour))
	switch {
	case r.Newest == 0 && r.NewestPerSeries == 0 && r.YoungerDays == 0 && len(r.Keep) == 0 && r.DownloadedDays == 0:
		return fmt.Errorf("a rule set has at least one rule: without one, all packages of more than %d days would leave", floor)
	case min(r.Newest, r.NewestPerSeries) < 0 || max(r.Newest, r.NewestPerSeries) > maxRetained:
		return fmt.Errorf("the number of versions that stay is from 1 to %d", maxRetained)
	case r.YoungerDays != 0 && r.YoungerDays <= floor || r.YoungerDays > maxDays:
		return fmt.Errorf("packages of up to %d days always stay: name more days, %d at most", floor, maxDays)
	case r.DownloadedDays < 0 || r.DownloadedDays > maxDays:
		return fmt.Errorf("the days within which a package was downloaded are from 1 to %d", maxDays)
	case len(r.Keep) > maxKeep:
		return fmt.Errorf("a rule set has at most %d patterns: use globs", maxKeep)
	}
	for _, s := range r.Keep {
		if _, err := ParsePattern(s); err != nil {
			return err
		}
		if len(s) > maxKeepBytes {
			return fmt.Errorf("pattern %.40q…: it has more than %d bytes", s, maxKeepBytes)
		}
	}
	return nil
}

// Rules returns the rules in words, such as "newest 3" or "younger than 90 days".
func (r Retention) Rules() (rules []string) {
	if r.Newest > 0 {
		rules = append(rules, fmt.Sprintf("newest %d", r.Newest))
	}
	if r.NewestPerSeries > 0 {
		rules = append(rules, fmt.Sprintf("newest %d of each major.minor", r.NewestPerSeries))
	}
	if r.YoungerDays > 0 {
		rules = append(rules, fmt.Sprintf("younger than %d days", r.YoungerDays))
	}
	if r.DownloadedDays > 0 {
		rules = append(rules, fmt.Sprintf("downloaded within %d days", r.DownloadedDays))
	}
	for _, k := range r.Keep {
		rules = append(rules, "keep "+k)
	}
	if r.Archive != nil {
		rules = append(rules, "archive "+r.Archive.Repository.String())
	}
	return rules
}

// String returns the rule set in one line, for logs.
func (r Retention) String() string {
	s := strings.Join(r.Rules(), ", ")
	if r.Distribution != (Distribution{}) {
		s = r.Distribution.String() + ": " + s
	}
	switch {
	case !r.Automatic:
		s += " (paused)"
	case r.AllowShrink:
		s += " (automatic, also if a release shrinks)"
	default:
		s += " (automatic)"
	}
	return s
}

// SameRules reports whether two sets have the same rules and the same archive, be they paused or not.
func (r Retention) SameRules(o Retention) bool {
	sameArchive := (r.Archive == nil) == (o.Archive == nil) && (r.Archive == nil || *r.Archive == *o.Archive)
	return sameArchive && r.Newest == o.Newest && r.NewestPerSeries == o.NewestPerSeries && r.YoungerDays == o.YoungerDays && r.DownloadedDays == o.DownloadedDays &&
		slices.Equal(r.Keep, o.Keep)
}

// RetentionOf returns the rule sets for a distribution: that of the repository, and its own.
func (s Settings) RetentionOf(d Distribution) (sets []Retention) {
	for _, r := range s.Retention {
		if r.Distribution == (Distribution{}) || r.Distribution == d {
			sets = append(sets, r)
		}
	}
	return sets
}

// CheckRetention sorts the rule sets of a repository, and returns what is invalid.
func CheckRetention(sets []Retention) error {
	slices.SortFunc(sets, func(a, b Retention) int {
		return cmp.Or(cmp.Compare(a.Distribution.OS, b.Distribution.OS), cmp.Compare(a.Distribution.Version, b.Distribution.Version))
	})
	for i := range sets {
		if err := sets[i].Check(); err != nil {
			return err
		}
		if i > 0 && sets[i].Distribution == sets[i-1].Distribution {
			return fmt.Errorf("there are two rule sets for %s", path.Join(sets[i].Distribution.OS, sets[i].Distribution.Version))
		}
	}
	return nil
}

// A Need is a package that another one needs by its exact version.
type Need struct {
	Name  string
	From  string // canonical version
	Until string // the last canonical version that satisfies it: From, or that of a requirement without a release
}
