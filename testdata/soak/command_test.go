package soak_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"time"
)

// An answer is what a command came to.
type answer struct {
	args           []string
	code           int // -1 if it was killed
	stdout, stderr string
}

func (a answer) String() string {
	return fmt.Sprintf("repomill %.300q: exit code %d\n%s%s", a.args, a.code, tail(a.stdout), tail(a.stderr))
}

func tail(s string) string { return s[max(0, len(s)-3000):] }

// maxCommand is how long a command may take.
const maxCommand = 10 * time.Minute

// ask runs repomill to its end, or until it is killed after a while, unless that is 0. It counts the CPU time.
func (s *site) ask(killAfter time.Duration, args ...string) (answer, error) {
	path, err := program()
	if err != nil {
		return answer{}, err
	}
	limit := maxCommand
	if killAfter > 0 {
		limit = killAfter
	}
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	var stdout, stderr bytes.Buffer
	cmd := exec.CommandContext(ctx, path, args...)
	cmd.Env = append(os.Environ(), "REPOMILL_BY=soak")
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	cmd.SysProcAttr = dieWithUs()
	err = cmd.Run()
	if cmd.ProcessState == nil {
		return answer{}, err
	}
	s.spent.Add(int64(cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()))
	a := answer{args, cmd.ProcessState.ExitCode(), stdout.String(), stderr.String()}
	if ctx.Err() != nil && killAfter == 0 {
		return a, fmt.Errorf("after %s it goes on: %v", maxCommand, a)
	}
	return a, nil
}
