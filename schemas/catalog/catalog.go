// Package catalog is the plain data that crosses repomill's boundaries: what was uploaded, what it
// became, where it is published, and why it was refused.
//
// Its types have exported fields only, no clients and no behaviour beyond String and validation, so
// that they can be elements of a pipeline, rows of a database and JSON alike.
package catalog

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"
)

// A Format is a family of packages and of the repositories that serve them.
type Format string

// The formats that repomill publishes.
const (
	DEB Format = "deb"
	RPM Format = "rpm"
)

// A Repository is a named set of packages with one origin, label, visibility and signing key.
type Repository struct {
	Owner string `json:"owner"`
	Name  string `json:"name"`
}

// String returns "owner/name".
func (r Repository) String() string { return r.Owner + "/" + r.Name }

// A Distribution is an operating system at one version, in the words of the distribution table:
// "ubuntu/jammy", "el/9".
type Distribution struct {
	OS      string `json:"os"`
	Version string `json:"version"` // the codename for DEB: suite and codename are the same
}

// String returns "os/version".
func (d Distribution) String() string { return d.OS + "/" + d.Version }

// A Release is what one pointer file describes: for DEB a codename (InRelease), for RPM one
// architecture directory of a distribution (repomd.xml).
type Release struct {
	Repository   Repository   `json:"repository"`
	Distribution Distribution `json:"distribution"`
	Arch         string       `json:"arch,omitempty"` // RPM architecture directory, such as "x86_64" or "SRPMS"; empty for DEB
}

// String returns "owner/name/os/version" and, for RPM, "/arch".
func (r Release) String() string {
	s := r.Repository.String() + "/" + r.Distribution.String()
	if r.Arch != "" {
		s += "/" + r.Arch
	}
	return s
}

// ParseRelease is the inverse of [Release.String].
func ParseRelease(s string) (Release, error) {
	p := strings.Split(s, "/")
	if len(p) != 4 && len(p) != 5 {
		return Release{}, fmt.Errorf("release %q: want owner/name/os/version[/arch]", s)
	}
	r := Release{
		Repository:   Repository{Owner: p[0], Name: p[1]},
		Distribution: Distribution{OS: p[2], Version: p[3]},
	}
	if len(p) == 5 {
		r.Arch = p[4]
	}
	return r, nil
}

// A Revision numbers the states of a release. The number rises by at least one with every change;
// the nonce is drawn at random with it, so that a restored database, which counts through the same
// numbers again, cannot mistake somebody else's state for its own. Together they are the fencing
// token of a publish. The zero Revision is that of a release which was never published.
type Revision struct {
	Number int64  `json:"revision"`
	Nonce  string `json:"nonce"` // 16 lower-case hexadecimal digits
}

// String returns "number nonce", the form in which DEB pointers carry it.
func (r Revision) String() string { return fmt.Sprintf("%d %s", r.Number, r.Nonce) }

// A File is the facts about stored bytes.
type File struct {
	Size   int64  `json:"size"` // bytes
	SHA256 string `json:"sha256"`
	MD5    string `json:"md5,omitempty"` // DEB packages only, for old tools
}

// A PackageState says how far a package has come. A claimed package holds its identity and its key
// but is in no index; its bytes may or may not be complete.
type PackageState string

// The states of a package row.
const (
	Claimed PackageState = "claimed"
	Active  PackageState = "active"
	Yanked  PackageState = "yanked"
)

// A Package is one row of the catalog. Its identity is its name, canonical version, architecture and variant in
// one component of one distribution of one repository. Several components of a distribution may have the same
// bytes under one name, version and architecture, and never different ones.
type Package struct {
	Repository   Repository   `json:"repository"`
	Distribution Distribution `json:"distribution"`
	Component    string       `json:"component,omitempty"` // DEB only
	Format       Format       `json:"format"`

	Name      string `json:"name"`
	Version   string `json:"version"`            // DEB: as in the control file. RPM: [epoch:]version-release, without an epoch of 0
	Canonical string `json:"canonical"`          // equal for versions that the package manager holds equal
	Arch      string `json:"arch"`               // as in the package: "amd64", "all", "x86_64", "noarch", "src"
	Multilib  bool   `json:"multilib,omitempty"` // RPM for 32-bit x86: x86_64 systems install it, too
	Variant   string `json:"variant,omitempty"`  // always empty: no repository has two packages of one name yet
	SortKey   []byte `json:"-"`                  // orders as dpkg and rpm do: name, version, exact version, arch

	Key      string    `json:"key"` // object key; for noarch that of the first architecture directory
	File     File      `json:"file"`
	Uploaded time.Time `json:"uploaded"` // when the claim was made, whole seconds, UTC

	// Index fragments, made once, at ingest. An index is made of these alone.
	Stanza    []byte `json:"-"` // DEB: the stanza of Packages, ending in one newline, without the blank line
	Primary   []byte `json:"-"` // RPM: the <package> element of primary.xml, ending in a newline
	Filelists []byte `json:"-"`
	Other     []byte `json:"-"`

	Signer string       `json:"signer,omitempty"` // fingerprint or ID of the key that the package says it was signed with; shown, and only trusted where the repository requires it
	State  PackageState `json:"state"`
	Pusher Pusher       `json:"pusher"`
	Yank   *Yank        `json:"yank,omitempty"` // of a yanked package
}

