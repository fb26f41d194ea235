package main

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"repomill/pipelines"
	"repomill/schemas/catalog"
	"repomill/schemas/catalogdb"
)

func TestProgress(t *testing.T) {
	jammy := catalog.Release{Repository: catalog.Repository{Owner: "acme", Name: "tools"}, Distribution: catalog.Distribution{OS: "ubuntu", Version: "jammy"}}
	noble := jammy
	noble.Distribution.Version = "noble"
	var out, log bytes.Buffer
	p := newReindexReport(stdio{&out, &log}, false)
	p.totals = map[string]int{jammy.String(): 1000, noble.String(): 3000, "of/another/run/1": 50}
	p.began(catalogdb.ReindexRun{ID: 7}, []catalog.Release{jammy, noble})
	want := func(what, want string) {
		t.Helper()
		if got := p.progress(10 * time.Second); got != want {
			t.Errorf("%s: got %q, want %q", what, got, want)
		}
	}
	want("at the start", "release 1 of 2, 0 of 4000 packages")
	p.Rendered(jammy.String(), 500, 1000)
	p.Rendered(noble.String(), 1500, 3000)
	want("in the middle", "release 1 of 2, 2000 of 4000 packages, 200/s, 10s left")
	p.Finished(pipelines.ReindexResult{Release: jammy.String(), Outcome: catalogdb.OutcomeIdentical, Packages: 1000})
	want("one is through", "release 2 of 2, 2500 of 4000 packages, 250/s, 6s left")
	p.Finished(pipelines.ReindexResult{Release: noble.String(), Outcome: catalogdb.OutcomeFailed, Error: "reindex " + noble.String() + ": bad\x1b"})
	want("all are through", "release 2 of 2, 4000 of 4000 packages, 400/s")
	if got := log.String(); got != noble.String()+": failed: bad?\n" {
		t.Errorf("the failure is told as %q", got)
	}
	p.summary(catalogdb.ReindexFailed)
	if !strings.Contains(out.String(), "\n2 of 2 releases: 1 identical, 0 published, 1 failed; 1000 packages in ") {
		t.Errorf("the summary is %q", out.String())
	}
}
