// Package catalog has the data types that all packages share: uploads, packages, releases, settings, verdicts
// and rejections. schemas/GLOSSARY.md defines the words.
//
// The types have exported fields only, and no methods beyond text and validation, so that they can be
// elements of a pipeline, rows of a database and JSON.
package catalog

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// A Format is a package format, and that of the repositories that serve it.
type Format string

// The formats that repomill publishes.
const (
	DEB Format = "deb"
	RPM Format = "rpm"
)

// A Repository is the name of a repository. [Settings] has its properties.
type Repository struct {
	Owner string `json:"owner"`
	Name  string `json:"name"`
}

// String returns "owner/name".
func (r Repository) String() string { return r.Owner + "/" + r.Name }

// A Distribution is an operating system and its version, as the distribution table spells them: "ubuntu/jammy",
// "el/9".
type Distribution struct {
	OS      string `json:"os"`
	Version string `json:"version"` // the codename for DEB: suite and codename are the same
}

// String returns "os/version".
func (d Distribution) String() string { return d.OS + "/" + d.Version }

// A Release is the unit of publishing, which has one pointer. For DEB it is a codename (InRelease), for RPM one
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

// ParseRelease is the inverse of [Release.String]. It checks the number of segments alone.
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

// A Revision identifies one state of a release. The number rises by at least one with every change. The nonce is
// random and issued with the number: a restored database issues the same numbers again, and the nonce distinguishes its
// states from those that were published before. Together they are the fencing token of a publish. The zero Revision
// is that of a release that was never published.
type Revision struct {
	Number int64  `json:"revision"`
	Nonce  string `json:"nonce"` // 16 lower-case hexadecimal digits
}

// String returns "number nonce", the form in which DEB pointers carry it.
func (r Revision) String() string { return fmt.Sprintf("%d %s", r.Number, r.Nonce) }

// A File has the size and digests of stored bytes.
type File struct {
	Size   int64  `json:"size"` // bytes
	SHA256 string `json:"sha256"`
	MD5    string `json:"md5,omitempty"` // DEB packages only, for old tools
}

// A PackageState is the state of a package row. A claimed package reserves its identity and its key and is in no
// index; its bytes may be incomplete. An active one may be in an index. A yanked one was withdrawn. A reserved one has its bytes,
// is in no index, and waits for its release train to be published. One that was dropped from its train reserves its identity until
// its file is removed; then its row goes, too.
type PackageState string

// The states of a package row.
const (
	Claimed PackageState = "claimed"
	Active  PackageState = "active"
	Yanked  PackageState = "yanked"

	Reserved PackageState = "reserved"
	Dropped  PackageState = "dropped"
)

// A Package is one row of the catalog. Its identity is its name, canonical version, architecture and variant in
// one component of one distribution of one repository. Several components of a distribution may have the same
// bytes under one name, version and architecture, and never different ones. In a mutable repository one of the variants is active at
// most, also of all components.
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
	Variant   string `json:"variant,omitempty"`  // in a mutable repository: the beginning of the digest of its file, in hexadecimal; else empty
	SortKey   []byte `json:"-"`                  // orders as dpkg and rpm do: name, version, exact version, arch

	Key      string    `json:"key"`               // object key; for noarch that of the first architecture directory
	Embargo  string    `json:"embargo,omitempty"` // random: until its train is published the file has the key that follows from this; empty for none
	File     File      `json:"file"`
	Uploaded time.Time `json:"uploaded"` // time of the claim, whole seconds, UTC

	// Index fragments, made once, at ingest. Indexes consist of them.
	Stanza    []byte `json:"-"` // DEB: the stanza of Packages, ending in one newline, without the blank line
	Primary   []byte `json:"-"` // RPM: the <package> element of primary.xml, ending in a newline
	Filelists []byte `json:"-"`
	Other     []byte `json:"-"`

	Needs []Need `json:"-"` // what it cannot be installed without, by exact version; set by readers of packages and of fragments

	Signer string       `json:"signer,omitempty"` // fingerprint or ID of the key that the package names as its signer; verified only if the repository requires signatures
	State  PackageState `json:"state"`
	Pusher Pusher       `json:"pusher"`
	Yank   *Yank        `json:"yank,omitempty"` // of a yanked package
}

// A Pusher is the user and CI job that an upload came from, as the metadata of its object claims. It is shown, and
// never trusted.
type Pusher struct {
	User string `json:"user,omitempty"` // such as "release-bot"
	Job  string `json:"job,omitempty"`  // URL of the CI job
}

// ReplacedReason is the reason of the withdrawal of a package of a mutable repository whose version has other bytes now.
const ReplacedReason = "replaced"

