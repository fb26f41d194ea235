package main

import (
	"context"
	"flag"
	"fmt"
	"strconv"
	"strings"

	"github.com/apache/beam/sdks/v2/go/pkg/beam"
	"github.com/apache/beam/sdks/v2/go/pkg/beam/runners/dataflow"

	"repomill/pipelines/command"
)

// A dataflowCfg is what Dataflow is told of a job. Every value is shown in its console: none is a secret.
type dataflowCfg struct {
	Project             string `placeholder:"PROJECT" help:"The project that pays for jobs."`
	Region              string `placeholder:"REGION" help:"Where jobs run, such as europe-west1."`
	StagingLocation     string `placeholder:"gs://BUCKET/PATH" help:"Where the program and the job's description are put for workers."`
	TempLocation        string `placeholder:"gs://BUCKET/PATH" help:"Where Dataflow puts temporary files. Default: tmp below --staging-location."`
	ServiceAccountEmail string `placeholder:"EMAIL" help:"Who workers are: it reads staging, and writes verdicts and Dataflow's own files."`
	JobName             string `placeholder:"NAME" help:"Name of jobs; default: one of its own for each."`
	NumWorkers          int64  `placeholder:"N" help:"How many workers a job begins with."`
	MaxNumWorkers       int64  `placeholder:"N" help:"How many workers a job has at most."`
	WorkerMachineType   string `placeholder:"TYPE" help:"What workers run on, such as n2-standard-4."`
	WorkerRegion        string `placeholder:"REGION" help:"Where workers are, if not in --region."`
	WorkerZone          string `placeholder:"ZONE" help:"The zone of workers; default: Dataflow chooses."`
	DiskSizeGB          int64  `name:"disk-size-gb" placeholder:"N" help:"Size of a worker's disk. Packages are streams: the least is enough."`
	Network             string `placeholder:"NAME" help:"The network of workers."`
	Subnetwork          string `placeholder:"URL" help:"The subnetwork that reaches the catalog."`
	NoUsePublicIPs      bool   `name:"no-use-public-ips" help:"Workers have private addresses only."`
	SDKContainerImage   string `name:"sdk-container-image" placeholder:"IMAGE" help:"Image of workers, with what they need to reach catalog and bucket; it keeps /opt/apache/beam/boot as its entry point."`
	Labels              string `placeholder:"JSON" help:"Labels of jobs, as a JSON object of strings."`
	TemplateLocation    string `placeholder:"gs://BUCKET/OBJECT" help:"Where a flex template's launcher wants the job's description; nothing is submitted then. Implies --detach."`
	DryRun              bool   `help:"Translate the first job, print it to the log, and take up and submit nothing."`
}

func (c *dataflowCfg) check() error {
	for name, value := range map[string]string{"--staging-location": c.StagingLocation, "--temp-location": c.TempLocation, "--template-location": c.TemplateLocation} {
		if value != "" && !strings.HasPrefix(value, "gs://") {
			return command.Usage("%s %q: use gs://BUCKET/PATH", name, value)
		}
	}
	switch {
	case c.Project == "":
		return command.Usage("--runner dataflow needs --project")
	case c.Region == "":
		return command.Usage("--runner dataflow needs --region")
	case c.StagingLocation == "":
		return command.Usage("--runner dataflow needs --staging-location gs://BUCKET/PATH")
	}
	return nil
}

// set gives Beam's own flags their values: package dataflow keeps them to itself.
func (c *dataflowCfg) set() error {
	for _, f := range []struct{ name, value string }{
		{"project", c.Project}, {"region", c.Region},
		{"staging_location", c.StagingLocation}, {"temp_location", c.TempLocation},
		{"service_account_email", c.ServiceAccountEmail},
		{"num_workers", number(c.NumWorkers)}, {"max_num_workers", number(c.MaxNumWorkers)},
		{"worker_machine_type", c.WorkerMachineType}, {"disk_size_gb", number(c.DiskSizeGB)},
		{"worker_region", c.WorkerRegion}, {"worker_zone", c.WorkerZone},
		{"network", c.Network}, {"subnetwork", c.Subnetwork}, {"no_use_public_ips", yes(c.NoUsePublicIPs)},
		{"sdk_container_image", c.SDKContainerImage}, {"labels", c.Labels},
		{"template_location", c.TemplateLocation}, {"dry_run", yes(c.DryRun)},
	} {
		if f.value == "" {
			continue
		}
		if err := flag.Set(f.name, f.value); err != nil {
			return fmt.Errorf("--%s: %w", strings.ReplaceAll(f.name, "_", "-"), err)
		}
	}
	return nil
}

// number spells a number that is given.
func number(n int64) string {
	if n > 0 {
		return strconv.FormatInt(n, 10)
	}
	return ""
}

// yes spells a flag that is set.
func yes(set bool) string {
	if set {
		return "true"
	}
	return ""
}

// runDataflow runs a job. When ctx ends it leaves the job alone: Beam has no way to cancel one, the
// console and gcloud have.
func runDataflow(ctx context.Context, cfg dataflowCfg, p *beam.Pipeline) error {
	if err := cfg.set(); err != nil {
		return err
	}
	ended := make(chan error, 1)
	go func() {
		_, err := dataflow.Execute(context.WithoutCancel(ctx), p)
		ended <- err
	}()
	select {
	case err := <-ended:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}
