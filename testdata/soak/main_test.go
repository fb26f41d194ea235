package soak_test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"repomill/publish/sign"
	"repomill/testdata/mysqltest"
	"repomill/testdata/proctest"
)

var (
	kills  = flag.Int("soak.kills", 20, "how often programs are killed, in both configurations together")
	seed   = flag.Uint64("soak.seed", 0, "seed of the random choices; 0 for another one each time")
	binary = flag.String("soak.binary", "", "the repomill that is killed; built if empty")
	folder = flag.String("soak.dir", "", "where everything is kept; a temporary folder if empty")
)

// work is the folder of what the configurations share.
var work string

func TestMain(m *testing.M) {
	flag.Parse()
	code, err := run(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, "soak:", err)
		code = 1
	}
	os.Exit(code)
}

func run(m *testing.M) (code int, err error) {
	if work = *folder; work == "" {
		if work, err = os.MkdirTemp("", "repomill-soak-"); err != nil {
			return 0, err
		}
		defer os.RemoveAll(work)
	}
	if err := os.MkdirAll(work, 0o755); err != nil {
		return 0, err
	}
	return mysqltest.Main(m), nil
}

// program returns the path of the binary.
var program = sync.OnceValues(func() (string, error) {
	if *binary != "" {
		return *binary, nil
	}
	path := filepath.Join(work, "repomill")
	return path, proctest.Build(path, "repomill/pipelines/repomill")
})

// signingKey makes the key that both configurations sign with.
var signingKey = sync.OnceValues(func() (*sign.Signer, error) {
	return sign.Generate("soak signing key", sign.MinRSABits, time.Now())
})

// patient reports whether the soak is long enough to wait until the leases of the dead run out.
func patient() bool { return *kills >= 100 }

// TestSoak kills both configurations, half of the times each.
func TestSoak(t *testing.T) {
	if *seed == 0 {
		*seed = uint64(time.Now().UnixNano())
	}
	t.Logf("seed %d: repeat with -args -soak.kills %d -soak.seed %d", *seed, *kills, *seed)
	if _, err := program(); err != nil {
		t.Fatal(err)
	}
	var all results
	t.Cleanup(func() { all.print(os.Stdout) }) // after the parallel ones
	t.Run("files and SQLite", func(t *testing.T) {
		t.Parallel()
		soak(t, newEmbedded(t), *kills/2, &all)
	})
	t.Run("S3 and MySQL", func(t *testing.T) {
		t.Parallel()
		soak(t, newProduction(t), *kills-*kills/2, &all)
	})
}
