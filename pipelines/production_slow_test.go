package pipelines_test

import (
	"testing"
	"time"

	"repomill/testdata/faults"
	"repomill/testdata/mysqltest"
	"repomill/testdata/s3test"
)

// With a database that answers after 50 ms and a store that refuses some of what it is asked, everything takes longer, and ends as with a twin
// whose servers are fast.
func TestProductionSlowServers(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("long")
	}
	twin := newTwin(t)
	server := mysqltest.NewServer(t)
	s3 := s3test.Start(t)
	p := newProductionWith(t, s3, mysqltest.AtPort(server.Database(t), faults.NewSlow(t, server.Socket(), 50*time.Millisecond)))
	restore := s3.Limit(80)
	uploads, _ := p.stage()
	start := time.Now()
	stop := p.serve(p.source(), grace)
	p.wantCorpus(uploads, twin)
	took := time.Since(start)
	refused := restore()
	wantStopped(t, stop)
	t.Logf("%d uploads took %v; the store refused %d requests", len(uploads), took, refused)
	if refused == 0 {
		t.Error("the store refused no request")
	}
}
