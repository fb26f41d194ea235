package main

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/apache/beam/sdks/v2/go/pkg/beam"
	jobpb "github.com/apache/beam/sdks/v2/go/pkg/beam/model/jobmanagement_v1"
	"github.com/apache/beam/sdks/v2/go/pkg/beam/runners/flink"
	"github.com/apache/beam/sdks/v2/go/pkg/beam/util/grpcx"
)

// The limits of cancelling a job.
const (
	cancelLimit = 20 * time.Second       // until the job exists, and for each answer of the job server
	cancelEvery = 500 * time.Millisecond // between two searches for a job that does not exist yet
	endLimit    = 5 * time.Second        // from the cancellation to the end of the job
)

// runFlink runs a job, and cancels it when ctx ends: Beam would only stop listening, and Flink would continue.
func runFlink(ctx context.Context, endpoint, name string, p *beam.Pipeline) error {
	listening, leave := context.WithCancel(context.WithoutCancel(ctx))
	defer leave()
	defer context.AfterFunc(ctx, func() {
		err := cancelFlink(listening, endpoint, name, cancelLimit)
		if listening.Err() != nil {
			return // the job has ended
		}
		if err != nil {
			slog.Error("job not cancelled: cancel it in Flink", "job", name, "error", err)
			leave()
			return
		}
		time.AfterFunc(endLimit, leave) // a hanging element keeps the job from ending
	})()
	_, err := flink.Execute(listening, p)
	if ctx.Err() != nil {
		return ctx.Err() // Beam may return no error for a cancelled job
	}
	return err
}

// reachLimit is how long a job server may take to accept a connection.
const reachLimit = 5 * time.Second

// reachFlink connects to a job server, before this process takes leases for its job.
func reachFlink(ctx context.Context, endpoint string) error {
	ctx, cancel := context.WithTimeout(ctx, reachLimit)
	defer cancel()
	conn, err := grpcx.Dial(ctx, endpoint, reachLimit)
	if err != nil {
		return fmt.Errorf("--endpoint %s: no job server of Beam answers: %w", endpoint, err)
	}
	return conn.Close()
}

// cancelFlink cancels the job of a name. The job may not be submitted yet: cancelFlink searches for it until wait is over. Each
// answer of the job server has its own limit, so that a slow server is not mistaken for one without the job.
func cancelFlink(ctx context.Context, endpoint, name string, wait time.Duration) error {
	conn, err := grpcx.Dial(ctx, endpoint, cancelLimit)
	if err != nil {
		return fmt.Errorf("--endpoint %s: %w", endpoint, err)
	}
	defer conn.Close()
	client := jobpb.NewJobServiceClient(conn)
	for over := time.After(wait); ; {
		found, err := cancelNamed(ctx, client, name)
		if found || err != nil {
			return err
		}
		select {
		case <-time.After(cancelEvery):
		case <-over:
			return fmt.Errorf("no job %s on %s within %s", name, endpoint, wait)
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// cancelNamed cancels the jobs of a name, and reports whether there is one.
func cancelNamed(ctx context.Context, client jobpb.JobServiceClient, name string) (found bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, cancelLimit)
	defer cancel()
	jobs, err := client.GetJobs(ctx, &jobpb.GetJobsRequest{})
	if err != nil {
		return false, fmt.Errorf("list jobs: %w", err)
	}
	for _, job := range jobs.GetJobInfo() {
		if job.GetJobName() != name {
			continue
		}
		if _, err := client.Cancel(ctx, &jobpb.CancelJobRequest{JobId: job.GetJobId()}); err != nil {
			return true, fmt.Errorf("cancel %s: %w", job.GetJobId(), err)
		}
		found = true
	}
	return found, nil
}
