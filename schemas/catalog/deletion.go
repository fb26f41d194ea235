package catalog

import (
	"fmt"
	"time"
)

// A Deletion is that of a repository. Until a time the repository is empty, and can be brought back; then its objects are removed. The
// name stays taken.
type Deletion struct {
	At       time.Time  `json:"at"`
	Until    time.Time  `json:"until"`
	By       string     `json:"by,omitempty"`
	Why      string     `json:"why,omitempty"`
	Packages int        `json:"packages"`           // that were withdrawn with it
	Unused   bool       `json:"unused,omitempty"`   // it never had a package
	Removing bool       `json:"removing,omitempty"` // it cannot be brought back any more
	Removed  *time.Time `json:"removed,omitempty"`  // when its objects were
	Final    bool       `json:"final,omitempty"`    // they were looked for once more: the name can be used again
}

// String says in one sentence what is with the repository.
func (d Deletion) String() string {
	day := func(t time.Time) string { return t.UTC().Format("2006-01-02 15:04 MST") }
	switch {
	case d.Final:
		return fmt.Sprintf("it was deleted on %s, and its objects are removed; repomill repo create --reuse-deleted-name takes the name again", day(d.At))
	case d.Removing:
		return fmt.Sprintf("it was deleted on %s, and its objects are being removed", day(d.At))
	default:
		return fmt.Sprintf("it was deleted on %s; until %s, repomill repo undelete brings it back", day(d.At), day(d.Until))
	}
}
