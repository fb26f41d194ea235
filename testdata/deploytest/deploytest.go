// Package deploytest is for the checks of the files in deploy. They run in two commands: make test has those that take
// seconds, make verify-deploy has all, and prints a table of what each of them has shown.
package deploytest

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// The environment of make verify-deploy.
const (
	slowVariable    = "REPOMILL_VERIFY_DEPLOY"    // 1: slow checks run
	tableVariable   = "REPOMILL_VERIFY_TABLE"     // path of the file that rows are added to
	schemasVariable = "REPOMILL_PROVIDER_SCHEMAS" // folder of NAME.json.gz: the outputs of terraform providers schema -json, one provider each
)

// A Row is a line of the table of make verify-deploy.
type Row struct {
	Files string // which files, such as "terraform/modules/store"
	Check string // what is done with them
	Tool  string // with its version, such as "promtool 2.42.0"
	// CannotShow says what the check leaves open.
	CannotShow string
}

// Record adds the row to the table when the test ends, with its result.
func Record(t testing.TB, row Row) {
	t.Helper()
	t.Cleanup(func() {
		path := os.Getenv(tableVariable)
		if path == "" {
			return
		}
		if err := add(path, row.line(result(t))); err != nil {
			t.Error(err)
		}
	})
}

func result(t testing.TB) string {
	switch {
	case t.Failed():
		return "FAILED"
	case t.Skipped():
		return "not run"
	}
	return "passed"
}

// line is the row in Markdown.
func (r Row) line(result string) string {
	cells := []string{r.Files, r.Check, r.Tool, result, r.CannotShow}
	for i, c := range cells {
		cells[i] = strings.NewReplacer("|", "\\|", "\n", " ").Replace(c)
	}
	return "| " + strings.Join(cells, " | ") + " |\n"
}

// add appends a line: packages that are tested at the same time add to one file.
func add(path, line string) error {
	f, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	if _, err := f.WriteString(line); err != nil {
		f.Close()
		return err
	}
	return f.Close()
}

// Slow leaves a check to make verify-deploy.
func Slow(t testing.TB) {
	t.Helper()
	if os.Getenv(slowVariable) != "1" {
		t.Skip("make verify-deploy runs this")
	}
}

// Root returns the folder of go.mod.
func Root(t testing.TB) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for ; ; dir = filepath.Dir(dir) {
		if body, err := os.ReadFile(filepath.Join(dir, "go.mod")); err == nil && strings.HasPrefix(string(body), "module repomill\n") {
			return dir
		}
		if dir == filepath.Dir(dir) {
			t.Fatal("no folder above the working directory has the go.mod of repomill")
		}
	}
}

// Tool returns the path of a program: below bin/verify, where the install-tools scripts of deploy's folders put those that
// no distribution has, or from PATH. The test is skipped where there is none.
func Tool(t testing.TB, name string) string {
	t.Helper()
	path := filepath.Join(Root(t), "bin", "verify", "bin", name)
	if _, err := os.Stat(path); err == nil {
		return path
	}
	path, err := exec.LookPath(name)
	if err != nil {
		t.Skipf("there is no %s: make verify-deploy installs what it can", name)
	}
	return path
}

// Schemas returns the folder of provider schemas that the environment names. The test is skipped where it names none.
func Schemas(t testing.TB) string {
	t.Helper()
	dir := os.Getenv(schemasVariable)
	if dir == "" {
		t.Skipf("%s names no folder of provider schemas (NAME.json.gz, from terraform providers schema -json): "+
			"what has no real provider here is not validated", schemasVariable)
	}
	return dir
}
