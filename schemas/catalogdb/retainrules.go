package catalogdb

import (
	"slices"
	"strings"
	"time"

	"repomill/schemas/catalog"
	"repomill/schemas/layout"
)

// A KeptBy is the rule that keeps a package; of several, the first of these.
type KeptBy string

// What keeps packages.
const (
	KeptKeyring    KeptBy = "keyring"    // it has the keys of its repository
	KeptYoung      KeptBy = "young"      // clients see it, or see it again, since [catalog.RetentionFloor] or less, or not yet
	KeptYounger    KeptBy = "younger"    // the same within the days of a rule
	KeptNewest     KeptBy = "newest"     // it is one of the newest versions of its name and architecture
	KeptPinned     KeptBy = "pinned"     // a pattern has it
	KeptDownloaded KeptBy = "downloaded" // it was downloaded, or may have been
	KeptNeeded     KeptBy = "needed"     // a package that stays needs this version
)

// A retainRow is what rules say something about.
type retainRow struct {
	id                                        int64
	name, version, canonical, arch, component string
	dir                                       string
	size                                      int64
	since                                     int64 // when clients saw it first, or again, in milliseconds
	phased                                    bool  // not all hosts upgrade to it yet
}

// A keeper applies rule sets to the packages of a distribution. They come in descending order of name and version, so that it holds
// one version at a time, and counts of newer ones.
type keeper struct {
	sets    []catalog.Retention
	pins    []catalog.Pattern
	keyring string  // the package of this name stays; empty for none
	floor   int64   // what came later is young, in milliseconds
	cutoffs []int64 // of sets: what came later stays

	decide func(row retainRow, by KeptBy) error // by is empty if no rule keeps the row

	version []retainRow // of one name and canonical version
	newer   map[newerKey]int
}

// A newerKey counts newer versions of one name in a component, and in one series, or in all if it is empty. arch is empty for the
// versions for all architectures, and else for those that the architecture has besides them.
type newerKey struct{ component, series, arch string }

func newKeeper(s catalog.Settings, d catalog.DistributionSettings, at time.Time) *keeper {
	k := &keeper{sets: s.RetentionOf(d.Distribution), floor: millis(at.Add(-catalog.RetentionFloor)), newer: map[newerKey]int{}}
	if s.Keyring != nil {
		k.keyring = layout.KeyringName(s.Repository, d.Format)
	}
	for _, set := range k.sets {
		k.cutoffs = append(k.cutoffs, millis(at.AddDate(0, 0, -set.YoungerDays)))

		for _, text := range set.Keep {
			if p, err := catalog.ParsePattern(text); err == nil { // checked when it was set
				k.pins = append(k.pins, p)
			}
		}
	}
	return k
}

// add takes the next row.
func (k *keeper) add(row retainRow) error {
	if len(k.version) > 0 {
		last := k.version[0]
		if last.name != row.name || last.canonical != row.canonical {
			if err := k.end(); err != nil {
				return err
			}
		}
		if last.name != row.name {
			clear(k.newer)
		}
	}
	k.version = append(k.version, row)
	return nil
}

// end decides for the rows of the current version, and counts it.
func (k *keeper) end() error {
	if len(k.version) == 0 {
		return nil
	}
	series := seriesOf(k.version[0].version)
	for _, row := range k.version {
		if err := k.decide(row, k.keptBy(row, series)); err != nil {
			return err
		}
	}
	k.count("")
	k.count(series)
	k.version = k.version[:0]
	return nil
}

// count counts the current version: once for all architectures if it is for all of them, and else once for each that it has. One that
// not all hosts upgrade to pushes no other out.
func (k *keeper) count(series string) {
	for i, row := range k.version {
		counts := func(o retainRow) bool { return !o.phased && o.component == row.component }
		switch {
		case row.phased:
		case everyArch(row.arch):
			if !slices.ContainsFunc(k.version[:i], func(o retainRow) bool { return counts(o) && everyArch(o.arch) }) {
				k.newer[newerKey{row.component, series, ""}]++
			}
		case slices.ContainsFunc(k.version, func(o retainRow) bool { return counts(o) && everyArch(o.arch) }):
		case !slices.ContainsFunc(k.version[:i], func(o retainRow) bool { return counts(o) && o.arch == row.arch }):
			k.newer[newerKey{row.component, series, row.arch}]++
		}
	}
}

func everyArch(arch string) bool { return arch == "all" || arch == layout.Noarch }

// rank returns how many newer versions an architecture has. A package for all architectures is as new as it is to the one that
// has the fewest: one that has those for all alone.
func (k *keeper) rank(row retainRow, series string) int {
	n := k.newer[newerKey{row.component, series, ""}]
	if !everyArch(row.arch) {
		n += k.newer[newerKey{row.component, series, row.arch}]
	}
	return n
}

// keptBy returns the rule that keeps a row, without downloads and the needs of others.
func (k *keeper) keptBy(row retainRow, series string) KeptBy {
	switch {
	case row.name == k.keyring:
		return KeptKeyring
	case row.since > k.floor:
		return KeptYoung
	}
	for i, s := range k.sets {
		if s.YoungerDays > 0 && row.since > k.cutoffs[i] {
			return KeptYounger
		}
		if k.rank(row, "") < s.Newest || k.rank(row, series) < s.NewestPerSeries {
			return KeptNewest
		}
	}
	for _, p := range k.pins {
		if p.Matches(catalog.Package{Name: row.name, Version: row.version, Arch: row.arch}) {
			return KeptPinned
		}
	}
	return ""
}

// downloadedDays returns the days within which a download keeps a package; 0 if there is no such rule.
func (k *keeper) downloadedDays() (days int) {
	for _, s := range k.sets {
		days = max(days, s.DownloadedDays)
	}
	return days
}

// seriesOf returns the epoch and the first two numbers of a version, such as "15.11" or "1:2.0"; less if it has less.
func seriesOf(version string) string {
	end, dots := 0, 0
	if i := strings.IndexByte(version, ':'); i >= 0 {
		end = i + 1
	}
	for end < len(version) {
		c := version[end]
		if c == '.' {
			if dots++; dots == 2 {
				break
			}
		} else if c < '0' || c > '9' {
			break
		}
		end++
	}
	return strings.TrimSuffix(version[:end], ".") + "\x00" // not empty
}
