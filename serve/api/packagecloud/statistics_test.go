package packagecloud_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"repomill/schemas/catalog"
	"repomill/schemas/catalogdb"
)

// counted adds downloads of packages to the catalog, as the statistics of logs do.
func (s *site) counted(counts ...catalog.DownloadCount) {
	s.t.Helper()
	installs := []catalog.RequestCount{
		{Repository: tools, Kind: catalog.InstallRequest, Distribution: "ubuntu/jammy", Day: catalogdb.DayOf(now), Client: "curl", Count: 4},
		{Repository: tools, Kind: catalog.InstallRequest, Day: catalogdb.DayOf(now), Client: "curl", Count: 5},
		{Repository: tools, Kind: catalog.MetadataRequest, Day: catalogdb.DayOf(now), Client: "apt", Count: 100},
	}
	if _, err := s.db.CountLogs(s.t.Context(), catalog.LogBatch{Name: "run/0", Downloads: counts, Requests: installs}, now); err != nil {
		s.t.Fatal(err)
	}
}

func downloadsOf(k catalog.Package, ago int, client string, n int64) catalog.DownloadCount {
	return catalog.DownloadCount{
		Repository: k.Repository, Distribution: k.Distribution, Key: k.Key, Day: catalogdb.DayOf(now.AddDate(0, 0, -ago)), Client: client,
		Ends: []catalog.End{{Byte: k.File.Size, Count: n}},
	}
}

func TestStatisticsAreThoseOfTheCatalog(t *testing.T) {
	s := newSite(t)
	hello, jake := deb(tools, "hello", "2:1.0-7"), rpm("jake", "1.0", "1.el6")
	s.add(hello)
	s.add(jake)
	s.add(deb(tools, "other", "1"))
	s.counted(downloadsOf(hello, 0, "apt", 2), downloadsOf(hello, 3, "browser", 1), downloadsOf(hello, 30, "apt", 40), downloadsOf(jake, 1, "dnf", 7))
	const r = "/api/v1/repos/acme/tools/"
	one := r + "package/deb/ubuntu/jammy/hello/amd64/1.0-7/stats/downloads/"
	for _, tt := range []struct {
		fact, path string
		status     int
		body       string
	}{
		{"the last week", one + "count.json", 200, `{"value":3}`},
		{"all time", one + "count.json?start_date=19700101Z", 200, `{"value":43}`},
		{"a period", one + "count.json?start_date=2026-10-01&end_date=20261101", 200, `{"value":40}`},
		{"a version and release of RPM", r + "package/rpm/el/9/jake/x86_64/1.0/1.el6/stats/downloads/count.json", 200, `{"value":7}`},
		{"another package", r + "package/deb/ubuntu/jammy/other/amd64/1/stats/downloads/count.json", 200, `{"value":0}`},
		{"a series by day", one + "series/daily.json?start_date=20261126Z", 200, `{"value":{"20261126Z":1,"20261127Z":0,"20261128Z":0,"20261129Z":2}}`},
		{"a series by week", one + "series/weekly.json", 200, `{"value":{"20261116Z":0,"20261123Z":3}}`},
		{"a series by month", one + "series/monthly.json?start_date=20261001Z", 200, `{"value":{"20261001Z":40,"20261101Z":3}}`},
		{"a long series without downloads", r + "package/deb/ubuntu/jammy/other/amd64/1/stats/downloads/series/daily.json?start_date=20000101Z", 200, `{"value":{}}`},
		{"a long series with some", one + "series/monthly.json?start_date=20000101Z&end_date=20261101Z", 200, `{"value":{"20261001Z":40,"20261101Z":0}}`},
		{"a long series that ends in the future", one + "series/monthly.json?start_date=19700101Z&end_date=29991231Z", 200, `{"value":{"20261001Z":40,"20261101Z":3}}`},
		{"another interval", one + "series/hourly.json", 404, `{"error":"not_found"}`},
		{"a date that is none", one + "count.json?start_date=yesterday", 422, `{"start_date":["is not a date such as 20261129Z"]}`},
		{"downloads of a repository", r + "stats/downloads/count.json", 200, `{"value":10}`},
		{"those of an operating system", r + "stats/downloads/el/count.json", 200, `{"value":7}`},
		{"installations", r + "stats/installs/count.json", 200, `{"value":9}`},
		{"those of a distribution", r + "stats/installs/ubuntu/jammy/count.json", 200, `{"value":4}`},
		{"those of another one", r + "stats/installs/el/count.json", 200, `{"value":0}`},
		{"other statistics", r + "stats/uploads/count.json", 404, `{"error":"not_found"}`},
	} {
		if res, body := s.call("GET", "all", tt.path); res.StatusCode != tt.status || body != tt.body {
			t.Errorf("%s: got %d %s, want %d %s", tt.fact, res.StatusCode, body, tt.status, tt.body)
		}
	}
	if _, body := s.call("GET", "all", r+"package/deb/ubuntu/jammy/hello/amd64/1.0-7.json"); !strings.Contains(body, `"total_downloads_count":43`) {
		t.Errorf("the details say %s", body)
	}
}

// A download is an element of its own, and no page has an address.
func TestDetailHasAnElementForEachDownload(t *testing.T) {
	s := newSite(t)
	hello := deb(tools, "hello", "1.0-7")
	s.add(hello)
	s.counted(downloadsOf(hello, 0, "apt", 40), downloadsOf(hello, 2, "browser", 5))
	const path = "/api/v1/repos/acme/tools/package/deb/ubuntu/jammy/hello/amd64/1.0-7/stats/downloads/detail.json?per_page=20"
	got := map[string]int{}
	for _, page := range []string{"&page=1", "&page=2", "&page=3", "&page=4"} {
		res, body := s.call("GET", "all", path+page)
		var list []map[string]any
		if err := json.Unmarshal([]byte(body), &list); err != nil || res.Header.Get("Total") != "45" {
			t.Fatalf("%v, %v: %s", err, res.Header, body)
		}
		for _, d := range list {
			if d["ip_address"] != nil || d["read_token"] != nil {
				t.Errorf("got %v", d)
			}
			got[d["downloaded_at"].(string)+" "+d["user_agent"].(string)+" "+d["source"].(string)]++
		}
	}
	today, before := now.Truncate(24*time.Hour), now.AddDate(0, 0, -2).Truncate(24*time.Hour)
	const form = "2006-01-02T15:04:05.000Z"
	if got[today.Format(form)+" apt cli"] != 40 || got[before.Format(form)+" browser web"] != 5 || len(got) != 2 {
		t.Errorf("got %v", got)
	}
}
