package soak_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"time"

	"repomill/testdata/proctest"
)

// An answer is the exit code and the output of a command.
type answer struct {
	args   []string
	outage bool // a server was down at some time
	proctest.Answer
}

// excused reports whether a command failed because a server was down, and said so by its exit code.
func (a answer) excused() bool { return a.outage && (a.Code == 3 || a.Code == 4) }

func (a answer) String() string { return fmt.Sprintf("repomill %.300q: %v", a.args, a.Answer) }

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
	cmd := exec.CommandContext(ctx, path, args...)
	cmd.Env = append(os.Environ(), "REPOMILL_BY=soak")
	begin := time.Now()
	out, err := proctest.Finish(cmd)
	if cmd.ProcessState == nil {
		return answer{}, err
	}
	s.spent.Add(int64(cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()))
	a := answer{args, s.outages.met(begin), out}
	if ctx.Err() != nil && killAfter == 0 {
		return a, fmt.Errorf("after %s it goes on: %v", maxCommand, a)
	}
	return a, nil
}
