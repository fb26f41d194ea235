package client

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"repomill/publish/check"
	"repomill/publish/sign"
	"repomill/publish/tree"
	"repomill/schemas/catalog"
	"repomill/schemas/layout"
)

// An Auditor looks at published repositories from outside, as clients do: through the resolver and the CDN.
type Auditor struct {
	Site         string                        // URL of the resolver, without a slash at its end
	CDN          string                        // URL of the CDN that objects have to come from; empty: any
	Keys         sign.Keyring                  // that clients trust
	Sample       int                           // objects of a round
	MaxBytes     int64                         // that a round reads of them; 0: any number
	Repositories []catalog.Repository          // empty: all of Bucket
	Bucket       tree.Lister                   // lists repositories; may be nil if there are Repositories
	Settings     tree.Reader                   // the same bucket
	Tokens       map[catalog.Repository]string // that open private repositories
	Table        *layout.Table                 // distributions to look for in repositories that are not in Bucket
	Settle       time.Duration                 // how long caches may keep the files beside a pointer

	mu    sync.Mutex
	known map[string]auditPlace // releases that an earlier round has found
}

// An auditPlace is a release, and where it is read.
type auditPlace struct {
	repository catalog.Repository
	found      check.Found // its base is below the repository
}

// An Audit is the result of one round.
type Audit struct {
	Releases int                   `json:"releases"`
	Counts   map[check.Outcome]int `json:"counts"`            // of objects, pointers and signatures included
	Faults   []AuditFault          `json:"faults"`            // objects that are not ok
	Sized    int                   `json:"sized,omitempty"`   // objects among those that are ok of which only the size was compared
	Bytes    int64                 `json:"bytes"`             // that were read, besides pointers and signatures
	Skipped  []string              `json:"skipped,omitempty"` // private repositories without a token
}

// An AuditFault is one object that is not ok.
type AuditFault struct {
	URL     string        `json:"url"` // as clients ask for it, without a token
	Outcome check.Outcome `json:"outcome"`
	Detail  string        `json:"detail"`
}

// Wrong reports whether an object is absent or differs.
func (a Audit) Wrong() bool { return a.Counts[check.Absent]+a.Counts[check.Differs] > 0 }

// Good reports whether objects were looked at, and all are ok.
func (a Audit) Good() bool { return a.Counts[check.Good] > 0 && len(a.Faults) == 0 }

const (
	auditWorkers  = 8                // releases looked at at the same time
	auditTimeout  = 10 * time.Minute // for all that is drawn of one release
	maxAuditFault = 1000             // faults that are listed
)

// Round looks at the pointers of all releases, and at a new sample of objects. The error is that of the list of repositories.
func (a *Auditor) Round(ctx context.Context, now time.Time) (Audit, error) {
	res := Audit{Counts: map[check.Outcome]int{}, Faults: []AuditFault{}}
	repositories, err := a.repositories(ctx, &res)
	if err != nil {
		return res, err
	}
	places := a.places(ctx, repositories, &res)
	res.Releases = len(places)
	budget := a.budget()
	var mu sync.Mutex
	var g errgroup.Group
	g.SetLimit(auditWorkers)
	number := shares(a.Sample, len(places))
	for _, i := range permutation(len(places)) { // so that the first ones do not use the bytes of every round
		p, n := places[i], number[i]
		g.Go(func() error {
			limited, cancel := context.WithTimeout(ctx, auditTimeout)
			defer cancel()
			seen := check.Sample(limited, a.tree(p.repository), p.found, a.Keys, n, check.Options{Now: now, Settle: a.Settle, Budget: budget})
			mu.Lock()
			defer mu.Unlock()
			for _, s := range seen {
				res.note(a.shown(p.repository)+"/"+s.Path, s.Outcome, s.Detail)
				if s.Sized {
					res.Sized++
				}
			}
			return nil
		})
	}
	_ = g.Wait() // nothing returns an error
	slices.SortFunc(res.Faults, func(x, y AuditFault) int {
		return cmp.Or(cmp.Compare(x.URL, y.URL), cmp.Compare(x.Detail, y.Detail))
	})
	slices.Sort(res.Skipped)
	res.Bytes = budget.Read()
	return res, ctx.Err()
}

// budget returns the bytes of a round.
func (a *Auditor) budget() *check.Budget {
	return check.NewBudget(cmp.Or(a.MaxBytes, math.MaxInt64))
}

func (a *Audit) note(url string, outcome check.Outcome, detail string) {
	a.Counts[outcome]++
	detail = strings.Replace(detail, "403 Forbidden", "403 Forbidden: the signed URL has expired, or the CDN does not have its key", 1)
	if outcome != check.Good && len(a.Faults) < maxAuditFault {
		a.Faults = append(a.Faults, AuditFault{url, outcome, detail})
	}
}

// repositories returns the repositories to look at. It notes private ones without a token, which are not.
func (a *Auditor) repositories(ctx context.Context, res *Audit) ([]catalog.Repository, error) {
	if len(a.Repositories) > 0 {
		return a.Repositories, nil
	}
	all, err := tree.Repositories(ctx, a.Bucket)
	if err != nil {
		return nil, fmt.Errorf("list the repositories: %w", err)
	}
	var read []catalog.Repository
	for _, r := range all {
		s, err := tree.ReadSettings(ctx, a.Settings, r)
		if err == nil && s.Visibility != catalog.Public && a.Tokens[r] == "" {
			res.Skipped = append(res.Skipped, r.String())
			continue
		}
		read = append(read, r) // also if the settings cannot be read: clients have the same trouble
	}
	return read, nil
}

// shares divides n objects among releases, at random where they cannot have the same number.
func shares(n, releases int) []int {
	all := make([]int, releases)
	if releases == 0 {
		return all
	}
	for i := range all {
		all[i] = n / releases
	}
	for _, i := range permutation(releases)[:n%releases] {
		all[i]++
	}
	return all
}

// tree returns what is below the URL of a repository.
func (a *Auditor) tree(r catalog.Repository) check.Tree {
	return check.URL(a.client(), a.withToken(r)+"/"+r.String())
}

// withToken returns the URL of the site, with the token of a private repository as user name.
func (a *Auditor) withToken(r catalog.Repository) string {
	token := a.Tokens[r]
	if token == "" {
		return a.Site
	}
	scheme, host, _ := strings.Cut(a.Site, "://")
	return scheme + "://" + url.UserPassword(token, "").String() + "@" + host
}

func (a *Auditor) shown(r catalog.Repository) string { return a.Site + "/" + r.String() }

// client returns a client that follows redirects to the CDN only, if that is set.
func (a *Auditor) client() *http.Client {
	c := &http.Client{Transport: auditTransport()}
	if a.CDN == "" {
		return c
	}
	c.CheckRedirect = func(req *http.Request, via []*http.Request) error {
		if to := req.URL.Scheme + "://" + req.URL.Host; to != a.CDN {
			return fmt.Errorf("the redirect leads to %s and not to %s of --cdn", to, a.CDN)
		}
		if len(via) > 6 {
			return fmt.Errorf("more than 6 redirects")
		}
		return nil
	}
	return c
}

// auditTransport is one for all: it keeps connections open.
var auditTransport = sync.OnceValue(patientTransport)
