package main

import (
	"context"
	"fmt"
	"strings"

	"repomill/schemas/catalog"
	"repomill/schemas/catalogdb"
	"repomill/serve/api"
	"repomill/serve/api/history"
)

// maxLogLooks is how many lines of the log one call looks at.
const maxLogLooks = 20_000

// Log implements [history.Source]. Lines about the owner, or about all repositories, are not those of the repository: a train under
// embargo has them there. A page may have fewer entries than its limit, or none, if few of many lines are selected.
func (a apiHistory) Log(ctx context.Context, q history.LogQuery) (page history.LogPage, err error) {
	r := q.Target.Repository
	page = history.LogPage{Repository: r.String(), Entries: []catalog.AuditEntry{}}
	from, f, err := a.logFrom(ctx, q)
	if err != nil {
		return page, err
	}
	hide := apiStatus{db: a.db, hidden: hiddenNames{sees: q.Sees, known: map[catalog.Repository]bool{}}}
	looks := 0
	for line, err := range a.db.LogFrom(ctx, catalog.Target(r), from) {
		if err != nil {
			return page, err
		}
		if len(page.Entries) == q.Limit || looks == maxLogLooks {
			page.Next = cursorOf(from)
			break
		}
		looks++
		from = line.Behind
		e := line.AuditEntry
		if !atOrBelow(e.Target, r.String()) || !f.selects(e) || !q.Pushes && isReserved(e) {
			continue
		}
		if e.Elsewhere != nil {
			if e.Detail, err = hide.hide(ctx, e.Detail, *e.Elsewhere, r); err == nil {
				e.Why, err = hide.hide(ctx, e.Why, *e.Elsewhere, r)
			}
			if err != nil {
				return page, err
			}
		}
		page.Entries = append(page.Entries, e)
	}
	return page, nil
}

// logFrom returns where a page begins, and what it has.
func (a apiHistory) logFrom(ctx context.Context, q history.LogQuery) (from catalogdb.LogPlace, f logFilter, err error) {
	r := q.Target.Repository
	if _, err := a.db.Settings(ctx, r); err != nil {
		return from, f, err
	}
	f.repository = catalog.Target(r)
	if !q.Target.Whole() {
		f.place = q.Target.String()
	}
	if q.Pattern != "" {
		p, err := catalog.ParsePattern(q.Pattern)
		if err != nil {
			return from, f, api.Invalid("package", err.Error())
		}
		f.patterns = []catalog.Pattern{p}
	}
	if q.Cursor != "" {
		from, err = placeOf(q.Cursor)
		return from, f, err
	}
	now, err := a.db.Clock(ctx)
	return catalogdb.LogSince(now.Add(-q.Since)), f, err
}

// isReserved reports whether an entry is of an upload that was rejected because a release train holds its name.
func isReserved(e catalog.AuditEntry) bool {
	return e.Action == catalog.ActionUpload && strings.Contains(e.Detail, fmt.Sprintf(" %s: %s: ", catalog.Rejected, catalog.ReservedIdentity))
}

const cursorForm = "%d-%d.%d-%d"

func cursorOf(p catalogdb.LogPlace) string {
	return fmt.Sprintf(cursorForm, p.Audit.At, p.Audit.ID, p.Uploads.At, p.Uploads.ID)
}

func placeOf(cursor string) (p catalogdb.LogPlace, err error) {
	_, err = fmt.Sscanf(cursor, cursorForm, &p.Audit.At, &p.Audit.ID, &p.Uploads.At, &p.Uploads.ID)
	if err != nil || cursorOf(p) != cursor {
		return p, api.Invalid("cursor", "use what the page before has in next")
	}
	return p, nil
}
