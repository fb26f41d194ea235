package packagecloud

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"time"

	"repomill/schemas/catalog"
)

// What is counted here was counted in logs (deploy/statistics.md), by day. Installations are requests of install scripts and of the
// configuration that they fetch.

// packageStatistics answers a call about the downloads of one package: downloads/count, downloads/detail or downloads/series/INTERVAL.
func (h *handler) packageStatistics(c call, k catalog.PackageQuery, what []string) {
	if len(what) < 2 || what[0] != "downloads" {
		c.notFound()
		return
	}
	h.statistics(c, what[1:], catalog.StatisticsQuery{
		Owner: k.Repository.Owner, Name: k.Repository.Name, Format: k.Format, OS: k.OS, OSVersion: k.OSVersion, Package: k.Name, Version: k.Version, Arch: k.Arch,
	}, h.Catalog.Downloads)
}

// repositoryStatistics answers a call about a repository: installs or downloads, [operating system, [version]], and then as of a
// package.
func (h *handler) repositoryStatistics(c call, what []string) {
	q := catalog.StatisticsQuery{Owner: c.repo.Owner, Name: c.repo.Name}
	count := h.Catalog.Downloads
	switch what[0] {
	case "downloads":
	case "installs":
		count = func(ctx context.Context, q catalog.StatisticsQuery) ([]catalog.StatisticsRow, error) {
			return h.Catalog.Requests(ctx, q, catalog.InstallRequest)
		}
	default:
		c.notFound()
		return
	}
	what = what[1:]
	i := slices.IndexFunc(what, func(s string) bool { return s == "count" || s == "detail" || s == "series" })
	if i < 0 || i > 2 {
		c.notFound()
		return
	}
	for n, to := range []*string{&q.OS, &q.OSVersion}[:i] {
		*to = what[n]
	}
	h.statistics(c, what[i:], q, count)
}

type counter func(ctx context.Context, q catalog.StatisticsQuery) ([]catalog.StatisticsRow, error)

// day is the length of a day in UTC.
const day = 24 * time.Hour

func (h *handler) statistics(c call, what []string, q catalog.StatisticsQuery, count counter) {
	from, to, ok := h.period(c)
	if !ok {
		return
	}
	q.Since, q.Until = from.Unix()/int64(day.Seconds()), to.Unix()/int64(day.Seconds())
	switch {
	case len(what) == 1 && what[0] == "count":
		rows, err := count(c.Context(), q)
		if err != nil {
			h.fault(c, err)
			return
		}
		c.answer(http.StatusOK, map[string]int64{"value": sumOf(rows)})
	case len(what) == 1 && what[0] == "detail":
		h.detail(c, q, count)
	case what[0] == "series" && len(what) <= 2:
		interval := "daily"
		if len(what) == 2 {
			interval = what[1]
		}
		h.series(c, q, count, interval, from, to)
	default:
		c.notFound()
	}
}

func sumOf(rows []catalog.StatisticsRow) (n int64) {
	for _, r := range rows {
		n += r.Count
	}
	return n
}

// defaultPeriod is what a call without start_date is about.
const defaultPeriod = 7 * day

// period returns the first and the last day that a call asks for. If it is none, it answers.
func (h *handler) period(c call) (from, to time.Time, ok bool) {
	to = h.Now().UTC().Truncate(day)
	from = to.Add(-defaultPeriod)
	v := c.URL.Query()
	for name, at := range map[string]*time.Time{"start_date": &from, "end_date": &to} {
		text := v.Get(name)
		if text == "" {
			continue
		}
		if *at, ok = dateOf(text); !ok {
			c.invalid(name, "is not a date such as 20261129Z")
			return from, to, false
		}
	}
	return from, to, true
}

// dateOf reads a date in the forms of ISO 8601 that clients send.
func dateOf(text string) (time.Time, bool) {
	for _, form := range []string{dateForm, "20060102", time.DateOnly, time.RFC3339} {
		if t, err := time.Parse(form, text); err == nil && t.Year() >= 1970 && t.Year() < 3000 {
			return t.UTC().Truncate(day), true
		}
	}
	return time.Time{}, false
}

