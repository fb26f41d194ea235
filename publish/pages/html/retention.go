package html

import (
	"fmt"
	"strings"
	"time"

	"repomill/publish/pages/model"
	"repomill/schemas/catalog"
)

// maxPatterns is the number of patterns of packages that a sentence has.
const maxPatterns = 10

// A keepsView is a rule set in sentences, with patterns of packages between the two parts.
type keepsView struct {
	Keeps    string
	Patterns []string
	Others   string // that are not named; may be empty
	Leaving  string
}

// keeps says how long versions stay.
func keeps(f model.Front) (all []keepsView) {
	whole := false
	for _, set := range f.Retention {
		begin := "Keeps "
		switch {
		case set.Distribution == (catalog.Distribution{}):
			whole = true
		case whole:
			begin = "For " + set.Distribution.String() + " it keeps besides "
		default:
			begin = "For " + set.Distribution.String() + " it keeps "
		}
		v := keepsView{Patterns: set.Keep[:min(len(set.Keep), maxPatterns)], Leaving: leaving(set)}
		if more := len(set.Keep) - len(v.Patterns); more > 0 {
			v.Others = counted(more, "other pattern")
		}
		if kept := kept(set); len(v.Patterns) > 0 {
			v.Keeps = begin + strings.Join(kept, ", ")
		} else {
			v.Keeps = begin + listing(kept)
		}
		all = append(all, v)
	}
	switch {
	case len(f.Retention) == 0:
		return []keepsView{{Leaving: "Versions stay until they are withdrawn: no rule removes old ones."}}
	case !whole:
		all = append(all, keepsView{Leaving: "For other distributions, versions stay until they are withdrawn."})
	}
	return all
}

// kept returns what the rules of a set keep, but for patterns.
func kept(set catalog.Retention) (all []string) {
	if set.Newest == 1 {
		all = append(all, "the newest version of each package")
	} else if set.Newest > 1 {
		all = append(all, fmt.Sprintf("the newest %d versions of each package", set.Newest))
	}
	if set.NewestPerSeries == 1 {
		all = append(all, "the newest version in each series such as 1.2 of a package")
	} else if set.NewestPerSeries > 1 {
		all = append(all, fmt.Sprintf("the newest %d versions in each series such as 1.2 of a package", set.NewestPerSeries))
	}
	days := max(set.YoungerDays, int(catalog.RetentionFloor/(24*time.Hour)))
	all = append(all, fmt.Sprintf("all that came within the last %d days", days))
	if set.DownloadedDays > 0 {
		all = append(all, fmt.Sprintf("all that were downloaded within the last %d days", set.DownloadedDays))
	}
	return all
}

// leaving says when other versions leave.
func leaving(set catalog.Retention) string {
	if set.Automatic {
		return "Other versions leave by themselves, within a day."
	}
	return "The rule is paused: other versions leave when the owner of the repository runs it."
}

// listing returns texts as a sentence has them: "a, b and c".
func listing(all []string) string {
	if len(all) < 2 {
		return strings.Join(all, "")
	}
	return strings.Join(all[:len(all)-1], ", ") + " and " + all[len(all)-1]
}

// taken says when snapshots are taken; empty if no rule does that.
func taken(rule *catalog.SnapshotRule) string {
	if rule == nil {
		return ""
	}
	period := "day"
	if rule.Every == catalog.Weekly {
		period = "week"
	}
	if rule.Keep == 1 {
		return "A snapshot is taken each " + period + ", and replaces the one before."
	}
	return fmt.Sprintf("A snapshot is taken each %s; the newest %d of these are kept.", period, rule.Keep)
}
