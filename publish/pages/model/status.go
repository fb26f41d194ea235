package model

import (
	"time"

	"repomill/schemas/catalog"
)

// A StatusPage is what those who push to a repository and release from it see of its state, and its twin. Unlike all other pages, it
// has what clients do not see: what waits, what was refused, and who did what. It is made for each request, and never stored.
type StatusPage struct {
	Repository `json:"-"`
	At         time.Time        `json:"at"` // of the report, by the clock of the catalog; ages are those at that time
	Releases   []ReleaseStatus  `json:"releases"`
	Waiting    []WaitingStatus  `json:"waiting"`
	Pushes     []UploadStatus   `json:"pushes"`     // the newest uploads, newest first
	Rejections []UploadStatus   `json:"rejections"` // the newest ones that were rejected, newest first
	Worker     WorkerStatus     `json:"worker"`
	Pages      *PagesStatus     `json:"pages,omitempty"` // nil if it is not known
	Keys       []KeyStatus      `json:"keys"`            // that clients are given
	Downloads  *DownloadsStatus `json:"downloads"`       // nil if they could not be counted
	Changes    []ChangeStatus   `json:"changes"`         // of settings, tokens and packages, by the audit log, newest first
}

// A ReleaseStatus is how far a release is published.
type ReleaseStatus struct {
	Release   string     `json:"release"`           // owner/name/os/version[/arch]
	Latest    int64      `json:"latest"`            // revision of the rows
	Published int64      `json:"published"`         // revision that clients see; 0 if there is none
	Since     *time.Time `json:"since,omitempty"`   // when that was published
	Fault     string     `json:"fault,omitempty"`   // why the last publish failed
	Waiting   bool       `json:"waiting,omitempty"` // clients do not see the latest revision
}

// A WaitingStatus is how many uploads wait in a state, and since when the oldest does.
type WaitingStatus struct {
	State  catalog.UploadState `json:"state"`
	Count  int                 `json:"count"`
	Oldest time.Time           `json:"oldest"`
}

// An UploadStatus is an upload and what became of it.
type UploadStatus struct {
	File     string              `json:"file"`   // its name, as it was pushed
	Target   string              `json:"target"` // owner/name/os/version[/component]
	State    catalog.UploadState `json:"state"`
	Reason   catalog.Reason      `json:"reason,omitempty"`
	Detail   string              `json:"detail,omitempty"`  // why it was rejected or, before the end, the last fault
	Package  string              `json:"package,omitempty"` // name version architecture
	Size     int64               `json:"size,omitempty"`    // bytes
	Received time.Time           `json:"received"`
	Finished *time.Time          `json:"finished,omitempty"`
	By       string              `json:"by,omitempty"`  // who pushed it, as far as that is known
	Job      string              `json:"job,omitempty"` // of CI, as the pusher says: any text
}

// A WorkerStatus says whether a worker runs, for all repositories.
type WorkerStatus struct {
	Runs bool       `json:"runs"`
	Seen *time.Time `json:"seen,omitempty"` // nil if none was for a month
}

// A PagesStatus is how far the pages of the repository are behind what is published.
type PagesStatus struct {
	Waiting int        `json:"waiting"`          // requests
	Oldest  *time.Time `json:"oldest,omitempty"` // since when clients see the oldest change that has no pages
	Whole   bool       `json:"whole,omitempty"`  // all pages are being made
	Fault   string     `json:"fault,omitempty"`  // why pages could not be made
}

// A KeyStatus is a key of the server.
type KeyStatus struct {
	Fingerprint string     `json:"fingerprint"`
	Role        string     `json:"role"`              // "signing" or "standby"
	Expires     *time.Time `json:"expires,omitempty"` // nil: never
}

// A DownloadsStatus is how often packages were downloaded, by the logs that were counted.
type DownloadsStatus struct {
	At    time.Time       `json:"at"`    // when they were summed up: it may be some minutes before the report
	Since string          `json:"since"` // the first day, as in 2026-11-30
	Total int64           `json:"total"`
	Top   []DownloadCount `json:"top"` // the packages that were downloaded most
}

// A DownloadCount is how often a package was downloaded, in all versions.
type DownloadCount struct {
	Package   string `json:"package"`
	Downloads int64  `json:"downloads"`
}

// A ChangeStatus is an entry of the audit log.
type ChangeStatus struct {
	At     time.Time      `json:"at"`
	By     string         `json:"by,omitempty"` // empty if the server did it by itself
	Action catalog.Action `json:"action"`
	Target string         `json:"target"`
	Detail string         `json:"detail,omitempty"`
	Why    string         `json:"why,omitempty"`
	Job    string         `json:"job,omitempty"`
}
