package twin

import (
	"repomill/publish/pages/model"
	"repomill/schemas/catalog"
	"repomill/schemas/layout"
)

// A front is the JSON of index.json.
type front struct {
	Repository    string         `json:"repository"`
	URL           string         `json:"url"`
	Description   string         `json:"description"`
	Private       bool           `json:"private"`
	Mutable       bool           `json:"mutable,omitempty"`
	Packages      int            `json:"packages"`
	Names         int            `json:"names"`
	AsOf          *string        `json:"as_of"`
	Distributions []distribution `json:"distributions"`
	Releases      []frontRelease `json:"releases"`
	KeysURL       string         `json:"keys_url"`
	Keys          []key          `json:"keys"`
	PackageKeys   []key          `json:"package_keys"`
	NamesTwin     string         `json:"names_twin"`
	Feed          string         `json:"feed"`
	Status        string         `json:"status"`
	Retention     []retention    `json:"retention"`
	Snapshots     *snapshots     `json:"snapshots"`
	Deleted       *deleted       `json:"deleted"`
}

type retention struct {
	Distribution string   `json:"distribution"` // empty for all
	Rules        []string `json:"rules"`
	Automatic    bool     `json:"automatic"`
}

type snapshots struct {
	Kept   int                   `json:"kept"`
	Newest *string               `json:"newest"`
	Rule   *catalog.SnapshotRule `json:"rule"`
	Twin   *string               `json:"twin"`
}

type deleted struct {
	At    string `json:"at"`
	Until string `json:"until"`
}

type distribution struct {
	Distribution  string         `json:"distribution"`
	Format        catalog.Format `json:"format"`
	Components    []string       `json:"components"`
	Architectures []string       `json:"architectures"`
	Configuration string         `json:"configuration"`
}

type frontRelease struct {
	Release   string  `json:"release"`
	Revision  int64   `json:"revision"`
	Published *string `json:"published"`
}

type key struct {
	Fingerprint string  `json:"fingerprint"`
	User        string  `json:"user"`
	Expires     *string `json:"expires"`
}

// Front returns index.json of a repository.
func (r *Renderer) Front(f model.Front) model.Page {
	keys := layout.GPGKeyKey(f.Name)
	if f.Private {
		keys = layout.InstanceKeyKey // without a token, as in the configuration of clients
	}
	return document(layout.FrontTwinKey(f.Name), front{
		Repository: f.Name.String(), URL: r.url(layout.FrontPageKey(f.Name)), Description: f.Description, Private: f.Private, Mutable: f.Mutable,
		Packages: f.Packages, Names: f.Names, AsOf: stampIf(f.AsOf),
		Distributions: list(f.Distributions, func(d model.Distribution) distribution { return r.distribution(f.Name, d) }),
		Releases: list(f.Releases, func(rel model.Release) frontRelease {
			return frontRelease{rel.Release.String(), rel.Revision.Number, stampIf(rel.Published)}
		}),
		KeysURL: r.url(keys), Keys: list(f.Keys, keyOf), PackageKeys: list(f.PackageKeys, keyOf),
		NamesTwin: relative(f.Name, layout.NamesTwinKey(f.Name, -1, "")),
		Feed:      relative(f.Name, layout.FeedKey(f.Name)), Status: relative(f.Name, layout.StatusKey(f.Name)),
		Retention: list(f.Retention, retentionOf), Snapshots: snapshotsOf(f), Deleted: deletedOf(f.Deleted),
	}, 2)
}

func retentionOf(set catalog.Retention) retention {
	r := retention{Rules: set.Rules(), Automatic: set.Automatic}
	if set.Distribution != (catalog.Distribution{}) {
		r.Distribution = set.Distribution.String()
	}
	return r
}

// snapshotsOf is nil for a repository that had no snapshot, and has no rule for them.
func snapshotsOf(f model.Front) *snapshots {
	if !f.Snapshots && f.SnapshotRule == nil {
		return nil
	}
	s := snapshots{Kept: f.Kept, Rule: f.SnapshotRule}
	if f.Newest != "" {
		s.Newest = &f.Newest
	}
	if f.Snapshots {
		key := relative(f.Name, layout.SnapshotsTwinKey(f.Name))
		s.Twin = &key
	}
	return &s
}

func deletedOf(d *model.Deleted) *deleted {
	if d == nil {
		return nil
	}
	return &deleted{stamp(d.At), stamp(d.Until)}
}

func (r *Renderer) distribution(repo catalog.Repository, d model.Distribution) distribution {
	same := func(s string) string { return s }
	configuration := layout.SourcesKey(repo, d.Distribution)
	switch {
	case d.Format == catalog.RPM:
		configuration = layout.RepoKey(repo, d.Distribution)
	case d.Client == layout.AptList:
		configuration = layout.ConfigFileKey(repo, d.Distribution, catalog.DEB)
	}
	return distribution{
		Distribution: d.Distribution.String(), Format: d.Format, Components: list(d.Settings.Components, same),
		Architectures: list(d.Settings.Architectures, same), Configuration: r.url(configuration),
	}
}

func keyOf(k model.Key) key { return key{k.Fingerprint, k.User, stampPointer(k.Expires)} }

// A status is the JSON of status.json.
type status struct {
	Repository string          `json:"repository"`
	AsOf       *string         `json:"as_of"`
	Releases   []statusRelease `json:"releases"`
}

type statusRelease struct {
	Release   string  `json:"release"`
	Revision  int64   `json:"revision"`
	Nonce     string  `json:"nonce"`
	Published *string `json:"published"`
	Verified  *string `json:"verified"`
	Pointer   string  `json:"pointer"`
}

// Status returns status.json of a repository.
func (r *Renderer) Status(f model.Front) model.Page {
	return document(layout.StatusKey(f.Name), status{
		Repository: f.Name.String(), AsOf: stampIf(f.AsOf),
		Releases: list(f.Releases, func(rel model.Release) statusRelease {
			return statusRelease{
				Release: rel.Release.String(), Revision: rel.Revision.Number, Nonce: rel.Revision.Nonce,
				Published: stampIf(rel.Published), Verified: stampPointer(rel.Verified), Pointer: relative(f.Name, layout.PointerKey(rel.Release)),
			}
		}),
	}, 2)
}
