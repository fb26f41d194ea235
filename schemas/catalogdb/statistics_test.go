package catalogdb_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"repomill/schemas/catalog"
	"repomill/schemas/catalogdb"
	"repomill/testdata/mysqltest"
)

// downloaded returns a count of whole downloads of a package.
func downloaded(k catalog.Package, day time.Time, client string, n int64) catalog.DownloadCount {
	return catalog.DownloadCount{
		Repository: k.Repository, Distribution: k.Distribution, Key: k.Key, Day: catalogdb.DayOf(day), Client: client, ClientVersion: "2.4.9", Country: "DE",
		Ends: []catalog.End{{Byte: k.File.Size, Count: n}},
	}
}

func readLog(name string, from, counted int64) catalog.LogFile {
	return catalog.LogFile{Source: "s3://logs/" + name, Identity: "etag/10", State: "etag/10", From: from, Counted: counted}
}

func countLogs(t *testing.T, db *catalogdb.DB, b catalog.LogBatch, now time.Time) catalog.LogLines {
	t.Helper()
	l, err := db.CountLogs(t.Context(), b, now)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// sums returns the downloads of a query, each row as a text.
func sums(t *testing.T, db *catalogdb.DB, q catalog.StatisticsQuery) map[string]int64 {
	t.Helper()
	rows, err := db.Downloads(t.Context(), q)
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]int64{}
	for _, r := range rows {
		got[strings.Join(r.Values, " ")] += r.Count
	}
	return got
}

func logsOnce(t *testing.T, db *catalogdb.DB) {
	declare(t, db, jammy)
	k := deb(jammy, "hello", "1")
	if err := push(t, db, k); err != nil {
		t.Fatal(err)
	}
	b := catalog.LogBatch{Name: "run/0", Files: []catalog.LogFile{readLog("a", 0, 100)}, Lines: catalog.LogLines{Lines: 3}, Downloads: []catalog.DownloadCount{downloaded(k, start, "apt", 3)}}
	want := catalog.LogLines{Lines: 3, Downloads: 3}
	for range 2 { // the second time is an attempt whose answer was lost
		if got := countLogs(t, db, b, start); got != want {
			t.Errorf("got %+v, want %+v", got, want)
		}
	}
	b.Name, b.Files = "run/1", []catalog.LogFile{readLog("a", 100, 150), readLog("b", 0, 10)}
	countLogs(t, db, b, start)
	if diff := cmp.Diff(map[string]int64{"": 6}, sums(t, db, catalog.StatisticsQuery{})); diff != "" {
		t.Errorf("downloads (-want +got):\n%s", diff)
	}
	if sum, files, err := db.LogRun(t.Context(), "run"); err != nil || files != 2 || sum.Downloads != 6 {
		t.Errorf("the run has %d files, %+v, %v", files, sum, err)
	}
	marks, err := db.LogMarks(t.Context(), []catalog.LogFile{{Source: "s3://logs/a", Identity: "etag/10"}, {Source: "s3://logs/b", Identity: "other"}})
	mark := marks[catalog.LogFile{Source: "s3://logs/a", Identity: "etag/10"}]
	if err != nil || len(marks) != 1 || mark.Counted != 150 {
		t.Errorf("marks are %+v, %v", marks, err)
	}
}

func logsConflict(t *testing.T, db *catalogdb.DB) {
	declare(t, db, jammy)
	k := deb(jammy, "hello", "1")
	if err := push(t, db, k); err != nil {
		t.Fatal(err)
	}
	b := catalog.LogBatch{Name: "one/0", Files: []catalog.LogFile{readLog("a", 0, 100)}, Downloads: []catalog.DownloadCount{downloaded(k, start, "apt", 3)}}
	countLogs(t, db, b, start)
	for name, files := range map[string][]catalog.LogFile{
		"two/0":   {readLog("new", 0, 10), readLog("a", 0, 100)},
		"three/0": {readLog("new", 0, 10), readLog("a", 50, 100)},
		"four/0":  {readLog("new", 5, 10)},
	} {
		b.Name, b.Files = name, files
		if _, err := db.CountLogs(t.Context(), b, start); !errors.Is(err, catalogdb.ErrCounted) {
			t.Errorf("%s: got %v, want %v", name, err, catalogdb.ErrCounted)
		}
	}
	if diff := cmp.Diff(map[string]int64{"": 3}, sums(t, db, catalog.StatisticsQuery{})); diff != "" {
		t.Errorf("downloads (-want +got):\n%s", diff)
	}
	if marks, err := db.LogMarks(t.Context(), []catalog.LogFile{readLog("new", 0, 0)}); err != nil || len(marks) > 0 {
		t.Errorf("a batch that was undone has left marks: %v, %v", marks, err)
	}
}

