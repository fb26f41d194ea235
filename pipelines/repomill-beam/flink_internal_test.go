package main

import (
	"context"
	"errors"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	jobpb "github.com/apache/beam/sdks/v2/go/pkg/beam/model/jobmanagement_v1"
	"google.golang.org/grpc"

	"repomill/pipelines/command"
)

// A jobServer lists a job of a name from its second answer on.
type jobServer struct {
	jobpb.UnimplementedJobServiceServer
	name      string
	asked     atomic.Int64
	cancelled chan string
}

func (s *jobServer) GetJobs(context.Context, *jobpb.GetJobsRequest) (*jobpb.GetJobsResponse, error) {
	jobs := []*jobpb.JobInfo{{JobId: "0", JobName: "another"}}
	if s.asked.Add(1) > 1 {
		jobs = append(jobs, &jobpb.JobInfo{JobId: "1", JobName: s.name})
	}
	return &jobpb.GetJobsResponse{JobInfo: jobs}, nil
}

func (s *jobServer) Cancel(_ context.Context, r *jobpb.CancelJobRequest) (*jobpb.CancelJobResponse, error) {
	s.cancelled <- r.GetJobId()
	return &jobpb.CancelJobResponse{}, nil
}

// startJobServer returns a job server and its address.
func startJobServer(t *testing.T, name string) (*jobServer, string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &jobServer{name: name, cancelled: make(chan string, 10)}
	g := grpc.NewServer()
	jobpb.RegisterJobServiceServer(g, s)
	go g.Serve(l) //nolint:errcheck // it is stopped
	t.Cleanup(g.Stop)
	return s, l.Addr().String()
}

func TestCancelWaitsForTheJob(t *testing.T) {
	t.Parallel()
	s, endpoint := startJobServer(t, "repomill-x")
	if err := cancelFlink(t.Context(), endpoint, "repomill-x", cancelLimit); err != nil {
		t.Fatal(err)
	}
	if got := <-s.cancelled; got != "1" || len(s.cancelled) > 0 {
		t.Errorf("job %s is cancelled, and %d more", got, len(s.cancelled))
	}
}

func TestCancelSaysThatThereIsNoJob(t *testing.T) {
	t.Parallel()
	s, endpoint := startJobServer(t, "repomill-x")
	err := cancelFlink(t.Context(), endpoint, "repomill-y", time.Nanosecond)
	if err == nil || !strings.Contains(err.Error(), "no job repomill-y") || len(s.cancelled) > 0 {
		t.Errorf("got %v, and %d jobs are cancelled", err, len(s.cancelled))
	}
}

// A job that an interrupted run could not find by its name would go on.
func TestJobsOfFlinkHaveNamesOfTheirOwn(t *testing.T) {
	for _, d := range []dataflowCfg{{JobName: "nightly"}, {DryRun: true}} {
		c := engineCfg{Runner: onFlink, EnvironmentType: loopback, Endpoint: "127.0.0.1:1", Dataflow: d}
		if e, ok := errors.AsType[command.Error](c.check()); !ok || e.Code != command.Misused {
			t.Errorf("%+v: got %v", d, e.Err)
		}
	}
}
