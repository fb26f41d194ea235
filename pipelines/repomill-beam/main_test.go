// Package main_test runs the program as its users do: the real binary, on a real engine and real servers
// on loopback.
package main_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/apache/beam/sdks/v2/go/pkg/beam"

	"repomill/publish/sign"
	"repomill/testdata/mysqltest"
	"repomill/testdata/proctest"
)

func TestMain(m *testing.M) {
	beam.Init()
	dir, err := os.MkdirTemp("", "repomill-beam-test-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Setenv("TMPDIR", dir) // Beam leaves files in it
	workshop = dir
	code := mysqltest.Main(m)
	os.RemoveAll(dir) //nolint:errcheck // a temporary directory
	os.Exit(code)
}

// workshop is a folder for what all tests share.
var workshop string

// program builds the binary, as workers run it, and returns its path.
var program = sync.OnceValues(func() (string, error) { return build("repomill-beam", ".") })

// boot builds the program that Beam's containers start workers with.
var boot = sync.OnceValues(func() (string, error) {
	return build("boot", "github.com/apache/beam/sdks/v2/go/container")
})

func build(name, pkg string) (path string, err error) {
	path = filepath.Join(workshop, name)
	return path, proctest.Build(path, pkg)
}

// signingKey makes the key that all sites sign with, and returns the path of its file.
var signingKey = sync.OnceValues(func() (string, error) {
	key, err := sign.Generate("test signing key", sign.MinRSABits, time.Now())
	if err != nil {
		return "", err
	}
	armored, err := key.Private()
	if err != nil {
		return "", err
	}
	path := filepath.Join(workshop, "key.asc")
	return path, os.WriteFile(path, armored, 0o600)
})

// must returns what a shared thing is.
func must(t *testing.T, made func() (string, error)) string {
	t.Helper()
	s, err := made()
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// runLimit is how long one command may take.
const runLimit = 10 * time.Minute

// repomillBeam runs a command line to its end and returns its exit code and what it wrote to stderr.
func repomillBeam(t *testing.T, args ...string) (code int, stderr string) {
	t.Helper()
	return start(t, args...)()
}

// start starts a command line; wait returns its exit code and what it wrote to stderr.
func start(t *testing.T, args ...string) (wait func() (code int, stderr string)) {
	t.Helper()
	wait, _ = startProcess(t, args...)
	return wait
}

func startProcess(t *testing.T, args ...string) (wait func() (int, string), process *os.Process) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), runLimit)
	t.Cleanup(cancel)
	var stderr bytes.Buffer
	cmd := exec.CommandContext(ctx, must(t, program), args...)
	cmd.Dir, cmd.Stderr = t.TempDir(), &stderr // no place where sources could be found
	proctest.DieWithParent(cmd)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return func() (int, string) {
		err := cmd.Wait()
		if exit, ok := errors.AsType[*exec.ExitError](err); err != nil && !ok || ok && exit.ExitCode() < 0 {
			t.Fatalf("%v: %v\n%s", args, err, stderr.String())
		}
		return cmd.ProcessState.ExitCode(), stderr.String()
	}, cmd.Process
}

func TestUsage(t *testing.T) {
	t.Parallel()
	company := []string{"ingest", "--staging=gs://in", "--bucket=s3://out?region=eu-west-1", "--catalog=mysql://u@h/d", "--public-url=https://p.example.org", "--signing-key=file:///k"}
	with := func(args []string, more ...string) []string { return slices.Concat(args, more) }
	onFlink := with(company, "--runner=flink", "--endpoint=127.0.0.1:1")
	onDataflow := with(company, "--runner=dataflow", "--project=p", "--region=r")
	for _, tt := range []struct {
		name string
		args []string
		code int
		says string
	}{
		{"help is no error", []string{"--help"}, 0, ""},
		{"a runner is needed", company, 2, "--runner"},
		{"an embedded runner is not an engine", with(company, "--runner=direct"), 2, "use flink or dataflow"},
		{"Flink needs an endpoint", with(company, "--runner=flink"), 2, "--endpoint"},
		{"processes need a command", with(onFlink, "--environment-type=PROCESS"), 2, "--environment-config"},
		{"files are out of reach of other machines", with(onFlink, "--staging=file:///in"), 2, "--staging"},
		{"so is SQLite", with(onFlink, "--catalog=sqlite:///c.db"), 2, "--catalog"},
		{"a job of Flink has a name of its own", with(onFlink, "--job-name=nightly"), 2, "--job-name"},
		{"a dry run refuses a password too", with(onDataflow, "--dry-run", "--staging-location=gs://b", "--catalog=mysql://u:hidden@h/d"), 2, "password"},
		{"nobody answers", onFlink, 4, "--endpoint 127.0.0.1:1"},
		{"Dataflow needs a project", with(company, "--runner=dataflow"), 2, "--project"},
		{"Dataflow needs a place for the program", onDataflow, 2, "--staging-location"},
		{"that place is in Cloud Storage", with(onDataflow, "--staging-location=/tmp"), 2, "gs://"},
		{"workers of Dataflow are containers", with(onDataflow, "--environment-type=LOOPBACK"), 2, "--environment-type"},
		{"this process signs", with(company[:5], "--runner=flink", "--endpoint=127.0.0.1:1"), 2, "--signing-key"},
		{"workers in this process end with it", with(onFlink, "--environment-type=LOOPBACK", "--detach"), 2, "--detach"},
		{"a reindex needs a target", with([]string{"reindex"}, onFlink[2:]...), 2, "--all"},
		{"pages need a target", with([]string{"pages"}, "--catalog=mysql://u@h/d", "--bucket=s3://b?region=r", "--public-url=https://h", "--runner=flink", "--endpoint=127.0.0.1:1"), 2, "--all"},
		{"pages are of whole repositories", with([]string{"pages"}, "acme/tools/el/9", "--catalog=mysql://u@h/d", "--bucket=s3://b?region=r", "--public-url=https://h", "--runner=flink", "--endpoint=127.0.0.1:1"), 2, "use owner/name"},
		{"names of flags may be spelt as Beam's", with(company, "--runner=flink", "--environment_type=PROCESS", "--endpoint=h:1"), 2, "--environment-config"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			code, stderr := repomillBeam(t, tt.args...)
			if code != tt.code || !strings.Contains(stderr, tt.says) || strings.Contains(stderr, "hidden") {
				t.Errorf("exit code %d, want %d and %q:\n%s", code, tt.code, tt.says, stderr)
			}
		})
	}
}
