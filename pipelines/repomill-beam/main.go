// Command repomill-beam runs the pipelines of repomill on an engine of many machines: Flink or Dataflow. Workers of the engine
// read, store and index packages. The process that submits a job publishes, because only it has the signing key. The workers run
// this program, too, with the flags of Beam.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/alecthomas/kong"
	"github.com/apache/beam/sdks/v2/go/pkg/beam"

	"repomill/ingest"
	"repomill/pipelines/command"
)

// commands is the command line. The help of a field describes its command.
type commands struct {
	Ingest ingestCmd `cmd:"" default:"withargs" help:"Process all uploads in staging in jobs on an engine, publish them, and exit."`

	Stats   statsCmd   `cmd:"" help:"Count downloads in logs, in a job on an engine."`
	Reindex reindexCmd `cmd:"" help:"Render the indexes of releases in whole, in jobs on an engine."`
	Pages   pagesCmd   `cmd:"" help:"Make all pages of repositories again, in a job on an engine."`
}

func main() {
	if isWorker(os.Args[1:]) {
		flag.Parse() // Beam's flags
		go endWithParent(os.Getppid())
	}
	beam.Init() // in a worker it does not return
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the program at once
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

// isWorker reports whether an engine started the program.
func isWorker(args []string) bool {
	return slices.ContainsFunc(args, func(a string) bool { return strings.HasPrefix(a, "--worker=") })
}

// endWithParent ends a worker when its parent ends. An engine ends Beam's boot program, which does not end its child: without
// this, workers of Flink's PROCESS environment would never end, one of each job.
func endWithParent(parent int) {
	for range time.Tick(time.Second) {
		if os.Getppid() != parent {
			os.Exit(command.OK)
		}
	}
}

// run executes one command line and returns its exit code. Beam is initialized.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	line := command.Line{
		Name: "repomill-beam", Description: "The pipelines of repomill on Flink and Dataflow.",
		Out: stdout, Err: stderr, Options: []kong.Option{kong.Vars{"maxPackageSize": fmt.Sprint(int64(ingest.DefaultMaxSize))}},
	}
	return line.Run(ctx, &commands{}, hyphened(args), func(c *kong.Context) error {
		c.BindTo(stderr, (*io.Writer)(nil))
		return c.Run()
	})
}

// hyphened replaces underscores in the names of flags by hyphens: Beam and the launcher of Dataflow's flex templates use
// --temp_location.
func hyphened(args []string) []string {
	spelt := slices.Clone(args)
	for i, a := range spelt {
		name, value, hasValue := strings.Cut(a, "=")
		if !strings.HasPrefix(name, "--") {
			continue
		}
		spelt[i] = strings.ReplaceAll(name, "_", "-")
		if hasValue {
			spelt[i] += "=" + value
		}
	}
	return spelt
}
