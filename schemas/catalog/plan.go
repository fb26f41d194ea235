package catalog

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"time"
)

// A PlanKind is the command that makes and applies a plan.
type PlanKind string

// The kinds of plans.
const (
	PlanYank    PlanKind = "yank"
	PlanUnyank  PlanKind = "unyank"
	PlanPromote PlanKind = "promote"

	PlanRollback PlanKind = "rollback"
	PlanRetain   PlanKind = "retain"
	PlanPhase    PlanKind = "phase"
	PlanTrain    PlanKind = "train"
	PlanDelete   PlanKind = "delete"
)

// A PlanAction is what a plan does to a package in a release.
type PlanAction string

// The actions of plans.
const (
	PlanWithdraw PlanAction = "withdraw" // the package leaves the index
	PlanRemove   PlanAction = "remove"   // the package is withdrawn already; its file goes before the retention period ends
	PlanRestore  PlanAction = "restore"  // the package returns to the index
	PlanCopy     PlanAction = "copy"     // the package comes from another place
	PlanRephase  PlanAction = "phase"    // the package has another phase
)

// PlanFormat is the [Plan.Format] of this version.
const PlanFormat = 1

// A Plan is what a command would change, as it was computed at one time. Its digest is over everything that is done: format,
// kind, target, arguments and items. A plan is applied by computing it again in the transaction that changes: equal digests
// are equal changes.
type Plan struct {
	Format   int             `json:"format"`
	Kind     PlanKind        `json:"kind"`
	Target   PackageTarget   `json:"target"`
	Args     json.RawMessage `json:"args"`               // of the kind: patterns and flags that the plan is computed from
	Items    []PlanItem      `json:"items"`              // sorted, without repeats; see [Plan.Seal]
	LeftOut  []PlanLeftOut   `json:"left_out,omitempty"` // selected packages that the command does not change
	Releases []PlanRelease   `json:"releases"`           // sums of the items; sorted
	By       string          `json:"by,omitempty"`       // who made it
	Made     time.Time       `json:"made"`               // whole seconds, UTC
	Digest   string          `json:"digest"`             // SHA-256, lower-case hexadecimal
}

// A PlanItem is one change of one release.
type PlanItem struct {
	Release   string     `json:"release"` // as [Release.String]
	Component string     `json:"component,omitempty"`
	Name      string     `json:"name"`
	Version   string     `json:"version"`
	Arch      string     `json:"arch"`
	Variant   string     `json:"variant,omitempty"`
	SHA256    string     `json:"sha256"`
	Action    PlanAction `json:"action"`
	From      string     `json:"from,omitempty"` // of a copy: the place of the source; of a phase: the percentage before
	Bytes     int64      `json:"bytes"`          // size of the file
}

// ItemOf returns the item of an action on a package in a release.
func ItemOf(r Release, k Package, action PlanAction) PlanItem {
	return PlanItem{Release: r.String(), Component: k.Component, Name: k.Name, Version: k.Version, Arch: k.Arch, Variant: k.Variant,
		SHA256: k.File.SHA256, Action: action, Bytes: k.File.Size}
}

// String returns "action name version arch in release[, component]".
func (i PlanItem) String() string {
	s := fmt.Sprintf("%s %s %s %s in %s", i.Action, i.Name, i.Version, i.Arch, i.Release)
	if i.Component != "" {
		s += ", " + i.Component
	}
	return s
}

func (i PlanItem) compare(o PlanItem) int {
	return cmp.Or(cmp.Compare(i.Release, o.Release), cmp.Compare(i.Name, o.Name), cmp.Compare(i.Version, o.Version), cmp.Compare(i.Arch, o.Arch),
		cmp.Compare(i.Component, o.Component), cmp.Compare(i.Variant, o.Variant), cmp.Compare(i.Action, o.Action),
		cmp.Compare(i.SHA256, o.SHA256), cmp.Compare(i.From, o.From), cmp.Compare(i.Bytes, o.Bytes))
}

// A PlanLeftOut is a package that the patterns select and the command leaves as it is.
type PlanLeftOut struct {
	Place   string `json:"place"`   // as [Place.String]
	Package string `json:"package"` // name version architecture
	Why     string `json:"why"`
}

// A PlanRelease sums up what a plan changes in a release.
type PlanRelease struct {
	Release  string `json:"release"`
	Packages int    `json:"packages"` // items
	Bytes    int64  `json:"bytes"`    // of their files
	Stay     int    `json:"stay"`     // packages that the release has before and after
}

// Seal sorts the items and sets the digest.
func (p *Plan) Seal() error {
	slices.SortFunc(p.Items, PlanItem.compare)
	p.Items = slices.Compact(p.Items)
	slices.SortFunc(p.LeftOut, func(a, b PlanLeftOut) int {
		return cmp.Or(cmp.Compare(a.Place, b.Place), cmp.Compare(a.Package, b.Package), cmp.Compare(a.Why, b.Why))
	})
	slices.SortFunc(p.Releases, func(a, b PlanRelease) int { return cmp.Compare(a.Release, b.Release) })
	p.Format = PlanFormat
	var err error
	p.Digest, err = p.digest()
	return err
}

func (p Plan) digest() (string, error) {
	var args bytes.Buffer // another layout of the file is the same plan
	if err := json.Compact(&args, p.Args); err != nil {
		return "", fmt.Errorf("arguments of the plan: %w", err)
	}
	text, err := json.Marshal(struct {
		Format int
		Kind   PlanKind
		Target PackageTarget
		Args   json.RawMessage
		Items  []PlanItem
	}{p.Format, p.Kind, p.Target, args.Bytes(), p.Items})
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:]), nil
}

// Check returns why a plan that was read cannot be applied: it is of a later version, or was changed since it was sealed. The
// error is a sentence for the user.
func (p Plan) Check() error {
	if p.Format != PlanFormat {
		return fmt.Errorf("the plan has format %d, and this version reads format %d: make the plan again with this version", p.Format, PlanFormat)
	}
	digest, err := p.digest()
	if err == nil && digest != p.Digest {
		err = fmt.Errorf("the plan was changed after it was made: its digest is %.12s and not %.12s; make it again", digest, p.Digest)
	}
	return err
}

// Differences describes how a plan that is computed now differs from p, in the order of the items: at most a number of lines,
// and how many there are in all.
func (p Plan) Differences(now Plan, most int) (lines []string, total int) {
	add := func(what string, i PlanItem) {
		if total++; len(lines) < most {
			lines = append(lines, what+i.String())
		}
	}
	before, after := p.Items, now.Items
	for len(before)+len(after) > 0 {
		order := 0
		switch {
		case len(before) == 0:
			order = 1
		case len(after) == 0:
			order = -1
		default:
			order = before[0].compare(after[0])
		}
		switch {
		case order < 0:
			add("not any more: ", before[0])
			before = before[1:]
		case order > 0:
			add("new: ", after[0])
			after = after[1:]
		default:
			before, after = before[1:], after[1:]
		}
	}
	return lines, total
}
