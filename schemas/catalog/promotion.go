package catalog

import (
	"fmt"
	"slices"
	"strings"
)

// PromotionBucket is the [Upload.Bucket] of a promotion: an upload whose bytes are those of a published package. It has
// no staged object and no verdict object; its generation is the SHA-256 of the package. No staging bucket has this name.
const PromotionBucket = ".promotions"

// Promoted reports whether the upload is a promotion.
func (u Upload) Promoted() bool { return u.Bucket == PromotionBucket }

// A Place is where packages are published: a distribution of a repository and, for DEB, a component of it.
type Place struct {
	Repository   Repository
	Distribution Distribution
	Component    string
}

// Place returns where a package is published.
func (k Package) Place() Place { return Place{k.Repository, k.Distribution, k.Component} }

// String returns "owner/name/os/version[/component]", which a staging key begins with.
func (p Place) String() string {
	s := p.Repository.String() + "/" + p.Distribution.String()
	if p.Component != "" {
		s += "/" + p.Component
	}
	return s
}

// A MoveState says how far the withdrawal is of a package that a promotion moves.
type MoveState string

// The states of a move; an empty one is that of a copy. MoveDone and MoveKept are final.
const (
	MoveWaiting MoveState = "waiting" // until clients see the copy
	MoveDone    MoveState = "done"    // the package is withdrawn where it was
	MoveKept    MoveState = "kept"    // it stays where it was: there is no copy, or it was withdrawn
)

// A Promotion is a wish to copy a published package to another place.
type Promotion struct {
	Upload Upload
	Source Package // as it is now, without fragments
	By     Actor
}

// A CopyState says what a copy of a package would meet in its new place.
type CopyState string

// What a copy meets.
const (
	ToCopy        CopyState = "copy"      // nothing of its name and version
	CopyThere     CopyState = "there"     // these bytes
	CopyConflict  CopyState = "conflict"  // other bytes
	CopyWithdrawn CopyState = "withdrawn" // these bytes or others, withdrawn
	CopyUnderWay  CopyState = "moving"    // it is being moved already
	CopyRefused   CopyState = "refused"   // the place takes no such package, or rejected it before
)

// Takes returns why a repository takes no package of a format in a distribution and component; nil if it does. The error is a sentence
// for the user.
func (s Settings) Takes(k Package, d Distribution, component string) error {
	ds, has := s.Find(d)
	switch {
	case !has:
		return fmt.Errorf("%s does not have distribution %s: add it with repomill repo set %s --distribution %s", s.Repository, d, s.Repository, d)
	case ds.Format != k.Format:
		return fmt.Errorf("%s %s %s has the format %s, but %s of %s takes %s", k.Name, k.Version, k.Arch, k.Format, d, s.Repository, ds.Format)
	case k.Format == DEB && !slices.Contains(ds.Components, component):
		return fmt.Errorf("%s does not have component %s in %s; it has %s: name one of them in the target, or add it with repomill repo set %s --component %s",
			s.Repository, component, d, strings.Join(ds.Components, ", "), s.Repository, component)
	}
	return nil
}
