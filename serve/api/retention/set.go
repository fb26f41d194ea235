package retention

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
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

// setFields are those that the call takes: another one is an error, since a rule that is misspelt keeps nothing.
var setFields = []string{"distribution", "newest", "newest_per_series", "younger", "downloaded", "keep", "archive", "to_public", "automatic", "allow_shrink", "paused", "off", "why"}

const maxWhy = 300 // bytes

func (h *handler) set(r *http.Request, t catalog.PackageTarget, by api.Principal) (any, error) {
	form := r.Form
	for name, values := range form {
		switch {
		case !slices.Contains(setFields, name):
			return nil, api.Invalid(fmt.Sprintf("%.50s", name), "this call takes "+strings.Join(setFields, ", "))
		case len(values) > 1 && name != "keep":
			return nil, api.Invalid(name, "send it once")
		}
	}
	c, err := changeOf(form)
	if err != nil {
		return nil, err
	}
	if archive, named := c.archive(); named { // packages are published there
		if err := api.Authorize(by, api.Push, archive); err != nil {
			return nil, err
		}
	}
	actor := by.Actor()
	if actor.Why = form.Get("why"); len(actor.Why) > maxWhy || catalog.CheckDescription(actor.Why) != nil {
		return nil, api.Invalid("why", "use one line of printable text, of at most 300 characters")
	}
	return h.source.Set(catalog.WithActor(r.Context(), actor), t, c, maxWait)
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
		if s := form.Get(name); s != "" {
			if *b = s == "yes"; !*b {
				return c, api.Invalid(name, "its one value is yes")
			}
		}
	}
	return c, nil
}
