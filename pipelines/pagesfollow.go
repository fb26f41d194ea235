package pipelines

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"repomill/schemas/catalog"
	"repomill/schemas/catalogdb"
)

// stuckTime is how long the pages of a repository make no progress, with a fault, until they have failed for those who wait.
const stuckTime = 15 * time.Second

// A PagesResult is how the pages of a repository ended that were asked for.
type PagesResult struct {
	Repository string `json:"repository"`
	Made       bool   `json:"made"`
	Waiting    int    `json:"waiting,omitempty"` // packages whose pages are tried again
	Error      string `json:"error,omitempty"`
}

// SelectRepositories returns the repositories that targets name, or all if there are none, in order. One that does not exist is an
// [UnknownTarget].
func SelectRepositories(ctx context.Context, db *catalogdb.DB, targets []string) (some []catalog.Repository, err error) {
	all, err := db.Repositories(ctx)
	if err != nil {
		return nil, err
	}
	for _, s := range all {
		some = append(some, s.Repository)
	}
	if _, err := selectFrom(targets, some, nil); err != nil {
		return nil, err
	}
	some = slices.DeleteFunc(some, func(r catalog.Repository) bool { return len(targets) > 0 && !slices.Contains(targets, r.String()) })
	slices.SortFunc(some, func(a, b catalog.Repository) int { return strings.Compare(a.String(), b.String()) })
	return some, nil
}

// A pagesWait is what those who wait for pages have seen of a repository.
type pagesWait struct {
	last  catalogdb.PageState
	since time.Time // of the last progress
	ended bool
}

// FollowPages calls look with how the pages of repositories are, again and again, and ended with the result of each, once all that were
// asked for before asked are made, or stay unmade for a fault. It returns when all have ended, look returns an error, or ctx ends.
func FollowPages(ctx context.Context, db *catalogdb.DB, repositories []catalog.Repository, asked time.Time, look func([]catalogdb.PageState) error, ended func(PagesResult)) error {
	waits := map[catalog.Repository]*pagesWait{}
	for _, r := range repositories {
		waits[r] = &pagesWait{since: time.Now()}
	}
	for left := len(waits); left > 0; {
		states, err := db.PageStates(ctx)
		if err != nil {
			return err
		}
		var pending []catalogdb.PageState
		for _, s := range states {
			w := waits[s.Repository]
			if w == nil || w.ended {
				continue
			}
			if res, done := w.see(s, asked); done {
				left--
				ended(res)
			} else {
				pending = append(pending, s)
			}
		}
		if left == 0 {
			return nil
		}
		if len(pending) == 0 {
			return errors.New("a repository was removed while its pages were made")
		}
		if err := look(pending); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(followPeriod):
		}
	}
	return nil
}

// see notes how the pages of a repository are, and returns their result if they have ended.
func (w *pagesWait) see(s catalogdb.PageState, asked time.Time) (res PagesResult, ended bool) {
	if s.Requests != w.last.Requests || s.Whole != w.last.Whole || s.Fault != w.last.Fault {
		w.last, w.since = s, time.Now()
	}
	res = PagesResult{Repository: s.Repository.String(), Made: true}
	switch {
	case !s.Whole && (s.Oldest == nil || s.Oldest.After(asked)):
		w.ended = true
	case s.Fault != "" && time.Since(w.since) > stuckTime:
		w.ended = true
		res.Made, res.Waiting, res.Error = false, s.Requests, s.Fault
	}
	return res, w.ended
}
