package catalog

import "encoding/json"

// A TrainUpload is an upload of a release train as people and programs read it.
type TrainUpload struct {
	File    string      `json:"file"`
	State   UploadState `json:"state"`
	Reason  Reason      `json:"reason,omitempty"`
	Detail  string      `json:"detail,omitempty"`
	Package string      `json:"package,omitempty"` // name version architecture
	Place   string      `json:"place,omitempty"`
	Size    int64       `json:"size"` // bytes
	SHA256  string      `json:"sha256,omitempty"`
}

// A TrainReport is a release train with its uploads.
type TrainReport struct {
	Train
	Uploads []TrainUpload `json:"uploads"`
	Spread  *TrainSpread  `json:"spread,omitempty"` // of a published one
	Millis  *int64        `json:"milliseconds_between_pointers,omitempty"`
}

// A TrainRelease is what a train would bring into a release.
type TrainRelease struct {
	Release  string     `json:"release"`
	Bytes    int64      `json:"bytes"`
	Packages []PlanItem `json:"packages"` // that come, and that they take the place of
}

// A TrainPlan is what a train would publish, as compared with what its repositories show.
type TrainPlan struct {
	Train      TrainName      `json:"train"`
	State      TrainState     `json:"state"`
	Ready      bool           `json:"ready"`
	Releases   []TrainRelease `json:"releases"`
	Missing    []string       `json:"missing,omitempty"`    // what some distributions get and others do not
	Downgrades []string       `json:"downgrades,omitempty"` // packages that are older than what is there
	Replaced   []string       `json:"replaced,omitempty"`   // packages of mutable repositories whose version gets other bytes
	Faults     []string       `json:"not_ready,omitempty"`
	Digest     string         `json:"digest,omitempty"` // of an open one: for a publish of just this, or of nothing
}

// Plan returns a train as a plan of the kind [PlanTrain]. Its target is the name of the train.
func (n TrainName) Plan(items []PlanItem) (Plan, error) {
	p := Plan{Kind: PlanTrain, Target: PackageTarget{Repository: Repository(n)}, Args: json.RawMessage(`{}`), Items: append([]PlanItem{}, items...), Releases: []PlanRelease{}}
	return p, p.Seal()
}

// TrainItems returns what a held package brings into its releases, and what it takes the place of there: of RPM, in those of its
// directories.
func TrainItems(k Package, replaces []Package, dirs []string) (items []PlanItem) {
	if k.Format == DEB {
		dirs = []string{""}
	}
	for _, arch := range dirs {
		r := Release{Repository: k.Repository, Distribution: k.Distribution, Arch: arch}
		i := ItemOf(r, k, PlanCopy)
		i.From = k.Place().String()
		items = append(items, i)
		for _, other := range replaces {
			items = append(items, ItemOf(r, other, PlanWithdraw))
		}
	}
	return items
}