func logsWhole(t *testing.T, db *catalogdb.DB) {
	declare(t, db, jammy)
	declare(t, db, el9, "aarch64")
	k, noarch := deb(jammy, "hello", "1"), rpm(el9, "everywhere", "1-1", "noarch")
	if err := errors.Join(push(t, db, k), push(t, db, noarch, "aarch64", "x86_64")); err != nil {
		t.Fatal(err)
	}
	if _, err := db.Yank(t.Context(), selectorOf(k), catalog.Yank{Reason: "test", At: start}, start); err != nil { // its downloads before that count
		t.Fatal(err)
	}
	c := downloaded(k, start, "apt", 3)
	c.Ends = append(c.Ends, catalog.End{Byte: k.File.Size - 1, Count: 5})
	unknown := downloaded(deb(jammy, "other", "1"), start, "apt", 7)
	x86, arm := downloaded(noarch, start, "dnf", 11), downloaded(noarch, start, "dnf", 13)
	x86.Key, arm.Key = strings.Replace(noarch.Key, "/aarch64/", "/x86_64/", 1), strings.Replace(noarch.Key, "/x86_64/", "/aarch64/", 1)
	requests := []catalog.RequestCount{
		{Repository: k.Repository, Kind: catalog.MetadataRequest, Distribution: "ubuntu/jammy", Day: catalogdb.DayOf(start), Client: "apt", Count: 17},
		{Repository: k.Repository, Kind: catalog.RedirectRequest, Distribution: "ubuntu/jammy", Day: catalogdb.DayOf(start), Client: "apt", Legacy: "old", Count: 19},
		{Repository: catalog.Repository{Owner: "no", Name: "such"}, Kind: catalog.MetadataRequest, Day: catalogdb.DayOf(start), Client: "apt", Count: 23},
	}
	got := countLogs(t, db, catalog.LogBatch{Name: "run/0", Downloads: []catalog.DownloadCount{c, unknown, x86, arm}, Requests: requests}, start)
	if want := (catalog.LogLines{Downloads: 3 + 11 + 13, Partial: 5, Unknown: 7 + 23, Metadata: 17, Redirects: 19}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	want := map[string]int64{"hello": 3, "everywhere": 24}
	if diff := cmp.Diff(want, sums(t, db, catalog.StatisticsQuery{By: []catalog.StatisticsField{catalog.ByPackage}})); diff != "" {
		t.Errorf("downloads (-want +got):\n%s", diff)
	}
	rows, err := db.Requests(t.Context(), catalog.StatisticsQuery{By: []catalog.StatisticsField{catalog.ByRepository, catalog.ByDistribution, catalog.ByLegacy}, OS: "ubuntu"}, catalog.RedirectRequest)
	if err != nil || len(rows) != 1 || strings.Join(rows[0].Values, " ") != k.Repository.String()+" ubuntu/jammy old" || rows[0].Count != 19 {
		t.Errorf("redirects are %v, %v", rows, err)
	}
}

func logsForeign(t *testing.T, db *catalogdb.DB) {
	declare(t, db, jammy)
	of := func(distribution string, n int64) catalog.RequestCount {
		return catalog.RequestCount{Repository: jammy.Repository, Kind: catalog.RedirectRequest, Distribution: distribution, Day: catalogdb.DayOf(start), Client: "apt", Legacy: "old", Count: n}
	}
	b := catalog.LogBatch{Name: "run/0", Requests: []catalog.RequestCount{of("ubuntu/jammy", 1), of("ubuntu/x1", 2), of("x2/jammy", 3), of("", 4)}}
	if got, want := countLogs(t, db, b, start), (catalog.LogLines{Redirects: 10}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	rows, err := db.Requests(t.Context(), catalog.StatisticsQuery{By: []catalog.StatisticsField{catalog.ByDistribution}}, "")
	want := []catalog.StatisticsRow{{Values: []string{""}, Count: 9}, {Values: []string{"ubuntu/jammy"}, Count: 1}}
	if diff := cmp.Diff(want, rows); err != nil || diff != "" {
		t.Errorf("requests (-want +got): %v\n%s", err, diff)
	}
}

func logsSums(t *testing.T, db *catalogdb.DB) {
	declare(t, db, jammy)
	one, two := deb(jammy, "hello", "1:1.0"), deb(jammy, "hello", "2.0")
	if err := errors.Join(push(t, db, one), push(t, db, two)); err != nil {
		t.Fatal(err)
	}
	next := start.AddDate(0, 0, 1)
	curl := downloaded(two, next, "curl", 5)
	curl.ClientVersion, curl.Country, curl.Legacy = "", "", "direct-download"
	countLogs(t, db, catalog.LogBatch{Name: "run/0", Downloads: []catalog.DownloadCount{downloaded(one, start, "apt", 2), downloaded(two, next, "apt", 3), curl}}, start)
	repository := jammy.Repository.String()
	today, tomorrow := start.Format(time.DateOnly), next.Format(time.DateOnly)
	for _, tt := range []struct {
		fact string
		q    catalog.StatisticsQuery
		want map[string]int64
	}{
		{"all", catalog.StatisticsQuery{}, map[string]int64{"": 10}},
		{"nothing", catalog.StatisticsQuery{Owner: "absent"}, map[string]int64{"": 0}},
		{"a version without its epoch", catalog.StatisticsQuery{Package: "hello", Version: "1.0"}, map[string]int64{"": 2}},
		{"a distribution", catalog.StatisticsQuery{Owner: "acme", Name: jammy.Repository.Name, OS: "ubuntu", OSVersion: "jammy", Format: catalog.DEB, Arch: "amd64"}, map[string]int64{"": 10}},
		{"days", catalog.StatisticsQuery{By: []catalog.StatisticsField{catalog.ByDay}}, map[string]int64{today: 2, tomorrow: 8}},
		{"since", catalog.StatisticsQuery{Since: catalogdb.DayOf(next)}, map[string]int64{"": 8}},
		{"until", catalog.StatisticsQuery{Until: catalogdb.DayOf(start)}, map[string]int64{"": 2}},
		{"versions", catalog.StatisticsQuery{By: []catalog.StatisticsField{catalog.ByRepository, catalog.ByPackage, catalog.ByVersion, catalog.ByArch}},
			map[string]int64{repository + " hello 1:1.0 amd64": 2, repository + " hello 2.0 amd64": 8}},
		{"distributions", catalog.StatisticsQuery{By: []catalog.StatisticsField{catalog.ByDistribution}}, map[string]int64{"ubuntu/jammy": 10}},
		{"clients", catalog.StatisticsQuery{By: []catalog.StatisticsField{catalog.ByClient, catalog.ByClientVersion}}, map[string]int64{"apt 2.4.9": 5, "curl ": 5}},
		{"countries", catalog.StatisticsQuery{By: []catalog.StatisticsField{catalog.ByCountry}}, map[string]int64{"DE": 5, "": 5}},
		{"old URLs", catalog.StatisticsQuery{By: []catalog.StatisticsField{catalog.ByLegacy}}, map[string]int64{"": 5, "direct-download": 5}},
		{"the largest", catalog.StatisticsQuery{By: []catalog.StatisticsField{catalog.ByVersion}, Limit: 1}, map[string]int64{"2.0": 8}},
	} {
		if diff := cmp.Diff(tt.want, sums(t, db, tt.q)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.fact, diff)
		}
	}
}

func logsPruned(t *testing.T, db *catalogdb.DB) {
	declare(t, db, jammy)
	k := deb(jammy, "hello", "1")
	if err := push(t, db, k); err != nil {
		t.Fatal(err)
	}
	at := func(year int, month time.Month, day int) time.Time {
		return time.Date(year, month, day, 12, 0, 0, 0, time.UTC)
	}
	var counts []catalog.DownloadCount
	for i, day := range []time.Time{at(2025, 1, 1), at(2025, 1, 31), at(2025, 2, 1), at(2025, 3, 5)} {
		c := downloaded(k, day, "apt", 1)
		c.ClientVersion = []string{"2.4.9", "2.9.8"}[i%2]
		counts = append(counts, c)
	}
	metadata := catalog.RequestCount{Repository: k.Repository, Kind: catalog.MetadataRequest, Day: catalogdb.DayOf(at(2025, 1, 2)), Client: "apt", Count: 4}
	countLogs(t, db, catalog.LogBatch{Name: "old/0", Files: []catalog.LogFile{readLog("old", 0, 1), readLog("seen", 0, 1)}, Downloads: counts, Requests: []catalog.RequestCount{metadata}}, at(2025, 1, 1))
	if err := db.LogFilesSeen(t.Context(), []catalog.LogFile{readLog("seen", 0, 1)}, at(2025, 3, 11)); err != nil {
		t.Fatal(err)
	}
	days := catalog.StatisticsQuery{By: []catalog.StatisticsField{catalog.ByDay, catalog.ByClientVersion}}
	prune := func(want map[string]int64) {
		t.Helper()
		if err := db.PruneStatistics(t.Context(), at(2025, 3, 10)); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, sums(t, db, days)); diff != "" {
			t.Errorf("downloads (-want +got):\n%s", diff)
		}
	}
	prune(map[string]int64{"2025-01 ": 2, "2025-02 ": 1, "2025-03-05 2.9.8": 1})
	late := downloaded(k, at(2025, 1, 15), "apt", 5)
	countLogs(t, db, catalog.LogBatch{Name: "late/0", Downloads: []catalog.DownloadCount{late}}, at(2025, 3, 9))
	prune(map[string]int64{"2025-01 ": 7, "2025-02 ": 1, "2025-03-05 2.9.8": 1})
	rows, err := db.Requests(t.Context(), catalog.StatisticsQuery{By: []catalog.StatisticsField{catalog.ByDay, catalog.ByKind}}, "")
	if err != nil || len(rows) != 1 || strings.Join(rows[0].Values, " ") != "2025-01 metadata" || rows[0].Count != 4 {
		t.Errorf("requests are %v, %v", rows, err)
	}
	marks, err := db.LogMarks(t.Context(), []catalog.LogFile{readLog("old", 0, 0), readLog("seen", 0, 0)})
	if err != nil || len(marks) != 1 || marks[catalog.LogFile{Source: "s3://logs/seen", Identity: "etag/10"}].Counted != 1 {
		t.Errorf("marks are %v, %v; want that of the log that was seen", marks, err)
	}
}

