package html

import (
	"strconv"
	"strings"
	"time"

	"repomill/publish/pages/model"
	"repomill/schemas/catalog"
	"repomill/schemas/layout"
)

// apiFolder is where the API answers the page of a state, and what that loads: it may be on a host of its own.
const apiFolder = "api/v1/"

type statusPage struct {
	head
	Name        catalog.Repository
	Description string
	At          time.Time
	Notices     []statusNotice
	Releases    []releaseRow
	Waiting     []waitingRow
	Rejections  []uploadRow
	Pushes      []uploadRow
	Worker      model.WorkerStatus
	Seen        ageView
	Pages       *model.PagesStatus
	PagesOldest ageView
	Keys        []keyRow
	Downloads   *model.DownloadsStatus
	Total       int // of downloads, and those of some packages
	Top         []topRow
	Counted     ageView // when they were
	Changes     []changeRow
}

// A statusNotice is what needs a person.
type statusNotice struct{ What, Why string }

// An ageView is a time, and how long ago that was when the page was made.
type ageView struct {
	At  time.Time
	Ago string
}

type releaseRow struct {
	model.ReleaseStatus
	Age ageView
}

type waitingRow struct {
	What   string
	Count  int
	Oldest ageView
}

type uploadRow struct {
	model.UploadStatus
	In       string // target without the repository
	Why      string // reason and detail
	Link     string // to the job; empty if it is not one
	Bad      bool
	Received ageView
	Page     string // of the version, on the public host; empty if clients cannot install it
}

type keyRow struct {
	model.KeyStatus
	Left string // until it expires
	Bad  bool
}

type topRow struct {
	Package   string
	Downloads int
}

type changeRow struct {
	model.ChangeStatus
	Link string // to the job
	Age  ageView
}

// Status returns the page of the state of a repository. Its links to files of its own are those of the API; links to pages go to the
// public host. Unlike other pages it is of one moment: ages are those at the time of the report.
func (r *Renderer) Status(s model.StatusPage) []byte {
	d := r.draw(apiFolder + "repos/" + s.Name.String() + "/status/index.html")
	p := statusPage{head: d.statusHead(s), Name: s.Name, Description: s.Description, At: s.At, Worker: s.Worker, Pages: s.Pages, Downloads: s.Downloads, Notices: statusNotices(s)}
	age := func(t time.Time) ageView { return ageView{t, ago(s.At.Sub(t))} }
	optional := func(t *time.Time) (v ageView) {
		if t != nil {
			v = age(*t)
		}
		return v
	}
	p.Seen = optional(s.Worker.Seen)
	if s.Downloads != nil {
		p.Counted, p.Total = age(s.Downloads.At), int(s.Downloads.Total)
		for _, c := range s.Downloads.Top {
			p.Top = append(p.Top, topRow{c.Package, int(c.Downloads)})
		}
	}
	if s.Pages != nil {
		p.PagesOldest = optional(s.Pages.Oldest)
	}
	for _, v := range s.Releases {
		row := releaseRow{v, optional(v.Since)}
		row.Release = strings.TrimPrefix(v.Release, s.Name.String()+"/")
		p.Releases = append(p.Releases, row)
	}
	for _, w := range s.Waiting {
		p.Waiting = append(p.Waiting, waitingRow{waits[w.State], w.Count, age(w.Oldest)})
	}
	rows := func(uploads []model.UploadStatus) (all []uploadRow) {
		for _, u := range uploads {
			all = append(all, uploadRow{u, strings.TrimPrefix(u.Target, s.Name.String()+"/"), reason(u), outside(u.Job), u.State == catalog.Rejected, age(u.Received), d.pushedPage(s.Name, u)})
		}
		return all
	}
	p.Pushes, p.Rejections = rows(s.Pushes), rows(s.Rejections)
	for _, k := range s.Keys {
		p.Keys = append(p.Keys, keyRowOf(k, s.At))
	}
	for _, c := range s.Changes {
		c.Target = strings.TrimPrefix(c.Target, s.Name.String()+"/")
		p.Changes = append(p.Changes, changeRow{c, outside(c.Job), age(c.At)})
	}
	return d.page("status", p).Body
}

