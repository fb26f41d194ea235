// Package keypack makes the packages with which hosts get the public keys of a repository: one of DEB and one of RPM. The
// same [Spec] always gives the same bytes. A package is installed like others, so that a host which upgrades has the next
// key before it signs.
package keypack

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"repomill/schemas/catalog"
	"repomill/schemas/layout"
)

// A Spec says what is in a package.
type Spec struct {
	Repository   catalog.Repository
	Version      string    // see [layout.NextKeyringVersion]
	Made         time.Time // of all files, of the signature and of the package
	URL          string    // of the repository, for people
	Keys         []byte    // armoured, as the repository's gpgkey has them
	Fingerprints []string  // of these keys, for people
	Repo         RepoFile  // RPM only
}

// A RepoFile is the configuration of RPM clients, which a host may have changed.
type RepoFile struct {
	Path  string // empty: the package has nothing to do with it
	Body  []byte
	Ghost bool // the package leaves it alone, in whatever state it is, and removes it when it is removed itself
}

// form changes when the same spec gives another package than before.
const form = 1

// Content returns a digest of what a spec is about whatever the version: a package is made again when it changes.
func (s Spec) Content(f catalog.Format) string {
	s.Version, s.Made = "", time.Time{}
	b, err := json.Marshal(s)
	if err != nil {
		panic(err) // text and bytes
	}
	sum := sha256.Sum256(fmt.Appendf(b, "\n%s %d", f, form))
	return hex.EncodeToString(sum[:])
}

// name returns the name of the package in a format.
func (s Spec) name(f catalog.Format) string { return layout.KeyringName(s.Repository, f) }

// File returns the name of the file of the package in a format.
func (s Spec) File(f catalog.Format) string {
	if f == catalog.DEB {
		return s.name(f) + "_" + s.Version + "_all.deb"
	}
	return s.name(f) + "-" + s.Version + "-" + release + ".noarch.rpm"
}

// Identity returns what the catalog knows a package by, but for its place.
func (s Spec) Identity(f catalog.Format) catalog.Package {
	k := catalog.Package{Repository: s.Repository, Format: f, Name: s.name(f), Version: s.Version, Arch: "all"}
	if f == catalog.RPM {
		k.Version, k.Arch = s.Version+"-"+release, layout.Noarch
	}
	return k
}

// summary says in a line what a package is.
func (s Spec) summary() string {
	return "public keys of the package repository " + s.Repository.String()
}

// description says, in lines of at most 75 characters, what a package is for.
func (s Spec) description() []string {
	return []string{
		"It has the public keys that sign the repository now, and those that will.",
		"A host that has it installed and is upgraded goes on reading the repository",
		"when one key takes the place of another.",
	}
}

// author is whom the package is by. The host of a URL stands in it, since there has to be an address of mail.
func (s Spec) author() string {
	_, host, _ := strings.Cut(s.URL, "://")
	host, _, _ = strings.Cut(host, "/")
	host, _, _ = strings.Cut(host, ":")
	return s.Repository.String() + " <noreply@" + host + ">"
}

const copyright = "These are public keys: everybody may copy and use them.\n"
