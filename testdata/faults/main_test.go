package faults_test

import (
	"context"
	"flag"
	"log/slog"
	"os"
	"runtime/debug"
	"testing"

	"github.com/apache/beam/sdks/v2/go/pkg/beam"
	beamlog "github.com/apache/beam/sdks/v2/go/pkg/beam/log"
	//lint:ignore SA1019 it is the embedded default
	"github.com/apache/beam/sdks/v2/go/pkg/beam/runners/direct"

	"repomill/testdata/mysqltest"
)

func TestMain(m *testing.M) {
	flag.Parse()
	beam.Init()
	slog.SetDefault(slog.New(slog.DiscardHandler)) // the stores' faults are ours
	beamlog.SetLogger(silent{})
	debug.SetGCPercent(400) // a quarter of the time would go into it
	waitTogether()
	os.Exit(inMemory(func() int { return mysqltest.Main(m) }))
}

// inMemory runs the tests with temporary files in memory, where there is such a folder: what is proved here is what
// comes after what, not that a disk keeps it.
func inMemory(run func() int) int {
	dir, err := os.MkdirTemp("/dev/shm", "repomill-faults-")
	if err != nil {
		return run()
	}
	defer os.RemoveAll(dir)
	os.Setenv("TMPDIR", dir)
	return run()
}

// waitTogether lets more tests run at a time than there are processors, unless a flag says how many: half of
// their time they wait, for disks and between attempts.
func waitTogether() {
	set := false
	flag.Visit(func(f *flag.Flag) { set = set || f.Name == "test.parallel" })
	if !set {
		flag.Set("test.parallel", "12") //nolint:errcheck // it is a number
	}
}

type silent struct{}

func (silent) Log(context.Context, beamlog.Severity, int, string) {}

// runDirect runs a pipeline in this process.
func runDirect(ctx context.Context, p *beam.Pipeline) error {
	_, err := direct.Execute(ctx, p)
	return err
}
