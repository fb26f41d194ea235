package catalog

import "time"

// An UploadState is the state of an upload in the catalog.
type UploadState string

// The states of an upload. Published, Duplicate and Rejected are final.
const (
	Received  UploadState = "received"  // leased, being read
	Stored    UploadState = "stored"    // its package has a row; not all of its releases are published
	Held      UploadState = "held"      // its package is stored, and waits for its release train to be published
	Published UploadState = "published" // clients can install it
	Duplicate UploadState = "duplicate" // the package had these bytes already; clients can install it
	Rejected  UploadState = "rejected"
)

// Final reports whether the state does not change any more.
func (s UploadState) Final() bool { return s == Published || s == Duplicate || s == Rejected }

// Settled reports whether no worker has anything to do for an upload by itself: its state is final, or its release train decides
// what becomes of it.
func (s UploadState) Settled() bool { return s == Held || s.Final() }

// A Verdict is the result of one generation of a staged object, or its progress until there is one. It is stored in
// staging as .results/<staging key>.json.
type Verdict struct {
	Object     string           `json:"object"`
	Generation string           `json:"generation"`
	State      UploadState      `json:"state"`
	Reason     Reason           `json:"reason,omitempty"`
	Detail     string           `json:"detail,omitempty"`
	SHA256     string           `json:"sha256,omitempty"`
	Replaced   string           `json:"replaced,omitempty"` // SHA-256 of the bytes that the version had before, in a mutable repository
	Size       int64            `json:"size,omitempty"`
	Package    string           `json:"package,omitempty"` // name version architecture
	Key        string           `json:"key,omitempty"`     // published object key
	Checked    Checked          `json:"checked,omitempty"` // of one that was not rejected
	Releases   []VerdictRelease `json:"releases,omitempty"`
	Received   time.Time        `json:"received,omitzero"`
	Finished   *time.Time       `json:"finished,omitempty"`
	Move       MoveState        `json:"move,omitempty"`        // of a promotion that moves its package
	MoveDetail string           `json:"move_detail,omitempty"` // why it was kept
}

// Outcome returns the state in the word that people read: replaced, for a published package that took the place of other bytes.
func (v Verdict) Outcome() string {
	if v.State == Published && v.Replaced != "" {
		return "replaced"
	}
	return string(v.State)
}

// Settled reports whether nothing is left to do for an upload: its state is final, and a package that moves has moved or stays.
func (v Verdict) Settled() bool { return v.State.Final() && v.Move != MoveWaiting }

// Checked says how much of a package's payload was verified at ingest.
type Checked string

// The values of Checked. Structure is what the tools of the format check before they unpack; Whole is all of it, unpacked.
const (
	CheckedStructure Checked = "structure"
	CheckedWhole     Checked = "whole"
)

// A VerdictRelease is a release in which the package is, or will be, visible.
type VerdictRelease struct {
	Release  string `json:"release"`
	Revision int64  `json:"revision"`          // the first revision that has the package
	Pointer  string `json:"pointer"`           // public URL of its InRelease or repomd.xml
	Keyring  bool   `json:"keyring,omitempty"` // the repository has a keyring package, which clients are set up for
}
