package proctest_test

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"repomill/testdata/proctest"
)

// asParent is set in a process that starts a child, says which, and goes on.
const asParent = "PROCTEST_AS_PARENT"

func TestMain(m *testing.M) {
	if os.Getenv(asParent) == "" {
		os.Exit(m.Run())
	}
	p, err := proctest.Start(exec.Command("sleep", "60"))
	if err != nil {
		panic(err)
	}
	fmt.Println(p.Cmd.Process.Pid)
	<-p.Done
}

func shell(script string) *exec.Cmd { return exec.Command("sh", "-c", script) }

func TestProcessDiesWithItsParent(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("only Linux ends a child with its parent")
	}
	parent := exec.Command(os.Args[0])
	parent.Env = append(os.Environ(), asParent+"=1")
	p := proctest.Begin(t, parent)
	child := 0
	err := p.Await(p.Stdout, func(text string) bool {
		line, err := bufio.NewReader(strings.NewReader(text)).ReadString('\n')
		if err == nil {
			_, err = fmt.Sscan(line, &child)
		}
		return err == nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(child, 0); err != nil {
		t.Fatalf("the child does not run: %v", err)
	}
	if err := p.Kill(); err != nil {
		t.Fatal(err)
	}
	proctest.Eventually(t, "the child has ended", func() bool {
		status, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", child))
		return errors.Is(err, os.ErrNotExist) || strings.Contains(string(status), ") Z ") // not waited for yet
	})
}

func TestFinishAnswers(t *testing.T) {
	for _, tt := range []struct {
		name string
		cmd  *exec.Cmd
		want proctest.Answer
		ran  bool
	}{
		{"a command that succeeds", shell("echo yes; echo but >&2"), proctest.Answer{Stdout: "yes\n", Stderr: "but\n"}, true},
		{"an exit code is no error", shell("exit 3"), proctest.Answer{Code: 3}, true},
		{"a command that is killed", shell("kill -9 $$"), proctest.Answer{Code: -1}, true},
		{"a command that does not exist", exec.Command("/nonexistent/program"), proctest.Answer{Code: -1}, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := proctest.Finish(tt.cmd)
			if diff := cmp.Diff(tt.want, got); diff != "" || (err == nil) != tt.ran {
				t.Errorf("error %v, answer (-want +got):\n%s", err, diff)
			}
		})
	}
}

func TestAwaitEnds(t *testing.T) {
	for _, tt := range []struct{ name, script, fails string }{
		{"when the process is ready", "echo one; echo ready; exec sleep 60", ""},
		{"when it was ready before it ended", "echo ready", ""},
		{"with what the process said if it ends before", "echo too early >&2; exit 1", "too early"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := proctest.Begin(t, shell(tt.script))
			err := p.Await(p.Stdout, func(text string) bool { return strings.Contains(text, "ready\n") })
			if (err == nil) != (tt.fails == "") || err != nil && !strings.Contains(err.Error(), tt.fails) {
				t.Errorf("got %v, want %q", err, tt.fails)
			}
		})
	}
}

func TestStopReports(t *testing.T) {
	for _, tt := range []struct {
		name, script string
		fails        bool
	}{
		{"nothing if the process ends well", "trap 'exit 0' TERM; echo ready; while :; do sleep 0.01; done", false},
		{"a process that ends badly", "trap 'exit 1' TERM; echo ready; while :; do sleep 0.01; done", true},
		{"nothing if it has ended before", "echo ready", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := proctest.Begin(t, shell(tt.script))
			if err := p.Await(p.Stdout, func(text string) bool { return text == "ready\n" }); err != nil {
				t.Fatal(err)
			}
			if tt.script == "echo ready" {
				<-p.Done
			}
			if err := p.Stop(); (err != nil) != tt.fails {
				t.Error(err)
			}
			if err := p.Kill(); err != nil {
				t.Errorf("killed after its end: %v", err)
			}
		})
	}
}

func TestUpArgsListenOnFreePorts(t *testing.T) {
	want := []string{"up", "--data", "/d", "--listen", "127.0.0.1:1", "--edge-listen", "127.0.0.1:0", "--ops-listen", "127.0.0.1:0"}
	if diff := cmp.Diff(want, proctest.UpArgs("/d", "--listen", "127.0.0.1:1")); diff != "" {
		t.Errorf("arguments (-want +got):\n%s", diff)
	}
}

func TestAptComplaintsAreFound(t *testing.T) {
	out := proctest.Answer{Stdout: "Get:1 x\nErr:2 y\n", Stderr: "W: one\nWe go on\nE: two\nN: three\n"}
	if diff := cmp.Diff([]string{"Err:2 y", "W: one", "E: two", "N: three"}, proctest.AptComplaints(out)); diff != "" {
		t.Errorf("complaints (-want +got):\n%s", diff)
	}
}