// A Pusher says who pushed an upload: what its object's metadata claims. It is shown, never trusted.
type Pusher struct {
	User string `json:"user,omitempty"` // such as "release-bot"
	Job  string `json:"job,omitempty"`  // URL of the CI job
}

// A Yank is the record of a withdrawal. It outlives the file: no other bytes ever get the name.
type Yank struct {
	Reason string    `json:"reason"`
	By     string    `json:"by,omitempty"` // whom the command ran as
	At     time.Time `json:"at"`           // whole seconds, UTC
}

// ErrGone says that a staged object does not have the generation that was asked for.
var ErrGone = errors.New("the staged object was replaced or removed")

// An Upload is one generation of one staged object.
type Upload struct {
	Bucket     string `json:"bucket"` // name of the staging bucket; "staging" for a local folder
	Object     string `json:"object"` // staging key: owner/name/os/version/[component/]file
	Generation string `json:"generation"`
	Size       int64  `json:"size"` // bytes, as listed; a hint
}

// String returns the object with its generation.
func (u Upload) String() string { return u.Object + "#" + u.Generation }

// A Settings is what a repository was declared with: the object .repomill/<owner>/<name>.json.
type Settings struct {
	Repository    Repository             `json:"repository"`
	Revision      Revision               `json:"revision"` // drawn anew with every change
	Visibility    Visibility             `json:"visibility"`
	Origin        string                 `json:"origin"` // set once, at creation: apt refuses a change
	Label         string                 `json:"label"`  // likewise
	Distributions []DistributionSettings `json:"distributions"`
	VerifyPayload VerifyPayload          `json:"verify_payload,omitempty"`
	RequireSigned []Format               `json:"require_signed,omitempty"` // whose packages need a signature by a package key; sorted
	PackageKeys   []PackageKey           `json:"package_keys,omitempty"`   // of the vendor's own package signatures; sorted by ID
	Tokens        []Token                `json:"tokens,omitempty"`         // that open a private repository; sorted by name
	Keyring       *KeyringPackage        `json:"keyring_package,omitempty"`
}

// A PackageKey is an OpenPGP public key with which the packages themselves are signed.
type PackageKey struct {
	ID    string `json:"id"`    // 16 upper-case hexadecimal digits, as in "3D645A26AB9FBD22"
	Armor string `json:"armor"` // the armoured key
}

// A Token opens a private repository for reading. Only its digest is kept.
type Token struct {
	Name    string     `json:"name"`
	SHA256  string     `json:"sha256"` // of the secret, lower-case hexadecimal
	Created time.Time  `json:"created"`
	Expires *time.Time `json:"expires,omitempty"`
}

// A DistributionSettings is what a repository offers for one distribution.
type DistributionSettings struct {
	Distribution  Distribution `json:"distribution"`
	Format        Format       `json:"-"`                    // see UnmarshalJSON
	Components    []string     `json:"components,omitempty"` // DEB only, sorted
	Architectures []string     `json:"architectures"`        // DEB: without "all". RPM: directories. Sorted
}

// UnmarshalJSON implements [json.Unmarshaler]. JSON has no field for the format: every DEB distribution has components,
// and no other has.
func (ds *DistributionSettings) UnmarshalJSON(text []byte) error {
	type fields DistributionSettings // without this method
	err := json.Unmarshal(text, (*fields)(ds))
	ds.Format = RPM
	if len(ds.Components) > 0 {
		ds.Format = DEB
	}
	return err
}

// Find returns the settings of distribution d, and whether the repository has it.
func (s Settings) Find(d Distribution) (DistributionSettings, bool) {
	for _, ds := range s.Distributions {
		if ds.Distribution == d {
			return ds, true
		}
	}
	return DistributionSettings{}, false
}

// Visibility says who may read a repository. Anything but Public is never served without a token.
type Visibility string

// VerifyPayload says when the payload of an upload is unpacked to see whether that can be done, and not only looked
// through. Empty: never; pushing commands do it.
type VerifyPayload string

// VerifyAlways has every payload unpacked, at the cost of the worker's time.
const VerifyAlways VerifyPayload = "always"

// The visibilities of a repository.
const (
	Public  Visibility = "public"
	Private Visibility = "private"
)