// public returns the URL of a page on the public host.
func (d drawing) public(key string) string {
	return d.publicURL + "/" + relative(layout.RootPageKey, key)
}

// pushedPage returns the page of the version that was pushed.
func (d drawing) pushedPage(r catalog.Repository, u model.UploadStatus) string {
	k := strings.Fields(u.Package)
	if len(k) != 3 || u.State != catalog.Published && u.State != catalog.Duplicate {
		return ""
	}
	return d.public(layout.VersionPageKey(r, k[0], k[1]))
}

// statusHead returns what is around the page. The pages above it are on the public host.
func (d drawing) statusHead(s model.StatusPage) head {
	root, public := d.publicURL+"/", d.public
	above := []crumb{{Text: s.Name.Owner}, {Text: s.Name.Name, Link: public(layout.FrontPageKey(s.Name))}, {Text: "status"}}
	if !s.Private {
		above[0].Link = public(layout.OwnerPageKey(s.Name.Owner))
	}
	h := d.head("Status of "+s.Name.String(), above...)
	h.Style, h.Script, h.Icon = d.to(apiFolder+d.style), d.to(apiFolder+d.script), d.to(apiFolder+d.icon)
	h.Root, h.Twin, h.Private, h.AsOf = root, "../status.json", s.Private, s.At
	return h
}

// waits are the states in which uploads wait, in words.
var waits = map[catalog.UploadState]string{catalog.Received: "being read", catalog.Stored: "stored, not published yet", catalog.Held: "held for a release train"}

// keySoon is how long before the end of a key the page warns of it.
const keySoon = 30 * 24 * time.Hour

// statusNotices returns what needs a person, the worst first.
func statusNotices(s model.StatusPage) (all []statusNotice) {
	if !s.Worker.Runs {
		why := "None has been seen for a month."
		if s.Worker.Seen != nil {
			why = "No worker has been seen since " + minute(*s.Worker.Seen) + "."
		}
		all = append(all, statusNotice{"No worker runs: nothing is published until one is started.", why})
	}
	for _, r := range s.Releases {
		if r.Fault != "" {
			all = append(all, statusNotice{"The last publish of " + r.Release + " failed.", r.Fault})
		}
	}
	for _, k := range s.Keys {
		if k.Expires != nil && k.Expires.Sub(s.At) < keySoon {
			all = append(all, statusNotice{"Key " + k.Fingerprint + " expires on " + day(*k.Expires) + ".", "Clients refuse what it signs from then on: extend or replace it before."})
		}
	}
	if s.Pages != nil && s.Pages.Fault != "" {
		all = append(all, statusNotice{"Pages of packages could not be made.", s.Pages.Fault})
	}
	return all
}

func keyRowOf(k model.KeyStatus, now time.Time) keyRow {
	row := keyRow{KeyStatus: k}
	if k.Expires != nil {
		left := k.Expires.Sub(now)
		row.Bad = left < keySoon
		row.Left = layout.Counted(max(0, int(left/(24*time.Hour))), "day") + " left"
	}
	return row
}

// reason returns why an upload was rejected, or its last fault.
func reason(u model.UploadStatus) string {
	if u.Reason == "" || u.Detail == "" {
		return string(u.Reason) + u.Detail
	}
	return string(u.Reason) + ": " + u.Detail
}

// ago returns how long ago something was, in the largest unit that fits. What a clock that is ahead has written is of now.
func ago(d time.Duration) string {
	for _, u := range []struct {
		unit time.Duration
		name string
	}{{48 * time.Hour, "d"}, {time.Hour, "h"}, {time.Minute, "min"}, {time.Second, "s"}} {
		if d >= u.unit {
			if u.name == "d" {
				u.unit = 24 * time.Hour
			}
			return strconv.Itoa(int(d/u.unit)) + " " + u.name + " ago"
		}
	}
	return "now"
}
