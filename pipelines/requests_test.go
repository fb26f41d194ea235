package pipelines_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"repomill/pipelines"
	"repomill/pipelines/worker"
	"repomill/schemas/catalog"
	"repomill/schemas/catalogdb"
	"repomill/testdata/mysqltest"
	"repomill/testdata/s3test"
)

// requestsPerPackage are the requests that one small package more takes, from its notification to its verdict, on the servers of production:
// what a batch or a publish needs besides is left out. A change of it is a change of what a company pays for each package.
var requestsPerPackage = map[string]int{
	"GCS GET":      3, // metadata, bytes, and whether a catalog that was lost rejected it
	"GCS POST":     1, // the verdict
	"S3 PutObject": 1, // the package
	"S3 Read":      0,
}

// maxStatements bounds the statements of MySQL for one package more, some of which may be repeats: a claim is a share of a transaction for the packages that are
// stored at the same time, eight, with eleven statements, and one question before they are read. The rest is a share of what is done for up to 50 packages.
// On a busy machine fewer meet.
const maxStatements = 7.0

func TestRequestsPerPackage(t *testing.T) {
	p := newProduction(t, s3test.Start(t))
	p.gcs.Notify = nil
	r := release("acme/tools/ubuntu/jammy")
	few, many := 50, 150
	p.carry(p.putDebs(r, "warm", few)) // the repository is declared
	fewer, more := p.putDebs(r, "few", few), p.putDebs(r, "many", many)
	first := p.requests(func() { p.carry(fewer) })
	second := p.requests(func() { p.carry(more) })
	got := map[string]int{}
	for what := range requestsPerPackage {
		rise := second[what] - first[what]
		if got[what] = rise / (many - few); rise%(many-few) != 0 {
			t.Errorf("%s: %d packages more take %d requests more, which is not a whole number for each", what, many-few, rise)
		}
	}
	if diff := cmp.Diff(requestsPerPackage, got); diff != "" {
		t.Errorf("requests for each package (-want +got):\n%s", diff)
	}
	if each := float64(second["MySQL"]-first["MySQL"]) / float64(many-few); each > maxStatements {
		t.Errorf("each package takes %.2f statements, more than %.0f", each, maxStatements)
	} else {
		t.Logf("each package takes %.2f statements of MySQL", each)
	}
}

// carry takes uploads from staging to their verdicts, as one batch.
func (p *production) carry(uploads []catalog.Upload) {
	p.t.Helper()
	l := worker.Leases{Resources: p.Resources, Lease: catalogdb.Lease{Owner: "test", For: time.Minute}}
	tasks, refused := l.Take(p.t.Context(), uploads)
	if len(refused) > 0 {
		p.t.Fatalf("no lease: %+v", refused)
	}
	for _, u := range uploads { // as a worker does
		if r, err := p.Resources.RejectedBefore(p.t.Context(), u); r != nil || err != nil {
			p.t.Fatalf("%s was rejected before: %v, %v", u, r, err)
		}
	}
	p.ingest(pipelines.Batch{Tasks: tasks})
	p.wantVerdict(uploads[len(uploads)-1], catalog.Published)
}

// requests returns the requests that the servers get while f runs.
func (p *production) requests(f func()) map[string]int {
	p.t.Helper()
	count := func() map[string]int {
		return map[string]int{
			"GCS GET": p.gcs.Served("GET"), "GCS POST": p.gcs.Served("POST"),
			"S3 PutObject": p.s3.Served(s3test.PutObject, p.bucket+"/acme/tools/ubuntu/pool/"), "S3 Read": p.s3.Served(s3test.Read, p.bucket+"/acme/tools/ubuntu/pool/"),
			"MySQL": mysqltest.Statements(p.t),
		}
	}
	before := count()
	f()
	after := count()
	for what := range after {
		after[what] -= before[what]
	}
	var lines []string
	for _, what := range slices.Sorted(maps.Keys(after)) {
		lines = append(lines, fmt.Sprintf("%s %d", what, after[what]))
	}
	p.t.Log(strings.Join(lines, ", "))
	return after
}
