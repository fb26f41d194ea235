package catalog

import (
	"slices"
	"time"
)

// A KeyringPackage is the record of a repository's keyring packages, which repomill builds. A host that has one gets the next
// keys by an upgrade.
type KeyringPackage struct {
	On      bool          `json:"on"`                // it is made; otherwise the record of what was made before
	Version string        `json:"version,omitempty"` // of what was made last: day and serial; empty for nothing yet
	Made    time.Time     `json:"made,omitzero"`     // when the version was drawn, whole seconds, UTC
	Keys    int64         `json:"keys,omitempty"`    // revision of the list of keys that it was made of
	Repo    bool          `json:"repo,omitempty"`    // a version had the .repo file in it
	Given   []string      `json:"given,omitempty"`   // fingerprints of the keys in the version; none for one from before they were kept
	Files   []KeyringFile `json:"files,omitempty"`   // of the version; nothing else is taken under the names of the packages
}

// Has reports whether the last version contains a key that was added at a time.
func (k KeyringPackage) Has(fingerprint string, added time.Time) bool {
	if len(k.Given) == 0 {
		return k.Version != "" && !k.Made.Before(added.Truncate(time.Second))
	}
	return slices.Contains(k.Given, fingerprint)
}

// A KeyringFile is one package of a version.
type KeyringFile struct {
	For     string `json:"for"`     // "deb" for all DEB distributions, or the RPM distribution, such as "el/9"
	Content string `json:"content"` // SHA-256 of its content without version and time
	SHA256  string `json:"sha256"`  // of the file
}
