package proctest

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"sync"
	"syscall"
	"testing"
	"time"
)

// An Output collects what a process prints. Its zero value is empty.
type Output struct {
	mu   sync.Mutex
	b    bytes.Buffer
	more chan struct{} // closed by the next Write, once asked for
}

// Write implements io.Writer.
func (o *Output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.more != nil {
		close(o.more)
		o.more = nil
	}
	return o.b.Write(p)
}

// String returns what was printed so far.
func (o *Output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.String()
}

// read returns what was printed so far, and a channel that is closed when there is more.
func (o *Output) read() (text string, more <-chan struct{}) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.more == nil {
		o.more = make(chan struct{})
	}
	return o.b.String(), o.more
}

// A Process is a command that runs until it is ended.
type Process struct {
	Cmd            *exec.Cmd
	Stdout, Stderr *Output // nil if the command has other writers
	Done           chan struct{}
	Err            error // of Wait, once Done is closed
}

// Start starts a command. Output for which it has no writers is collected; one writer for both may be set.
func Start(cmd *exec.Cmd) (*Process, error) {
	p := &Process{Cmd: cmd, Done: make(chan struct{})}
	if cmd.Stdout == nil {
		p.Stdout = new(Output)
		cmd.Stdout = p.Stdout
	}
	if cmd.Stderr == nil {
		p.Stderr = new(Output)
		cmd.Stderr = p.Stderr
	}
	if cmd.SysProcAttr == nil {
		DieWithParent(cmd)
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	go func() { p.Err = cmd.Wait(); close(p.Done) }()
	return p, nil
}

// Begin starts a command that is killed when the test ends.
func Begin(t testing.TB, cmd *exec.Cmd) *Process {
	t.Helper()
	p, err := Start(cmd)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Kill() }) //nolint:errcheck // it may have ended
	return p
}

// Await waits until ready returns true for what the process has printed to an Output. It kills a process that is not ready
// within the Limit.
func (p *Process) Await(o *Output, ready func(text string) bool) error {
	late := time.After(Limit)
	for {
		text, more := o.read()
		if ready(text) {
			return nil
		}
		select {
		case <-more:
		case <-p.Done:
			if !ready(o.String()) {
				return fmt.Errorf("%s ended before it was ready: %w\n%s", p, p.Err, p.said())
			}
			return nil
		case <-late:
			return errors.Join(fmt.Errorf("%s is not ready after %s\n%s", p, Limit, p.said()), p.Kill())
		}
	}
}

// Signal sends a signal.
func (p *Process) Signal(t testing.TB, sig os.Signal) {
	t.Helper()
	if err := p.Cmd.Process.Signal(sig); err != nil {
		t.Fatal(err)
	}
}

// Stop ends the process with SIGTERM. It is an error if it does not end well. A process that has ended stays so.
func (p *Process) Stop() error {
	select {
	case <-p.Done:
		return nil
	default:
	}
	if err := p.Cmd.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	select {
	case <-p.Done:
	case <-time.After(Limit):
		return errors.Join(fmt.Errorf("%s goes on %s after SIGTERM", p, Limit), p.Kill())
	}
	if p.Err != nil {
		return fmt.Errorf("%s after SIGTERM: %w\n%s", p, p.Err, p.said())
	}
	return nil
}

// Kill ends the process with SIGKILL, if it runs.
func (p *Process) Kill() error {
	err := p.Cmd.Process.Kill()
	<-p.Done
	if errors.Is(err, os.ErrProcessDone) {
		return nil
	}
	return err
}

// Wait waits until the process ends by itself.
func (p *Process) Wait(t testing.TB) Answer {
	t.Helper()
	select {
	case <-p.Done:
	case <-time.After(Limit):
		t.Fatalf("%s goes on after %s", p, Limit)
	}
	return Answer{p.Cmd.ProcessState.ExitCode(), text(p.Stdout), text(p.Stderr)}
}

// String returns the command line.
func (p *Process) String() string { return fmt.Sprintf("%.300q", p.Cmd.Args) }

func (p *Process) said() string { return Tail(text(p.Stdout)) + Tail(text(p.Stderr)) }

func text(o *Output) string {
	if o == nil {
		return ""
	}
	return o.String()
}
