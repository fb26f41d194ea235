package catalog

import "time"

// An UploadState says how far an upload has come.
type UploadState string

// The states of an upload. Published, Duplicate and Rejected are final.
const (
	Received  UploadState = "received"  // taken up, being read
	Stored    UploadState = "stored"    // its package is a row; the releases are not all published yet
	Published UploadState = "published" // a client can install it
	Duplicate UploadState = "duplicate" // the same bytes were there already; a client can install them
	Rejected  UploadState = "rejected"
)

// Final reports whether an upload in this state stays there.
func (s UploadState) Final() bool { return s == Published || s == Duplicate || s == Rejected }

// A Verdict answers what became of one generation of a staged object. It is stored beside the
// uploads as .results/<staging key>.json.
type Verdict struct {
	Object     string           `json:"object"`
	Generation string           `json:"generation"`
	State      UploadState      `json:"state"`
	Reason     Reason           `json:"reason,omitempty"`
	Detail     string           `json:"detail,omitempty"`
	SHA256     string           `json:"sha256,omitempty"`
	Size       int64            `json:"size,omitempty"`
	Package    string           `json:"package,omitempty"` // name version architecture
	Key        string           `json:"key,omitempty"`     // published object key
	Checked    Checked          `json:"checked,omitempty"` // of one that was not rejected
	Releases   []VerdictRelease `json:"releases,omitempty"`
	Received   time.Time        `json:"received,omitzero"`
	Finished   *time.Time       `json:"finished,omitempty"`
}

// Checked says what was looked at of a package's payload before it was taken.
type Checked string

// What is looked at of a payload. Structure is what the format's own tools check before they unpack anything; Whole is
// all of it, unpacked.
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
