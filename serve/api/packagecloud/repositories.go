package packagecloud

import (
	"fmt"
	"net/http"
	"time"

	"repomill/schemas/catalog"
)

// jsonRepository is a repository as lists and single answers have it. package_cloud builds all other paths from those of it.
type jsonRepository struct {
	Name         string            `json:"name"`
	CreatedAt    string            `json:"created_at"`
	URL          string            `json:"url"`
	LastPush     string            `json:"last_push_human"`
	PackageCount string            `json:"package_count_human"`
	Private      bool              `json:"private"`
	FullName     string            `json:"fqname"`
	Paths        map[string]string `json:"paths,omitempty"`
	URLs         map[string]string `json:"urls,omitempty"`
}

// repositories lists the repositories that the caller has any right in.
func (h *handler) repositories(c call) {
	all, err := h.Catalog.Repositories(c.Context())
	if err != nil {
		h.fault(c, err)
		return
	}
	activities, err := h.Catalog.Activities(c.Context()) // later: it has all of them
	if err != nil {
		h.fault(c, err)
		return
	}
	list := []jsonRepository{}
	for _, s := range all {
		if a, ok := activities[s.Repository]; ok && c.by.Known(s.Repository) {
			list = append(list, h.repositoryBody(s, a))
		}
	}
	c.answer(http.StatusOK, list)
}

func (h *handler) repository(c call) {
	a, err := h.Catalog.Activity(c.Context(), c.repo)
	if err != nil {
		h.fault(c, err)
		return
	}
	r := h.repositoryBody(c.set, a)
	self := "/api/v1/repos/" + r.FullName
	r.Paths = map[string]string{
		"self": self, "create_package": self + "/packages.json", "package_contents": self + "/packages/contents.json",
		"gpg_keys": self + "/gpg_keys.json", "master_tokens": self + "/master_tokens", "create_master_token": self + "/master_tokens",
	}
	r.URLs = map[string]string{"install_script": h.PublicURL + "/install/repositories/" + r.FullName + "/script.:package_type.sh"}
	c.answer(http.StatusOK, r)
}

func (h *handler) repositoryBody(s catalog.Settings, a catalog.Activity) jsonRepository {
	r := jsonRepository{
		Name: s.Repository.Name, URL: h.PublicURL + "/" + s.Repository.String(), FullName: s.Repository.String(),
		Private: s.Visibility != catalog.Public, PackageCount: plural(a.Packages, "package"), LastPush: "never",
		CreatedAt: timestamp(a.Created),
	}
	if a.Published != nil {
		r.LastPush = ago(h.Now().Sub(*a.Published))
	}
	return r
}

// timestamp returns a time as packagecloud writes it, "2017-03-13T02:49:29.000Z".
func timestamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z") }

// ago says how long ago something was, in the largest unit that fits.
func ago(d time.Duration) string {
	const day = 24 * time.Hour
	for _, u := range []struct {
		unit time.Duration
		name string
	}{{365 * day, "year"}, {30 * day, "month"}, {day, "day"}, {time.Hour, "hour"}, {time.Minute, "minute"}} {
		if d >= u.unit {
			return plural(int(d/u.unit), u.name) + " ago"
		}
	}
	return "less than a minute ago"
}

func plural(n int, name string) string {
	if n == 1 {
		return "1 " + name
	}
	return fmt.Sprintf("%d %ss", n, name)
}
