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

// A dataflowCfg has the options of jobs on Dataflow. Its console shows every value, so none may be a secret.
type dataflowCfg struct {
	Project             string `placeholder:"PROJECT" help:"Project that pays for jobs."`
	Region              string `placeholder:"REGION" help:"Region of jobs, such as europe-west1."`
	StagingLocation     string `placeholder:"gs://BUCKET/PATH" help:"Location of the program and the description of jobs."`
	TempLocation        string `placeholder:"gs://BUCKET/PATH" help:"Location of temporary files of Dataflow; default: tmp below --staging-location."`
	ServiceAccountEmail string `placeholder:"EMAIL" help:"Service account of workers. It reads staging, and writes verdicts and the files of Dataflow."`
	JobName             string `placeholder:"NAME" help:"Name of jobs; default: a new name for each."`
	NumWorkers          int64  `placeholder:"N" help:"Initial number of workers of a job."`
	MaxNumWorkers       int64  `placeholder:"N" help:"Largest number of workers of a job."`
	WorkerMachineType   string `placeholder:"TYPE" help:"Machine type of workers, such as n2-standard-4."`
	WorkerRegion        string `placeholder:"REGION" help:"Region of workers; default: --region."`
	WorkerZone          string `placeholder:"ZONE" help:"Zone of workers; default: Dataflow chooses."`
	DiskSizeGB          int64  `name:"disk-size-gb" placeholder:"N" help:"Disk size of a worker in GB. The smallest is enough: workers stream packages."`
	Network             string `placeholder:"NAME" help:"Network of workers."`
	Subnetwork          string `placeholder:"URL" help:"Subnetwork of workers, which must reach the catalog."`
	NoUsePublicIPs      bool   `name:"no-use-public-ips" help:"Give workers private addresses only."`
	SDKContainerImage   string `name:"sdk-container-image" placeholder:"IMAGE" help:"Container image of workers. It needs what workers use to reach catalog and bucket, and /opt/apache/beam/boot as its entry point."`
	Labels              string `placeholder:"JSON" help:"Labels of jobs, as a JSON object of strings."`
	TemplateLocation    string `placeholder:"gs://BUCKET/OBJECT" help:"Object for the description of the job, for the launcher of a flex template. No job is submitted. Implies --detach."`
	DryRun              bool   `help:"Translate a job without uploads, print it to the log, and submit nothing."`
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

// set sets the flags of Beam, because package dataflow does not export its options.
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

// number returns the value of a flag; empty for 0, which leaves the default.
func number(n int64) string {
	if n > 0 {
		return strconv.FormatInt(n, 10)
	}
	return ""
}

// yes returns the value of a boolean flag; empty for false.
func yes(set bool) string {
	if set {
		return "true"
	}
	return ""
}

// runDataflow runs a job. It returns when ctx ends, and the job continues: Beam cannot cancel it. The console and gcloud can.
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
