package retention

import (
	"context"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"repomill/schemas/catalog"
	"repomill/serve/api"
)

// A Change is what is asked for of the rules of a target. Rules take the place of those that it had, and are paused; without any of the first
// five, the rules stay as they are.
type Change struct {
	Newest          int
	NewestPerSeries int
	Younger         time.Duration
	Downloaded      time.Duration
	Keep            []string // patterns

	Archive     string // owner/name, or "none"; empty: it stays
	ToPublic    bool
	Automatic   bool
	AllowShrink bool
	Paused      bool
	Off         bool // no rules any more
}

// A SetResult is what a call made of the rules of a target.
type SetResult struct {
	Target    string    `json:"target"`
	Rules     []RuleSet `json:"rules"`     // of the repository, as they are now
	Leave     int       `json:"leave"`     // packages of the target that would leave by them now
	Published bool      `json:"published"` // the bucket has them; else workers are about to publish
}

// setFields are those that the call takes once.
var setFields = []string{"distribution", "newest", "newest_per_series", "younger", "downloaded", "archive", "to_public", "automatic", "allow_shrink", "paused", "off", "why"}

func (h *handler) set(ctx context.Context, a api.Asked) (status int, v any, err error) {
	c, err := changeOf(a.Form)
	if err != nil {
		return 0, nil, err
	}
	if archive, named := c.archive(); named { // packages are published there
		if err := api.Authorize(a.By, api.Push, archive); err != nil {
			return 0, nil, err
		}
	}
	v, err = h.source.Set(ctx, a.Target, c, maxWait)
	return http.StatusOK, v, err
}

// archive returns the repository that a change names as the archive. A name that is none is refused later.
func (c Change) archive() (r catalog.Repository, named bool) {
	r.Owner, r.Name, named = strings.Cut(c.Archive, "/")
	return r, named
}

// changeOf reads a form.
func changeOf(form url.Values) (c Change, err error) {
	c = Change{Keep: form["keep"], Archive: form.Get("archive")}
	for name, n := range map[string]*int{"newest": &c.Newest, "newest_per_series": &c.NewestPerSeries} {
		if s := form.Get(name); s != "" {
			if *n, err = strconv.Atoi(s); err != nil || *n < 1 {
				return c, api.Invalid(name, "use a number of versions such as 3")
			}
		}
	}
	for name, d := range map[string]*time.Duration{"younger": &c.Younger, "downloaded": &c.Downloaded} {
		if s := form.Get(name); s != "" {
			if *d, err = catalog.ParsePeriod(s); err != nil {
				return c, api.Invalid(name, err.Error())
			}
		}
	}
	for name, b := range map[string]*bool{"to_public": &c.ToPublic, "automatic": &c.Automatic, "allow_shrink": &c.AllowShrink, "paused": &c.Paused, "off": &c.Off} {
		if *b, err = api.Yes(form, name); err != nil {
			return c, err
		}
	}
	return c, nil
}
