// Package replica judges a copy of a published bucket. Replication between regions keeps no order: a replica may have a pointer
// without what it names, an older pointer, or repomd.xml and its signature of different publishes. [Check] proves of each release
// of the replica that it is whole, and says how far it is behind the primary bucket. It writes nothing.
package replica

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"repomill/publish/check"
	"repomill/publish/sign"
	"repomill/schemas/catalog"
	"repomill/schemas/layout"
)

// A Bucket is what is read of a replica or a primary. Its methods may be called concurrently.
type Bucket interface {
	Get(ctx context.Context, key string) (io.ReadCloser, layout.Meta, error)
	Stat(ctx context.Context, key string) (layout.Meta, error)
	List(ctx context.Context, prefix string, f func(key string, meta layout.Meta) error) error
}

// Options configure a check.
type Options struct {
	Keys    sign.Keyring // that clients trust
	Full    bool         // read the bytes of all package files; otherwise [check.Bucket] and [check.Copy] say what is compared
	Workers int          // releases checked at the same time; 0 means 4
	Now     time.Time
	Settle  time.Duration // see [check.Options]
}

// A State is what a replica has of a release or of a repository's settings.
type State string

// The states.
const (
	Whole   State = "whole"   // all that is named is there, as it is named
	Damaged State = "damaged" // clients would meet a fault
	Absent  State = "absent"  // there is nothing; clients of the replica do not know of it
)

// An Age is how a replica compares with the primary.
type Age string

// The ages.
const (
	Current Age = "current"
	Behind  Age = "behind"
	Ahead   Age = "ahead"   // the replica has what the primary never had, or has lost
	Unknown Age = "unknown" // there is no primary to compare with
)

// A Release is the result for one release.
type Release struct {
	Name     string            `json:"name"`
	State    State             `json:"state"`
	Age      Age               `json:"age"`
	Revision catalog.Revision  `json:"revision"`          // in the replica; zero if absent
	Primary  *catalog.Revision `json:"primary,omitempty"` // in the primary
	Missing  *time.Time        `json:"missing,omitempty"` // of the oldest publish that has not arrived whole
	Indexes  int               `json:"indexes"`
	Packages int               `json:"packages"`
	Bytes    int64             `json:"bytes"`
	Problems []check.Problem   `json:"problems,omitempty"`
}

// A Repository is the result for what a repository has beside its releases: settings, keys, and what sets clients up.
type Repository struct {
	Name     string            `json:"name"`
	State    State             `json:"state"`
	Age      Age               `json:"age"`
	Revision catalog.Revision  `json:"revision"`
	Primary  *catalog.Revision `json:"primary,omitempty"`
	Missing  *time.Time        `json:"missing,omitempty"` // when the primary's settings were written, if the replica has older ones
	Problems []check.Problem   `json:"problems,omitempty"`
}

// A Report is the result of a check.
type Report struct {
	Releases     []Release    `json:"releases"`
	Repositories []Repository `json:"repositories"`          // the last one is [Shared]
	Damaged      int          `json:"damaged_releases"`      // releases that are not whole; absent ones are counted as behind only
	Lag          *Lag         `json:"lag"`                   // null: unknown
	Unknown      string       `json:"lag_unknown,omitempty"` // why the lag is unknown
}

// A Lag is how far a replica is behind.
type Lag struct {
	Releases int     `json:"releases"`       // whose revision is older, or that are absent
	Settings int     `json:"settings"`       // repositories whose settings are older or absent: tokens that are revoked may be valid there
	Ahead    int     `json:"releases_ahead"` // whose revision is newer than the primary's
	Seconds  float64 `json:"seconds"`        // age of the oldest publish that has not arrived whole; 0 if all have
}

// Sound reports whether everything that the replica has is whole.
func (r Report) Sound() bool {
	for _, x := range r.Repositories {
		if x.State == Damaged {
			return false
		}
	}
	return r.Damaged == 0
}

// maxProblems bounds the problems that are kept of one release.
const maxProblems = 100

// Check checks all that replica publishes. primary may be nil, or fail at any moment: then the lag is unknown. The error is that of a
// list of the replica that cannot be read, or ctx.Err(); what cannot be read of one release is a problem of that release.
func Check(ctx context.Context, replica, primary Bucket, opt Options) (Report, error) {
	c := &checker{replica: replica, primary: primary, opt: opt}
	if primary == nil {
		c.unknown = errors.New("there is no primary to compare with")
	}
	repositories, releases, err := c.names(ctx)
	if err != nil {
		return Report{}, err
	}
	rep := Report{Releases: make([]Release, len(releases)), Repositories: make([]Repository, len(repositories)+1)}
	var g errgroup.Group
	g.SetLimit(max(opt.Workers, 1))
	if opt.Workers == 0 {
		g.SetLimit(4)
	}
	for i, r := range repositories {
		g.Go(func() error { rep.Repositories[i] = c.repository(ctx, r); return ctx.Err() })
	}
	g.Go(func() error { rep.Repositories[len(repositories)] = c.shared(ctx); return ctx.Err() })
	for i, r := range releases {
		g.Go(func() error { rep.Releases[i] = c.release(ctx, r); return ctx.Err() })
	}
	if err := g.Wait(); err != nil {
		return Report{}, err
	}
	rep.sum(opt.Now)
	if c.unknown != nil {
		rep.Lag, rep.Unknown = nil, c.unknown.Error()
	}
	return rep, nil
}

// sum removes what is in neither bucket, and counts.
func (r *Report) sum(now time.Time) {
	kept := r.Releases[:0]
	lag := Lag{}
	oldest := now
	note := func(missing *time.Time) {
		if missing != nil && missing.Before(oldest) {
			oldest = *missing
		}
	}
	for _, x := range r.Releases {
		if x.State == "" {
			continue // declared, and never published
		}
		kept = append(kept, x)
		note(x.Missing)
		switch {
		case x.Age == Behind:
			lag.Releases++
		case x.Age == Ahead:
			lag.Ahead++
		}
		if x.State == Damaged {
			r.Damaged++
		}
	}
	for _, x := range r.Repositories {
		note(x.Missing)
		if x.Age == Behind {
			lag.Settings++
		}
	}
	r.Releases = kept
	lag.Seconds = now.Sub(oldest).Seconds()
	r.Lag = &lag
}

// A checker is one check of a replica.
type checker struct {
	replica, primary Bucket // primary may be nil
	opt              Options

	mu      sync.Mutex
	unknown error // why the lag is not known
}

// fault notes that the primary cannot be read: nothing is said of the lag then.
func (c *checker) fault(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.unknown == nil {
		c.unknown = fmt.Errorf("the primary cannot be read: %w", err)
	}
}

// few returns the first problems of a list.
func few(list []check.Problem) []check.Problem {
	if len(list) <= maxProblems {
		return list
	}
	return append(list[:maxProblems:maxProblems], check.Problem{Path: "...", Detail: layout.Counted(len(list)-maxProblems, "more problem")})
}
