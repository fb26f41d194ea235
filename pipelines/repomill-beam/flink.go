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

// How long it may take until a job can be cancelled, and until it has ended then, before it is left alone.
const (
	cancelLimit = 20 * time.Second       // for the job to be there, and for each answer of the job server
	cancelEvery = 500 * time.Millisecond // how often a job that is not there yet is looked for
	endLimit    = 5 * time.Second
)

// runFlink runs a job and, when ctx ends, cancels it: Flink would go on, and Beam only stops listening.
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
		time.AfterFunc(endLimit, leave) // an element that hangs keeps it from its end
	})()
	_, err := flink.Execute(listening, p)
	if ctx.Err() != nil {
		return ctx.Err() // the end of a cancelled job is not an error of Beam's
	}
	return err
}

// reachLimit is how long a job server may take to answer at all.
const reachLimit = 5 * time.Second

// reachFlink asks a job server for a sign of life, before uploads are taken up for it.
func reachFlink(ctx context.Context, endpoint string) error {
	ctx, cancel := context.WithTimeout(ctx, reachLimit)
	defer cancel()
	conn, err := grpcx.Dial(ctx, endpoint, reachLimit)
	if err != nil {
		return fmt.Errorf("--endpoint %s: no job server of Beam answers: %w", endpoint, err)
	}
	return conn.Close()
}

// cancelFlink cancels the job of a name, which may not be submitted yet: it is looked for until wait is over. Each
// answer of the job server has a limit of its own, so that a slow one is not taken for one without the job.
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