// The database user of statistics reads, and writes its own tables alone.
func TestMySQLUserOfStatistics(t *testing.T) {
	s := mysqltest.NewServer(t)
	url := s.Database(t)
	root := open(t, url)
	declare(t, root, jammy)
	k := deb(jammy, "hello", "1")
	if err := push(t, root, k); err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(url, "root@")
	name, _, _ := strings.Cut(rest[strings.IndexByte(rest, '/')+1:], "?")
	s.Exec(t, "CREATE USER stats@localhost", "GRANT SELECT ON "+name+".* TO stats@localhost")
	for _, table := range []string{"downloads", "log_requests", "log_files", "log_batches"} {
		s.Exec(t, "GRANT INSERT, UPDATE, DELETE ON "+name+"."+table+" TO stats@localhost")
	}
	db := open(t, strings.Replace(url, "root@", "stats@", 1))
	b := catalog.LogBatch{Name: "run/0", Files: []catalog.LogFile{readLog("a", 0, 100)}, Downloads: []catalog.DownloadCount{downloaded(k, start, "apt", 3)}}
	countLogs(t, db, b, start)
	if err := errors.Join(db.LogFilesSeen(t.Context(), b.Files, start.AddDate(0, 1, 0)), db.PruneStatistics(t.Context(), start.AddDate(2, 0, 0))); err != nil {
		t.Error(err)
	}
	if diff := cmp.Diff(map[string]int64{"": 3}, sums(t, db, catalog.StatisticsQuery{})); diff != "" {
		t.Errorf("downloads (-want +got):\n%s", diff)
	}
	if _, err := db.Yank(t.Context(), selectorOf(k), catalog.Yank{Reason: "r"}, start); err == nil {
		t.Error("it withdraws packages")
	}
}
