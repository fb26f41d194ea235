package catalog

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"
)

// A TrainName names a release train: packages that its owner's repositories get at one moment.
type TrainName struct {
	Owner, Name string
}

// ParseTrainName reads "owner/train". It checks the number of segments alone.
func ParseTrainName(s string) (TrainName, error) {
	owner, name, ok := strings.Cut(s, "/")
	if !ok || owner == "" || name == "" || strings.Contains(name, "/") {
		return TrainName{}, fmt.Errorf("train %q: use owner/train, such as acme/19.5.0", s)
	}
	return TrainName{owner, name}, nil
}

// String returns "owner/train".
func (n TrainName) String() string { return n.Owner + "/" + n.Name }

// MarshalText implements [encoding.TextMarshaler].
func (n TrainName) MarshalText() ([]byte, error) { return []byte(n.String()), nil }

// A TrainState is the state of a release train.
type TrainState string

// The states of a release train. An open one takes packages. One whose packages were all dropped takes packages again.
const (
	TrainOpen    TrainState = "open"
	TrainGone    TrainState = "published" // all its packages became active in one transaction
	TrainDropped TrainState = "dropped"
)

// The actions on release trains in the audit log.
const (
	ActionTrainOpen    Action = "train.open"    // the first file came
	ActionTrainAsk     Action = "train.ask"     // it is to be published, now or later
	ActionTrainCancel  Action = "train.cancel"  // it is not to be published at its time any more
	ActionTrainPublish Action = "train.publish" // all its packages became active
	ActionTrainRefuse  Action = "train.refuse"  // it was to be published, and something was missing
	ActionTrainDrop    Action = "train.drop"    // packages were dropped from it
)

// A Train is a release train.
type Train struct {
	Train      TrainName  `json:"train"`
	State      TrainState `json:"state"`
	Embargo    bool       `json:"embargo,omitempty"`     // nothing public names or serves its packages before it is published
	TakingBack bool       `json:"taking_back,omitempty"` // it was refused while its files were copied: the copies are being removed
	Copying    bool       `json:"copying,omitempty"`     // of one under embargo: its files are on their way to their public keys, and only a drop stops that
	Opened     time.Time  `json:"opened"`
	NotBefore  *time.Time `json:"not_before,omitempty"` // when a worker is to publish it; nil if it is not asked to
	Planned    string     `json:"planned,omitempty"`    // digest of the plan that is to be published then, and nothing else
	By         string     `json:"by,omitempty"`         // who asked for that
	Why        string     `json:"why,omitempty"`
	Attempts   int        `json:"attempts,omitempty"` // that ended in a fault of a resource since then
	Faults     []string   `json:"faults,omitempty"`   // why the last attempt to publish it did not
	Ended      *time.Time `json:"ended,omitempty"`    // when it was published or dropped
	Held       int        `json:"held"`               // uploads that wait in it
	Others     int        `json:"others"`             // uploads of it that are being read, or were rejected
}

// OldTrain is the age from which an open release train that is not to be published yet is shown to people: what it holds stays in staging, and
// keeps the names of its packages, until the train is published or dropped.
const OldTrain = 30 * 24 * time.Hour

// Old reports whether a train is such a one at a time.
func (t Train) Old(now time.Time) bool {
	return t.State == TrainOpen && t.NotBefore == nil && now.Sub(t.Opened) >= OldTrain
}

// A TrainMember is an upload of a release train.
type TrainMember struct {
	Upload   Upload
	State    UploadState
	Reason   Reason
	Detail   string
	Received time.Time
	Package  *Package // without fragments; nil if the upload has none

	// Replaces are the active packages whose place a held one takes, in a mutable repository: its version with other bytes.
	Replaces []Package
}

// A TrainSpread says when clients saw the releases of a train.
type TrainSpread struct {
	Releases int        `json:"releases"`
	Visible  int        `json:"visible"` // releases that are published with the train's packages
	First    *time.Time `json:"first,omitempty"`
	Last     *time.Time `json:"last,omitempty"`
}

// Whole reports whether clients see all releases.
func (s TrainSpread) Whole() bool { return s.Visible == s.Releases }

// Millis returns the time between the first and the last pointer, in milliseconds.
func (s TrainSpread) Millis() int64 {
	if s.First == nil || s.Last == nil {
		return 0
	}
	return s.Last.Sub(*s.First).Milliseconds()
}

// FaultsText returns the reasons of a train as its row has them.
func FaultsText(faults []string) string {
	text, err := json.Marshal(append([]string{}, faults...))
	if err != nil {
		panic(err) // strings have JSON
	}
	return string(text)
}

// shownFaults is how many reasons a train has at most.
const shownFaults = 20

// FewFaults returns the first of some reasons, and how many more there are.
func FewFaults(faults []string) []string {
	if n := len(faults) - shownFaults; n > 0 {
		return append(faults[:shownFaults:shownFaults], fmt.Sprintf("and %d more", n))
	}
	return faults
}
