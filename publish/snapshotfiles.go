package publish

import (
	"slices"

	"repomill/publish/sign"
	"repomill/schemas/catalog"
	"repomill/schemas/layout"
)

// SnapshotFile returns the client configuration of a distribution for a snapshot, and the object that it is: a .sources or a .repo file
// with the URL of the snapshot, and with the present keys.
func (p *Publisher) SnapshotFile(s catalog.Settings, d catalog.Distribution, f catalog.Format, id string) (layout.Object, []byte) {
	c := p.clientFiles()
	c.snapshot = id
	if f == catalog.DEB {
		return layout.ObjectOf(layout.InSnapshot(s.Repository, id, layout.SourcesKey(s.Repository, d))), c.sources(s, d)
	}
	return layout.ObjectOf(layout.InSnapshot(s.Repository, id, layout.RepoKey(s.Repository, d))), c.repo(s, d)
}

// place returns where clients find what is at a path of a repository: there, or below the snapshot.
func (c clientFiles) place(r catalog.Repository, path string) string {
	if c.snapshot == "" {
		return path
	}
	return layout.InSnapshot(r, c.snapshot, path)
}

// asOf says which state of the repository the files are for; nothing for the present one.
func (c clientFiles) asOf() string {
	if c.snapshot == "" {
		return ""
	}
	return " at " + c.snapshot
}

// Keys returns the present keys.
func (p *Publisher) Keys() Keys { return *p.keys.Load() }

// Signer returns what signs; nil for a publisher that only prepares.
func (k Keys) Signer() Signer { return k.signer }

// Signing returns the fingerprints of the keys that should sign, in order, and whether the signer has all of them.
func (k Keys) Signing() (fingerprints []string, complete bool) {
	return slices.Clone(k.signing), k.signer != nil && !k.lacking
}

// Trusted returns all keys that may have signed what is published, and are not leaked.
func (k Keys) Trusted() sign.Keyring { return k.trusted }

// Known returns the same keys and leaked ones.
func (k Keys) Known() sign.Keyring { return k.known }
