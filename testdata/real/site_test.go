package real_test

import (
	"bufio"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
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
	must(t, nil, "go", "build", "-o", s.program, "repomill/pipelines/repomill")
	cmd := exec.Command(s.program, "up", "--data", s.data, "--listen", "127.0.0.1:0", "--edge-listen", "127.0.0.1:0", "--ops-listen", "127.0.0.1:0")
	log, err := os.Create(filepath.Join(dir, "log"))
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stderr = log
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Signal(syscall.SIGTERM) //nolint:errcheck // it may have ended
		if err := cmd.Wait(); err != nil {
			t.Errorf("repomill up: %v", err)
		}
		t.Logf("repomill up used %s of CPU and at most %d MB", cmd.ProcessState.UserTime()+cmd.ProcessState.SystemTime(),
			cmd.ProcessState.SysUsage().(*syscall.Rusage).Maxrss>>10)
		log.Close()
	})
	for lines := bufio.NewScanner(out); lines.Scan(); {
		if f := strings.Fields(lines.Text()); len(f) == 2 && f[0] == "clients:" {
			s.url = f[1]
			go io.Copy(io.Discard, out) //nolint:errcheck // hints
			return s
		}
	}
	text, _ := os.ReadFile(log.Name())
	t.Fatalf("repomill up ended before it was ready:\n%s", end(string(text)))
	return nil
}

// push pushes files and returns the verdicts by state. A rejection fails the test.
func (s *site) push(t *testing.T, target string, files []string) map[string]int {
	t.Helper()
	a := ask(t, nil, s.program, append([]string{"push", "--wait", "--json", "--timeout", "10m", "--staging", "file://" + s.data + "/staging", target}, files...)...)
	states := map[string]int{}
	for line := range strings.Lines(a.stdout) {
		var v struct{ Object, State, Reason, Detail string }
		if err := json.Unmarshal([]byte(line), &v); err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		if states[v.State]++; v.State != "published" {
			t.Errorf("%s: %s %s: %s", v.Object, v.State, v.Reason, v.Detail)
		}
	}
	if a.code != 0 {
		t.Errorf("push: exit %d\n%s", a.code, end(a.stderr))
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
