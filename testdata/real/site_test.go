package real_test

import (
	"encoding/json"
	"io"
	"net/http"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"repomill/testdata/proctest"
)

// A site is a running repomill up.
type site struct {
	program, data, url string
}

// startSite builds the program and starts it on an empty folder and free ports. It ends with the test.
func startSite(t *testing.T) *site {
	t.Helper()
	dir := t.TempDir()
	s := &site{program: filepath.Join(dir, "repomill"), data: filepath.Join(dir, "data")}
	if err := proctest.Build(s.program, "repomill/pipelines/repomill"); err != nil {
		t.Fatal(err)
	}
	up, url, err := proctest.Up(exec.Command(s.program, proctest.UpArgs(s.data)...))
	if err != nil {
		t.Fatal(err)
	}
	s.url = url
	t.Cleanup(func() {
		if err := up.Stop(); err != nil {
			t.Error(err)
		}
		state := up.Cmd.ProcessState
		t.Logf("repomill up used %s of CPU and at most %d MB", state.UserTime()+state.SystemTime(), state.SysUsage().(*syscall.Rusage).Maxrss>>10)
	})
	return s
}

// push pushes files and returns the verdicts by state. A rejection fails the test.
func (s *site) push(t *testing.T, target string, files []string) map[string]int {
	t.Helper()
	a := ask(t, nil, s.program, append([]string{"push", "--wait", "--json", "--timeout", "10m", "--staging", "file://" + s.data + "/staging", target}, files...)...)
	states := map[string]int{}
	for line := range strings.Lines(a.Stdout) {
		var v struct{ Object, State, Reason, Detail string }
		if err := json.Unmarshal([]byte(line), &v); err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		if states[v.State]++; v.State != "published" {
			t.Errorf("%s: %s %s: %s", v.Object, v.State, v.Reason, v.Detail)
		}
	}
	if a.Code != 0 {
		t.Errorf("push: exit %d\n%s", a.Code, proctest.Tail(a.Stderr))
	}
	return states
}

// fetch returns what clients get at a path.
func (s *site) fetch(t *testing.T, path string) string {
	t.Helper()
	resp, err := http.Get(s.url + "/" + path)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("%s: %s %v", path, resp.Status, err)
	}
	return string(body)
}
