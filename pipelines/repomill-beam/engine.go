package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"strings"

	"github.com/apache/beam/sdks/v2/go/pkg/beam"
	"github.com/apache/beam/sdks/v2/go/pkg/beam/options/jobopts"

	"repomill/pipelines"
	"repomill/pipelines/command"
)

// An engineCfg has the options of the engine and its workers.
type engineCfg struct {
	Runner            string `required:"" enum:"flink,dataflow,FlinkRunner,DataflowRunner" placeholder:"flink|dataflow" help:"Engine that runs the jobs."`
	Endpoint          string `placeholder:"HOST:PORT" help:"Flink: address of Beam's job server."`
	EnvironmentType   string `default:"DOCKER" enum:"DOCKER,PROCESS,EXTERNAL,LOOPBACK" help:"Flink: kind of workers: containers (DOCKER), processes of the task managers (PROCESS), a pool of workers beside them (EXTERNAL), or this process, for tests on one machine (LOOPBACK)."`
	EnvironmentConfig string `placeholder:"CONFIG" help:"Flink: the image for DOCKER, the JSON {\"command\": \"/opt/apache/beam/boot\"} for PROCESS, the host:port for EXTERNAL."`
	Parallelism       int    `default:"-1" help:"Flink: largest number of workers of a job; -1 uses the configuration of Flink."`
	Experiments       string `placeholder:"NAME,…" help:"Experiments of Beam."`
	WorkerBinary      string `type:"existingfile" placeholder:"PATH" help:"repomill-beam for the workers: for Linux and their processor, built without cgo; default: the running program."`

	Dataflow dataflowCfg `embed:"" group:"Dataflow:"`
}

const (
	onFlink    = "flink"
	onDataflow = "dataflow"
	loopback   = "LOOPBACK"
)

// check returns a usage error for options that are missing or wrong. Beam would report them late, or panic.
func (c *engineCfg) check() error {
	c.Runner = strings.ToLower(strings.TrimSuffix(c.Runner, "Runner")) // Beam knows both names
	switch {
	case c.Runner == onFlink && c.Endpoint == "":
		return command.Usage("--runner flink needs --endpoint HOST:PORT of Beam's job server")
	case c.Runner == onFlink && (c.EnvironmentType == "PROCESS" || c.EnvironmentType == "EXTERNAL") && c.EnvironmentConfig == "":
		return command.Usage("--environment-type %s needs --environment-config", c.EnvironmentType)
	case c.Runner == onFlink && c.Dataflow.JobName != "": // an interrupted run finds its job by its unique name
		return command.Usage("--job-name is for --runner dataflow: every job of Flink gets a new name")
	case c.Runner == onFlink && c.Dataflow.DryRun:
		return command.Usage("--dry-run is for --runner dataflow: a job of Flink would run")
	case c.Runner == onDataflow && c.EnvironmentType != "DOCKER":
		return command.Usage("--environment-type %s is for Flink: workers of Dataflow are containers", c.EnvironmentType)
	case c.Runner == onDataflow:
		if err := c.Dataflow.check(); err != nil {
			return err
		}
	}
	if c.WorkerBinary == "" && !c.here() && (runtime.GOOS != "linux" || runtime.GOARCH != "amd64") {
		return command.Usage("workers need another binary than this one (%s/%s): build it with CGO_ENABLED=0 GOOS=linux GOARCH=amd64 and name it with --worker-binary", runtime.GOOS, runtime.GOARCH)
	}
	return nil
}

// here reports whether workers are in this process.
func (c *engineCfg) here() bool { return c.Runner == onFlink && c.EnvironmentType == loopback }

// checkURL returns a usage error for a resource that workers on other machines cannot reach.
func (c *engineCfg) checkURL(flag, url string) error {
	scheme, _, _ := strings.Cut(url, "://")
	if local := scheme == "file" || scheme == "sqlite" || scheme == "dir"; local && !c.here() {
		return command.Usage("%s: workers on other machines cannot reach %s:// (only --runner flink --environment-type LOOPBACK can)", flag, scheme)
	}
	return nil
}

// An engine runs one job at a time, because Beam's options are global to the process.
type engine struct {
	cfg    engineCfg
	binary string // this program as workers run it; empty if they are in this process
}

func newEngine(cfg engineCfg) (*engine, error) {
	e := &engine{cfg: cfg, binary: cfg.WorkerBinary}
	if e.binary == "" && !cfg.here() {
		// Without a binary, Beam would compile the program from its sources.
		self, err := os.Executable()
		if err != nil {
			return nil, fmt.Errorf("%w: name the program with --worker-binary", err)
		}
		e.binary = self
	}
	return e, nil
}

// Reach returns an error if Flink's job server does not answer. It does not check Dataflow.
func (e *engine) Reach(ctx context.Context) error {
	if e.cfg.Runner == onFlink {
		return reachFlink(ctx, e.cfg.Endpoint)
	}
	return nil
}

// errDetached is returned for a job that was submitted, and that this process does not wait for.
var errDetached = errors.New("submitted")

// Run runs a pipeline as a job, and returns when the job or ctx has ended. --job-name overrides the name of the job. With detach,
// Run returns [errDetached] once the job is submitted. It must not be called concurrently.
func (e *engine) Run(ctx context.Context, name string, p *beam.Pipeline, detach bool) error {
	*jobopts.JobName = cmp.Or(e.cfg.Dataflow.JobName, name)
	*jobopts.Experiments = e.cfg.Experiments
	*jobopts.WorkerBinary = e.binary
	*jobopts.EnvironmentType = e.cfg.EnvironmentType
	*jobopts.EnvironmentConfig = e.cfg.EnvironmentConfig
	*jobopts.Parallelism = e.cfg.Parallelism
	*jobopts.Async = detach
	var err error
	if e.cfg.Runner == onFlink {
		*jobopts.Endpoint = e.cfg.Endpoint
		err = runFlink(ctx, e.cfg.Endpoint, name, p)
	} else {
		err = runDataflow(ctx, e.cfg.Dataflow, p)
	}
	if err == nil && detach {
		return errDetached
	}
	return err
}

// storer returns a function that runs jobs which store batches, and prepare releases under the name prepared.
func (e *engine) storer(workers pipelines.Config, prepared string) jobRunner {
	return func(ctx context.Context, name string, batches []pipelines.Batch, detach bool) error {
		return e.Run(ctx, name, storeJob(workers, prepared, batches), detach)
	}
}
