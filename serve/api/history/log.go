package history

import (
	"fmt"
	"net/url"
	"strconv"
	"time"

	"repomill/schemas/catalog"
	"repomill/serve/api"
)

// A LogQuery asks for a page of the log of a target.
type LogQuery struct {
	Target  catalog.PackageTarget
	Pattern string        // NAME, NAME=VERSION or NAME=VERSION:ARCH, with globs; empty for all that is recorded
	Since   time.Duration // from how long ago on; of the first page
	Cursor  string        // of the page before; empty for the first page
	Limit   int           // entries of a page

	// Sees reports whether the caller has a right in a repository: names of private ones without are left out. Pushes is whether the caller
	// may push to this one, or manage it: who may not does not learn of names that release trains hold.
	Sees   func(catalog.Repository) bool
	Pushes bool
}

// A LogPage is what was changed, oldest first.
type LogPage struct {
	Repository string               `json:"repository"`
	Entries    []catalog.AuditEntry `json:"entries"`
	Next       string               `json:"next,omitempty"` // the cursor of the next page; empty for the last one
}

const (
	usualLog = 100 // entries of a page
	maxLog   = 1000
)

// logQuery reads the form of a call.
func logQuery(form url.Values, t catalog.PackageTarget, by api.Principal) (q LogQuery, err error) {
	r := t.Repository
	q = LogQuery{Target: t, Pattern: form.Get("package"), Since: 7 * 24 * time.Hour, Cursor: form.Get("cursor"), Limit: usualLog,
		Sees: by.Looks, Pushes: by.May(api.Push, r) || by.May(api.Manage, r)}
	if s := form.Get("since"); s != "" {
		if q.Since, err = catalog.ParsePeriod(s); err != nil {
			return q, api.Invalid("since", err.Error())
		}
	}
	if s := form.Get("limit"); s != "" {
		if q.Limit, err = strconv.Atoi(s); err != nil || q.Limit < 1 || q.Limit > maxLog {
			return q, api.Invalid("limit", fmt.Sprintf("use a number from 1 to %d", maxLog))
		}
	}
	return q, nil
}
