package proctest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// An Answer is how a command ended, and what it printed.
type Answer struct {
	Code           int // -1 if a signal ended it
	Stdout, Stderr string
}

// Said returns all that was printed.
func (a Answer) Said() string { return a.Stdout + a.Stderr }

// String shows the ends of what was printed: the whole may be megabytes.
func (a Answer) String() string {
	return fmt.Sprintf("exit code %d\n%s%s", a.Code, Tail(a.Stdout), Tail(a.Stderr))
}

// Wants fails the test unless the answer says one thing and does not say another, if that is not empty.
func (a Answer) Wants(t testing.TB, is, isNot string) {
	t.Helper()
	text := a.Said()
	if !strings.Contains(text, is) || isNot != "" && strings.Contains(text, isNot) {
		t.Errorf("got %v\nwant %q, and nothing of %q", a, is, isNot)
	}
}

// Tail returns the last 6,000 bytes of a text.
func Tail(text string) string { return text[max(0, len(text)-6000):] }

// runLimit is how long a command may take that Run runs.
const runLimit = 10 * time.Minute

// Run runs a command to its end, without input. Its environment is PATH, the locale C.UTF-8, a home that does not exist,
// and env.
func Run(t testing.TB, env []string, name string, args ...string) Answer {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), runLimit)
	defer cancel()
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Env = append([]string{"PATH=" + os.Getenv("PATH"), "LC_ALL=C.UTF-8", "HOME=/nonexistent"}, env...)
	a, err := Finish(cmd)
	if err = errors.Join(err, ctx.Err()); err != nil {
		t.Fatalf("%s %.500q: %v\n%v", name, args, err, a)
	}
	return a
}

// Must is Run of a command that has to succeed. It returns the standard output.
func Must(t testing.TB, env []string, name string, args ...string) string {
	t.Helper()
	a := Run(t, env, name, args...)
	if a.Code != 0 {
		t.Fatalf("%s %.500q: %v", name, args, a)
	}
	return a.Stdout
}

// Finish runs a command to its end. An exit code other than 0 is an Answer; an error is that the command did not run.
func Finish(cmd *exec.Cmd) (Answer, error) {
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr, cmd.WaitDelay = &stdout, &stderr, time.Minute
	DieWithParent(cmd)
	err := cmd.Run()
	if _, exited := errors.AsType[*exec.ExitError](err); exited {
		err = nil
	}
	return Answer{cmd.ProcessState.ExitCode(), stdout.String(), stderr.String()}, err
}
