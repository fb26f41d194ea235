package catalog

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
