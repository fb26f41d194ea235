package catalog

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// PhaseField is the field of a stanza of Packages by which apt installs an update on a part of its hosts. apt numbers a host from
// 0 to 100 by the name and version of the source package and its machine-id, and holds the update back if the number is greater.
const PhaseField = "Phased-Update-Percentage"

// Everyone is the phase of a package that every host installs: its stanza has no [PhaseField].
const Everyone = 100

// ParsePhase reads a phase: a percentage such as "10%" or "10", or "pause" for 0. The error is a sentence for the user.
func ParsePhase(s string) (percent int, err error) {
	if s == "pause" {
		return 0, nil
	}
	n, err := strconv.ParseUint(strings.TrimSuffix(s, "%"), 10, 16)
	if err != nil || n > Everyone {
		return 0, fmt.Errorf("phase %q: use a percentage from 0%% to 100%%, such as 10%%, or pause", s)
	}
	return int(n), nil
}

// PhaseText returns a phase as people read it.
func PhaseText(percent int) string { return strconv.Itoa(percent) + "%" }

// A Phasing is what is asked for a source package: a phase now, and the steps that follow, one each period.
type Phasing struct {
	Percent int           `json:"percent"`
	Steps   []int         `json:"steps,omitempty"`    // each greater than the one before, and than Percent
	Every   time.Duration `json:"every_ns,omitempty"` // between steps; at least [MinPhasePeriod] if there are any
}

// Limits of steps.
const (
	MinPhasePeriod = time.Minute
	MaxPhasePeriod = 366 * 24 * time.Hour
	MaxPhaseSteps  = 100
)

// Check returns why a phasing cannot be: a sentence for the user.
func (p Phasing) Check() error {
	all := append([]int{p.Percent}, p.Steps...)
	switch {
	case p.Percent < 0 || slices.Max(all) > Everyone:
		return fmt.Errorf("phases are percentages from 0%% to 100%%")
	case len(p.Steps) == 0:
		return nil
	case len(p.Steps) > MaxPhaseSteps || !slices.IsSorted(all) || len(slices.Compact(slices.Clone(all))) != len(all):
		return fmt.Errorf("steps %s: each must be greater than the one before, as in 10%%,50%%,100%%", PhaseTexts(all))
	case p.Every < MinPhasePeriod || p.Every > MaxPhasePeriod:
		return fmt.Errorf("a step each %s: use a period from %s to 8784h, such as 24h", p.Every, MinPhasePeriod)
	}
	return nil
}

// Changes reports whether a phasing makes another one of a package with a phase and with what was asked for it before.
func (p Phasing) Changes(percent int, before Phasing) bool {
	return percent != p.Percent || len(p.Steps)+len(before.Steps) > 0 && p.String() != before.String()
}

// PhaseTexts returns phases with commas between them.
func PhaseTexts(percents []int) string {
	texts := make([]string, len(percents))
	for i, p := range percents {
		texts[i] = PhaseText(p)
	}
	return strings.Join(texts, ",")
}

// String returns "10%", or "10%, then 50%,100%, one every 24h".
func (p Phasing) String() string {
	s := PhaseText(p.Percent)
	if len(p.Steps) > 0 {
		s += ", then " + PhaseTexts(p.Steps) + ", one every " + ShortDuration(p.Every)
	}
	return s
}

// ShortDuration returns a duration without parts that are zero at its end: "24h", not "24h0m0s".
func ShortDuration(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

// A Source is the source package that a binary package says it was built from. All its binaries share a phase.
type Source struct{ Name, Version string }

// String returns "name version". Neither has a space.
func (s Source) String() string { return s.Name + " " + s.Version }

// ParseSource is the inverse of [Source.String].
func ParseSource(s string) Source {
	name, version, _ := strings.Cut(s, " ")
	return Source{name, version}
}

// A PhaseState is a phase that some binaries of a source package have in a place, or steps that it waits for.
type PhaseState struct {
	Place    string     `json:"place"`           // as [Place.String]
	Source   string     `json:"source"`          // its name
	Version  string     `json:"version"`         // of the source
	Percent  int        `json:"percent"`         // [Everyone] if only steps are to come
	Packages int        `json:"packages"`        // active binaries with this phase
	Steps    []int      `json:"steps,omitempty"` // to come
	Every    string     `json:"every,omitempty"` // between them, as [ShortDuration]
	Next     *time.Time `json:"next,omitempty"`  // when the first of them is due
	Since    *time.Time `json:"since,omitempty"` // of the command, or the last step; none if the packages or the index brought the phase with them
	By       string     `json:"by,omitempty"`
	Why      string     `json:"why,omitempty"`
	Job      string     `json:"job,omitempty"`
}

// maxSourceName and maxSourceVersion are what a column of the catalog holds of a source, in bytes.
const (
	maxSourceName    = 255
	maxSourceVersion = 512
)

// SourceOf returns the source of a stanza, as apt reads it: the field Source is NAME or NAME (VERSION), and what it leaves out is that
// of the package itself (deb-control(5)).
func SourceOf(stanza []byte) Source {
	own := Source{stanzaValue(stanza, "Package"), stanzaValue(stanza, "Version")}
	name, rest, _ := strings.Cut(stanzaValue(stanza, "Source"), " ")
	version, _, closed := strings.Cut(strings.TrimPrefix(strings.TrimSpace(rest), "("), ")")
	if !closed || version == "" || strings.ContainsAny(version, " \t\n") || len(version) > maxSourceVersion {
		version = own.Version
	}
	if name == "" || strings.ContainsAny(name, "\t\n") || len(name) > maxSourceName {
		name = own.Name
	}
	return Source{name, version}
}

// PhaseOf returns the phase that a stanza has, as apt reads it; [Everyone], and false, if it has none or one that apt does not read.
func PhaseOf(stanza []byte) (percent int, phased bool) {
	n, err := strconv.ParseUint(stanzaValue(stanza, PhaseField), 10, 32)
	if err != nil || n >= Everyone {
		return Everyone, false
	}
	return int(n), true
}

// WithPhase returns a stanza with a phase in place of the one that it has. The field is the last one; without one, it is [Everyone].
func WithPhase(stanza []byte, percent int) []byte {
	from, to := stanzaField(stanza, PhaseField)
	with := slices.Concat(stanza[:from], stanza[to:])
	if percent < Everyone {
		with = fmt.Appendf(with, "%s: %d\n", PhaseField, percent)
	}
	return with
}

// stanzaField returns where a field begins and ends in a stanza, with its continuation lines; its end twice if there is none.
func stanzaField(stanza []byte, name string) (from, to int) {
	for from < len(stanza) {
		to = from + lineSize(stanza[from:])
		for to < len(stanza) && (stanza[to] == ' ' || stanza[to] == '\t') {
			to += lineSize(stanza[to:])
		}
		if field, _, ok := bytes.Cut(stanza[from:to], []byte(":")); ok && strings.EqualFold(string(field), name) {
			return from, to
		}
		from = to
	}
	return len(stanza), len(stanza)
}

func stanzaValue(stanza []byte, name string) string {
	from, to := stanzaField(stanza, name)
	_, value, _ := strings.Cut(string(stanza[from:to]), ":")
	return strings.TrimSpace(value)
}

func lineSize(b []byte) int {
	return cmp.Or(bytes.IndexByte(b, '\n')+1, len(b))
}
