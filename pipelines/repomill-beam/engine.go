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

// An engineCfg says where jobs run and what their workers are.
type engineCfg struct {
	Runner            string `required:"" enum:"flink,dataflow,FlinkRunner,DataflowRunner" placeholder:"flink|dataflow" help:"The engine."`
	Endpoint          string `placeholder:"HOST:PORT" help:"Flink: Beam's job server."`
	EnvironmentType   string `default:"DOCKER" enum:"DOCKER,PROCESS,EXTERNAL,LOOPBACK" help:"Flink: what workers are: containers, processes of the task managers, a pool of workers beside them, or (LOOPBACK, for tests on one machine) this process."`
	EnvironmentConfig string `placeholder:"CONFIG" help:"Flink: the image of DOCKER, the JSON {\"command\": \"/opt/apache/beam/boot\"} of PROCESS, the host:port of EXTERNAL."`
	Parallelism       int    `default:"-1" help:"Flink: how many workers a job has at most; -1 leaves it to Flink's configuration."`
	Experiments       string `placeholder:"NAME,…" help:"Experiments of Beam, for those who know them."`
	WorkerBinary      string `type:"existingfile" placeholder:"PATH" help:"This program as workers run it, for Linux and their processor, built without cgo. Default: the running one."`

	Dataflow dataflowCfg `embed:"" group:"Dataflow:"`
}

const (
	onFlink    = "flink"
	onDataflow = "dataflow"
	loopback   = "LOOPBACK"
)

// check returns what is missing or wrong, as a usage error. Beam itself would notice it late, or panic.
func (c *engineCfg) check() error {
	c.Runner = strings.ToLower(strings.TrimSuffix(c.Runner, "Runner")) // Beam knows both names
	switch {
	case c.Runner == onFlink && c.Endpoint == "":
		return command.Usage("--runner flink needs --endpoint HOST:PORT of Beam's job server")
	case c.Runner == onFlink && (c.EnvironmentType == "PROCESS" || c.EnvironmentType == "EXTERNAL") && c.EnvironmentConfig == "":
		return command.Usage("--environment-type %s needs --environment-config", c.EnvironmentType)
	case c.Runner == onFlink && c.Dataflow.JobName != "": // an interrupted run finds its job by a name that no other job has
		return command.Usage("--job-name is for --runner dataflow: every job of Flink has a name of its own")
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

// checkURL refuses a resource that workers on other machines do not have.
func (c *engineCfg) checkURL(flag, url string) error {
	scheme, _, _ := strings.Cut(url, "://")
	if local := scheme == "file" || scheme == "sqlite" || scheme == "dir"; local && !c.here() {
		return command.Usage("%s: workers on other machines cannot reach %s:// (only --runner flink --environment-type LOOPBACK can)", flag, scheme)
	}
	return nil
}

// An engine runs jobs, one after the other: Beam's options are the process's.
type engine struct {
	cfg    engineCfg
	binary string // this program as workers run it; empty if they are in this process
}

func newEngine(cfg engineCfg) (*engine, error) {
	e := &engine{cfg: cfg, binary: cfg.WorkerBinary}
	if e.binary == "" && !cfg.here() {
		// Beam, left alone, would start the Go compiler on our sources.
		self, err := os.Executable()
		if err != nil {
			return nil, fmt.Errorf("%w: name the program with --worker-binary", err)
		}
		e.binary = self
	}
	return e, nil
}

// Reach reports why no job could be submitted now, as far as that is known before.
func (e *engine) Reach(ctx context.Context) error {
	if e.cfg.Runner == onFlink {
		return reachFlink(ctx, e.cfg.Endpoint)
	}
	return nil
}

// errDetached says that a job was submitted, and that nobody here waits for it.
var errDetached = errors.New("submitted")

// Run runs a pipeline as a job of that name, unless the operator gave jobs of Dataflow one, and returns
// when the job has ended or ctx has. With detach it returns [errDetached] once the job is submitted. It
// must not be called again before it has returned.
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

// storer returns what runs jobs that store batches, and that prepare releases under a name.
func (e *engine) storer(workers pipelines.Config, prepared string) jobRunner {
	return func(ctx context.Context, name string, batches []pipelines.Batch, detach bool) error {
		return e.Run(ctx, name, storeJob(workers, prepared, batches), detach)
	}
}
