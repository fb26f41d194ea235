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
	p.totals, p.releases = map[string]int{jammy.String(): 1000, noble.String(): 3000}, 2
	numbers := map[catalog.Release]int64{jammy: 1, noble: 4}
	ended := func(r catalog.Release, o catalogdb.ReindexOutcome, result string) catalogdb.Reindex {
		return catalogdb.Reindex{Release: r, Number: numbers[r], Done: numbers[r], Outcome: o, Result: []byte(result)}
	}
	update := func(all ...catalogdb.Reindex) {
		t.Helper()
		if err := p.update(all, numbers); err != nil {
			t.Fatal(err)
		}
	}
	want := func(what, want string) {
		t.Helper()
		if got := p.progress(10 * time.Second); got != want {
			t.Errorf("%s: got %q, want %q", what, got, want)
		}
	}
	want("at the start", "release 1 of 2, 0 of 4000 packages")
	update(catalogdb.Reindex{Release: jammy, Number: 1, Rendered: 500}, catalogdb.Reindex{Release: noble, Number: 4, Done: 3, Outcome: catalogdb.OutcomeFailed, Rendered: 1500})
	want("in the middle", "release 1 of 2, 2000 of 4000 packages, 200/s, 10s left")
	first := ended(jammy, catalogdb.OutcomeIdentical, `{"packages":1000}`)
	update(first)
	want("one is through", "release 2 of 2, 2500 of 4000 packages, 250/s, 6s left")
	update(first, ended(noble, catalogdb.OutcomeFailed, `{"error":"reindex `+noble.String()+`: bad\u001b"}`))
	want("all are through", "release 2 of 2, 4000 of 4000 packages, 400/s")
	if got := log.String(); got != noble.String()+": failed: bad?\n" {
		t.Errorf("the failure is shown as %q", got)
	}
	p.summary(nil)
	if !strings.Contains(out.String(), "\n2 of 2 releases: 1 identical, 0 published, 1 failed; 1000 packages in ") {
		t.Errorf("the summary is %q", out.String())
	}
}

func TestReindexSummary(t *testing.T) {
	identical := pipelines.ReindexResult{Outcome: catalogdb.OutcomeIdentical, Packages: 1}
	repaired := identical
	repaired.Repaired = 1
	for _, tt := range []struct {
		fact    string
		results []pipelines.ReindexResult
		targets []string
		want    string
	}{
		{"nothing was written", []pipelines.ReindexResult{identical}, nil, "1 release identical; nothing was written; 1 package in "},
		{"a file was written again", []pipelines.ReindexResult{identical, repaired}, nil, "2 releases identical; 1 index file written again; 2 packages in "},
		{"a file beside a failure", []pipelines.ReindexResult{repaired, {Outcome: catalogdb.OutcomeFailed}}, nil,
			"2 of 2 releases: 1 identical, 0 published, 1 failed; 1 index file written again; 1 package in "},
		{"no release at all", nil, nil, "the catalog has no distributions yet, so nothing to reindex\n"},
		{"no release of one", nil, []string{"acme/a"}, "acme/a has no distributions yet, so nothing to reindex\n"},
		{"no release of two", nil, []string{"acme/a", "acme/b"}, "acme/a, acme/b have no distributions yet, so nothing to reindex\n"},
	} {
		t.Run(tt.fact, func(t *testing.T) {
			var out, log bytes.Buffer
			p := newReindexReport(stdio{&out, &log}, false)
			p.releases = len(tt.results)
			for _, res := range tt.results {
				p.finish(res)
			}
			p.summary(tt.targets)
			if !strings.Contains("\n"+out.String(), "\n"+tt.want) {
				t.Errorf("got %q, want %q", out.String(), tt.want)
			}
		})
	}
}
