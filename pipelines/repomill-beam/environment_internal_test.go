package main

import (
	"io"
	"slices"
	"testing"

	"github.com/alecthomas/kong"

	"repomill/pipelines/command"
)

// What decides which work is done, and how much of it, is set on the command line only.
func TestEnvironment(t *testing.T) {
	line := command.Line{Name: "repomill-beam", Out: io.Discard, Err: io.Discard, Options: []kong.Option{kong.Vars{"maxPackageSize": "1"}}}
	without := []string{"all", "detach", "disk-size-gb", "dry-run", "experiments", "help", "job-name", "keep-days", "labels", "max-num-workers", "no-use-public-ips", "num-workers", "parallel", "parallelism", "template-location", "version"}
	for flag, variables := range line.Environment(&commands{}) {
		if (len(variables) == 0) != slices.Contains(without, flag) {
			t.Errorf("--%s has %q", flag, variables)
		}
	}
}
