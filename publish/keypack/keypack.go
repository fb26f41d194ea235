// Package keypack builds keyring packages, DEB and RPM, which install the public keys of a repository on a host. They are
// upgraded like other packages, so that a host has the next key before it signs. The same [Spec] always gives the same
// bytes.
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

// A Spec is the content of a keyring package.
type Spec struct {
	Repository   catalog.Repository
	Version      string    // see [layout.NextKeyringVersion]
	Made         time.Time // modification time of all files, build time of the package, time of the signature
	URL          string    // of the repository; shown to users
	Keys         []byte    // armoured: the repository's gpgkey
	Fingerprints []string  // of these keys; shown to users
	Repo         RepoFile  // RPM only
}

// A RepoFile is the configuration of RPM clients, which a host may have changed.
type RepoFile struct {
	Path  string // absolute; empty if the package has no such file
	Body  []byte
	Ghost bool // %ghost: rpm does not install or change the file, and removes it with the package
}

// form is raised when the same spec gives other bytes than before.
const form = 1

// Content returns a digest of a spec without its version and time. A new version of the package is needed when it
// changes.
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

// File returns the file name of the package in a format.
func (s Spec) File(f catalog.Format) string {
	if f == catalog.DEB {
		return s.name(f) + "_" + s.Version + "_all.deb"
	}
	return s.name(f) + "-" + s.Version + "-" + release + ".noarch.rpm"
}

// Identity returns the repository, name, version and architecture of the package in a format. Its distribution is not set.
func (s Spec) Identity(f catalog.Format) catalog.Package {
	k := catalog.Package{Repository: s.Repository, Format: f, Name: s.name(f), Version: s.Version, Arch: "all"}
	if f == catalog.RPM {
		k.Version, k.Arch = s.Version+"-"+release, layout.Noarch
	}
	return k
}

// summary returns the description of a package in one line.
func (s Spec) summary() string {
	return "public keys of the package repository " + s.Repository.String()
}

// description returns the long description of a package, in lines of at most 75 characters.
func (s Spec) description() []string {
	return []string{
		"It has the public keys that sign the repository now, and those that will.",
		"A host that has it installed and is upgraded goes on reading the repository",
		"when one key takes the place of another.",
	}
}

// author returns the maintainer or packager. Both formats require a mail address; its domain is the host of the URL.
func (s Spec) author() string {
	_, host, _ := strings.Cut(s.URL, "://")
	host, _, _ = strings.Cut(host, "/")
	host, _, _ = strings.Cut(host, ":")
	return s.Repository.String() + " <noreply@" + host + ">"
}

const copyright = "These are public keys: everybody may copy and use them.\n"