// Replaced reports whether a package was withdrawn because its version got other bytes.
func (k Package) Replaced() bool {
	return k.Variant != "" && k.State == Yanked && k.Yank != nil && k.Yank.Reason == ReplacedReason
}

// A Yank is the record of a withdrawal. It is kept after the file was removed, so that other bytes never get the
// identity.
type Yank struct {
	Reason string    `json:"reason"`
	By     string    `json:"by,omitempty"` // user of the command
	At     time.Time `json:"at"`           // whole seconds, UTC
}

// ErrNotFound says that the catalog does not have a repository, release, package or upload.
var ErrNotFound = errors.New("not in the catalog")

// ErrGone says that a staged object was removed, or has another generation than the upload.
var ErrGone = errors.New("the staged object was replaced or removed")

// An Upload is one generation of one staged object.
type Upload struct {
	Bucket     string `json:"bucket"` // name of the staging bucket; "staging" for a local folder
	Object     string `json:"object"` // staging key: owner/name/os/version/[component/]file
	Generation string `json:"generation"`
	Size       int64  `json:"size"` // bytes, as listed; a hint
}

// Staged returns when a store got the bytes, and whether the generation says it: that of Cloud Storage is a number of microseconds since
// 1970, and that of a folder begins with nanoseconds, in hexadecimal.
func (u Upload) Staged() (at time.Time, known bool) {
	if nanoseconds, _, folder := strings.Cut(u.Generation, "-"); folder {
		n, err := strconv.ParseInt(nanoseconds, 16, 64)
		at, known = time.Unix(0, n).UTC(), err == nil
	} else {
		n, err := strconv.ParseInt(u.Generation, 10, 64)
		at, known = time.UnixMicro(n).UTC(), err == nil
	}
	return at, known && at.Year() >= 2000 && at.Year() < 2200
}

// String returns the object with its generation.
func (u Upload) String() string { return u.Object + "#" + u.Generation }

// A Settings has the properties of a repository. It is published as the object .repomill/<owner>/<name>.json.
type Settings struct {
	Repository    Repository             `json:"repository"`
	Revision      Revision               `json:"revision"` // issued with every change
	Visibility    Visibility             `json:"visibility"`
	Mutable       bool                   `json:"mutable,omitempty"`     // set once, at creation: the same version with other bytes replaces the older ones
	Origin        string                 `json:"origin"`                // set once, at creation: apt refuses a change
	Label         string                 `json:"label"`                 // set once, as Origin
	Description   string                 `json:"description,omitempty"` // one line for people; see [CheckDescription]
	Distributions []DistributionSettings `json:"distributions"`
	VerifyPayload VerifyPayload          `json:"verify_payload,omitempty"`
	RequireSigned []Format               `json:"require_signed,omitempty"` // formats whose packages need a signature by a package key; sorted
	PackageKeys   []PackageKey           `json:"package_keys,omitempty"`   // keys of the vendor's package signatures; sorted by ID
	Tokens        []Token                `json:"tokens,omitempty"`         // secrets that open a private repository, as digests; sorted by name
	Keyring       *KeyringPackage        `json:"keyring_package,omitempty"`
	Retention     []Retention            `json:"retention,omitempty"`     // one for all distributions at most, and one for each; sorted
	Snapshots     *SnapshotRule          `json:"snapshots,omitempty"`     // nil for none by a rule
	Deleted       *Deletion              `json:"deleted,omitempty"`       // nil for a repository that is not
	DeletedParts  []DeletedPart          `json:"deleted_parts,omitempty"` // sorted
}

// A PackageKey is an OpenPGP public key with which the packages themselves are signed.
type PackageKey struct {
	ID    string `json:"id"`    // 16 upper-case hexadecimal digits, as in "3D645A26AB9FBD22"
	Armor string `json:"armor"` // the armoured key
}

// A Token opens a private repository for reading. Only the digest of its secret is stored.
type Token struct {
	Name    string     `json:"name"`
	SHA256  string     `json:"sha256"` // of the secret, lower-case hexadecimal
	Created time.Time  `json:"created"`
	Expires *time.Time `json:"expires,omitempty"`
	Parent  string     `json:"parent,omitempty"` // ID of the [APIToken] that made it; it is revoked with that
}

// A DistributionSettings has the components and architectures of a repository for one distribution.
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

// Visibility says who may read a repository. A repository with any value but Public is never served without a token.
type Visibility string

// VerifyPayload says whether ingest unpacks the payload of an upload, and not only checks its structure. Empty: it does not;
// the push command does.
type VerifyPayload string

// VerifyAlways makes ingest unpack every payload, at the cost of the worker's time.
const VerifyAlways VerifyPayload = "always"

// The visibilities of a repository.
const (
	Public  Visibility = "public"
	Private Visibility = "private"
)
