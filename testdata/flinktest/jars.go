package flinktest

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/apache/beam/sdks/v2/go/pkg/beam/core"
)

//go:embed jobserver.xml
var pom []byte

// A Version is a job server that Maven may have.
type Version struct {
	Flink string // line, such as "1.19"
	Beam  string
}

func (v Version) String() string { return "Flink " + v.Flink + ", Beam " + v.Beam }

// versions are the job servers to look for. The SDK's own version comes first, as Beam asks for. Where a
// repository has not got it, an older one does for bounded pipelines: what they need of a runner (ParDo,
// GroupByKey, Reshuffle, loopback and process environments) has not changed since.
var versions = []Version{{"1.20", core.SdkVersion}, {"1.19", "2.62.0"}}

// fetchLimit is how long Maven may take: some 160 files, 150 MB.
const fetchLimit = 5 * time.Minute

// jars returns a folder with the job server's class path, which Maven fetches once into bin/tools. The
// test is skipped if there is no Maven and nothing was fetched before.
func jars(t testing.TB) (dir string, v Version) {
	t.Helper()
	root, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}").Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	cache := filepath.Join(strings.TrimSpace(string(root)), "bin", "tools", "flink")
	for _, v := range versions {
		dir := filepath.Join(cache, v.Flink+"-"+v.Beam)
		if _, err := os.Stat(dir); err == nil {
			return dir, v
		}
	}
	if _, err := exec.LookPath("mvn"); err != nil {
		t.Skip("mvn is not installed (package maven): it fetches Beam's job server for Flink")
	}
	var failed error
	for _, v := range versions {
		dir := filepath.Join(cache, v.Flink+"-"+v.Beam)
		err := fetch(t.Context(), v, dir)
		if err == nil {
			return dir, v
		}
		failed = errors.Join(failed, err)
	}
	t.Skipf("Maven has no job server for Flink: %v", failed)
	return "", Version{}
}

// fetch puts the class path of a job server into a folder, whole or not at all.
func fetch(ctx context.Context, v Version, dir string) error {
	if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil {
		return err
	}
	temp, err := os.MkdirTemp(filepath.Dir(dir), "fetch-*")
	if err != nil {
		return err
	}
	defer os.RemoveAll(temp) //nolint:errcheck // a temporary directory
	file := filepath.Join(temp, "pom.xml")
	if err := os.WriteFile(file, pom, 0o600); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, fetchLimit)
	defer cancel()
	lib := filepath.Join(temp, "lib")
	out, err := exec.CommandContext(ctx, "mvn", "-q", "-B", "-f", file, "-Dflink="+v.Flink, "-Dbeam="+v.Beam,
		"dependency:copy-dependencies", "-DincludeScope=runtime", "-DoutputDirectory="+lib).CombinedOutput()
	if err != nil {
		first, _, _ := strings.Cut(string(out), "\n")
		return fmt.Errorf("%v: %w: %s", v, err, first)
	}
	if err := os.Rename(lib, dir); err != nil && !exists(dir) { // or another test was faster
		return err
	}
	return nil
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}