const dateForm = "20060102Z"

// intervals return the first day of the interval that a day is in.
var intervals = map[string]func(time.Time) time.Time{
	"daily":   func(t time.Time) time.Time { return t },
	"weekly":  func(t time.Time) time.Time { return t.AddDate(0, 0, -(int(t.Weekday())+6)%7) }, // Monday
	"monthly": func(t time.Time) time.Time { return t.AddDate(0, 0, 1-t.Day()) },
}

// maxEmpty is the longest period in which days without downloads are shown. Of longer ones, the first day shown is the first one
// with a download, and none after today is shown without one.
const maxEmpty = 366 * day

// series answers with the sum of each interval by its first day.
func (h *handler) series(c call, q catalog.StatisticsQuery, count counter, interval string, from, to time.Time) {
	first, ok := intervals[interval]
	if !ok {
		c.notFound()
		return
	}
	q.By = []catalog.StatisticsField{catalog.ByDay}
	rows, err := count(c.Context(), q)
	if err != nil {
		h.fault(c, err)
		return
	}
	if to.Sub(from) > maxEmpty {
		if today := h.Now().UTC().Truncate(day); to.After(today) {
			to = today
		}
		from = to.Add(day)
		if len(rows) > 0 {
			from = dayOf(rows[0].Values[0])
		}
	}
	value := map[string]int64{}
	for t := from; !t.After(to); t = t.Add(day) {
		value[first(t).Format(dateForm)] = 0
	}
	for _, r := range rows {
		value[first(dayOf(r.Values[0])).Format(dateForm)] += r.Count
	}
	c.answer(http.StatusOK, map[string]map[string]int64{"value": value})
}

// dayOf reads the day of a sum, or the month of an old one.
func dayOf(text string) time.Time {
	form := time.DateOnly
	if strings.Count(text, "-") == 1 {
		form = "2006-01"
	}
	t, _ := time.Parse(form, text) //nolint:errcheck // the catalog wrote it
	return t
}

// A download is one of those that detail lists. Addresses and tokens are not stored; the time is that of the day.
type download struct {
	DownloadedAt string  `json:"downloaded_at"`
	IPAddress    *string `json:"ip_address"`
	UserAgent    string  `json:"user_agent"`
	Source       string  `json:"source"`
	ReadToken    *string `json:"read_token"`
}

// detail lists downloads, in pages: one element for each.
func (h *handler) detail(c call, q catalog.StatisticsQuery, count counter) {
	q.By = []catalog.StatisticsField{catalog.ByDay, catalog.ByClient}
	rows, err := count(c.Context(), q)
	if err != nil {
		h.fault(c, err)
		return
	}
	p := pagingOf(c.URL.Query())
	skip, list := int64(p.page-1)*int64(p.perPage), []download{}
	for _, r := range rows {
		if skip >= r.Count {
			skip -= r.Count
			continue
		}
		d := download{DownloadedAt: timestamp(dayOf(r.Values[0])), UserAgent: r.Values[1], Source: "cli"}
		if d.UserAgent == "browser" {
			d.Source = "web"
		}
		for n := r.Count - skip; n > 0 && len(list) < p.perPage; n-- {
			list = append(list, d)
		}
		skip = 0
		if len(list) == p.perPage {
			break
		}
	}
	p.write(c.w.Header(), h.PublicURL, c.URL, int(sumOf(rows)))
	c.answer(http.StatusOK, list)
}

// downloadsOf returns how often a package was downloaded.
func (h *handler) downloadsOf(ctx context.Context, k catalog.Package) (int64, error) {
	rows, err := h.Catalog.Downloads(ctx, catalog.StatisticsQuery{
		Owner: k.Repository.Owner, Name: k.Repository.Name, OS: k.Distribution.OS, OSVersion: k.Distribution.Version, Package: k.Name, Version: k.Version, Arch: k.Arch,
	})
	return sumOf(rows), err
}
