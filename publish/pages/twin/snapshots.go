package twin

import (
	"repomill/publish/pages/model"
	"repomill/schemas/catalog"
	"repomill/schemas/layout"
)

// A snapshotList is the JSON of the snapshots of a repository.
type snapshotList struct {
	Repository string                `json:"repository"`
	AsOf       *string               `json:"as_of"`
	Total      *int                  `json:"total,omitempty"`
	Rule       *catalog.SnapshotRule `json:"rule"`
	Page       string                `json:"page"`
	Newest     string                `json:"newest"`
	Older      *string               `json:"older"`
	Snapshots  []snapshot            `json:"snapshots"`
}

type snapshot struct {
	ID            string            `json:"id"`
	Name          string            `json:"name"`
	Taken         string            `json:"taken"`
	Until         *string           `json:"until"`
	Automatic     bool              `json:"automatic"`
	Page          string            `json:"page"`
	Configuration []string          `json:"configuration"`
	Releases      []snapshotRelease `json:"releases"`
}

type snapshotRelease struct {
	Release  string `json:"release"`
	Revision int64  `json:"revision"`
	Packages *int   `json:"packages"`
	Came     *int   `json:"came"`
	Went     *int   `json:"went"`
}

// Snapshots returns snapshots/index.json, or the twin of a page of older snapshots.
func (r *Renderer) Snapshots(s model.Snapshots) model.Page {
	key, page := layout.SnapshotsTwinKey(s.Name), layout.SnapshotsPageKey(s.Name)
	if s.Page < s.Pages {
		key, page = layout.OlderSnapshotsTwinKey(s.Name, s.Page), layout.OlderSnapshotsPageKey(s.Name, s.Page)
	}
	doc := snapshotList{
		Repository: s.Name.String(), Rule: s.Rule, Page: relative(s.Name, page), Newest: relative(s.Name, layout.SnapshotsTwinKey(s.Name)),
		Snapshots: list(s.Snapshots, func(one model.Snapshot) snapshot { return r.snapshotOf(s.Name, one) }),
	}
	if s.Page >= s.Pages {
		doc.Total = &s.Total
	}
	if len(s.Snapshots) > 0 {
		doc.AsOf = stampIf(s.Snapshots[0].Taken)
	}
	if s.Page > 1 {
		older := relative(s.Name, layout.OlderSnapshotsTwinKey(s.Name, s.Page-1))
		doc.Older = &older
	}
	return document(key, doc, 4)
}

func (r *Renderer) snapshotOf(repo catalog.Repository, s model.Snapshot) snapshot {
	kept := catalog.Snapshot{Target: catalog.PackageTarget{Repository: repo}, ID: s.ID, State: catalog.SnapshotKept}
	for _, one := range s.Releases {
		kept.Releases = append(kept.Releases, catalog.SnapshotRelease{Release: one.Release})
	}
	return snapshot{
		ID: s.ID, Name: s.Alias, Taken: stamp(s.Taken), Until: stampPointer(s.Until), Automatic: s.Automatic, Page: relative(repo, layout.SnapshotPageKey(repo, s.ID)),
		Configuration: list(layout.SnapshotFiles(kept), r.url),
		Releases: list(s.Releases, func(one model.KeptRelease) snapshotRelease {
			out := snapshotRelease{Release: one.Release.String(), Revision: one.Revision}
			if one.Packages >= 0 {
				out.Packages = &one.Packages
			}
			if one.Known {
				out.Came, out.Went = &one.Came, &one.Went
			}
			return out
		}),
	}
}
