package soak_test

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"sync"
	"syscall"
	"testing"
	"time"

	"repomill/testdata/proctest"
)

// A daemon is a long-running command of repomill that is killed and started again.
type daemon struct {
	t       testing.TB
	name    string
	program func() (string, error) // returns its path
	args    []string
	ready   string // what it prints when it is
	log     *os.File
	ends    *outages // during which it may end by itself before it is ready, as one does that systemd starts again

	mu    sync.Mutex
	life  *life         // nil while it is down
	up    time.Time     // since when it has been ready, undisturbed; zero if it is not
	spent time.Duration // CPU time of all lives that are over
}

// A life is one process of a daemon.
type life struct {
	cmd   *exec.Cmd
	begun time.Time
	ready chan struct{} // closed when it has said so
	ended chan struct{} // closed when it has ended,
	err   error         // with this,
	over  time.Time     // at this time
	said  time.Time     // when it said that it is ready
}

// newDaemon returns a daemon that is not started yet, and is down when the test has ended.
func newDaemon(t testing.TB, ends *outages, name, ready string, args ...string) *daemon {
	t.Helper()
	log, err := os.Create(work + "/" + name + ".log")
	if err != nil {
		t.Fatal(err)
	}
	d := &daemon{t: t, name: name, program: program, args: args, ready: ready, log: log, ends: ends}
	t.Cleanup(func() {
		d.kill() //nolint:errcheck // it may be down
		if t.Failed() {
			said, _ := os.ReadFile(log.Name())
			t.Logf("%s said at last\n%s", name, said[max(0, len(said)-6000):])
		}
		log.Close()
	})
	return d
}

// start starts the daemon. It returns before that is ready.
func (d *daemon) start() error {
	path, err := d.program()
	if err != nil {
		return err
	}
	l := &life{begun: time.Now(), cmd: exec.Command(path, d.args...), ready: make(chan struct{}), ended: make(chan struct{})}
	said := &watcher{out: d.log, want: []byte(d.ready), found: func() { d.isUp(l); l.said = time.Now(); close(l.ready) }}
	l.cmd.Stdout, l.cmd.Stderr = said, said
	proctest.DieWithParent(l.cmd)
	fmt.Fprintf(d.log, "--- start %s\n", time.Now().Format(time.StampMilli))
	if err := l.cmd.Start(); err != nil {
		return err
	}
	d.mu.Lock()
	d.life = l
	d.mu.Unlock()
	go func() { l.err, l.over = l.cmd.Wait(), time.Now(); close(l.ended) }()
	return nil
}

func (d *daemon) isUp(l *life) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.life == l || d.life == nil {
		d.up = time.Now()
	}
}

// disturbed notes that it is not ready any more.
func (d *daemon) disturbed() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.up = time.Time{}
}

// calm returns since when the daemon has been ready; zero if it is not.
func (d *daemon) calm() time.Time {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.up
}

// maxStart is how long a start may take, also on a busy machine.
const maxStart = 3 * time.Minute

// awaitReady waits until the daemon is ready. One that could not start without a server is started again.
func (d *daemon) awaitReady() error {
	if d.life == nil {
		return fmt.Errorf("%s is down", d.name)
	}
	select {
	case <-d.life.ready:
		return nil
	case <-d.life.ended:
		if !d.excused(d.life) {
			return fmt.Errorf("%s ended by itself: %w", d.name, d.life.err)
		}
		if err := d.start(); err != nil {
			return err
		}
		return d.awaitReady()
	case <-time.After(maxStart):
		return fmt.Errorf("%s is not ready after %s", d.name, maxStart)
	}
}

// excused reports whether a daemon that has ended by itself may have done so: it could not start without a server. A worker says that it is
// started before it reads the settings of the bucket, without which it does not go on.
func (d *daemon) excused(l *life) bool {
	select {
	case <-l.ready:
		return l.cmd.ProcessState.ExitCode() == 4 && l.over.Sub(l.said) < 10*time.Second && d.ends.met(l.begun)
	default:
		return l.err != nil && d.ends.met(l.begun)
	}
}

// kill ends the daemon with SIGKILL. It is an error if it had ended by itself.
func (d *daemon) kill() error { return d.end(syscall.SIGKILL) }

// stop ends it with SIGTERM. It is an error if it does not end well.
func (d *daemon) stop() error { return d.end(syscall.SIGTERM) }

func (d *daemon) end(sig syscall.Signal) error {
	d.disturbed()
	d.mu.Lock()
	l := d.life
	d.life = nil
	d.mu.Unlock()
	if l == nil {
		return nil
	}
	select {
	case <-l.ended:
		if d.excused(l) {
			return nil
		}
	default:
	}
	failed := l.cmd.Process.Signal(sig)
	select {
	case <-l.ended:
	case <-time.After(maxStart):
		l.cmd.Process.Kill() //nolint:errcheck // it may be ending
		<-l.ended
		failed = fmt.Errorf("%s goes on %s after %s", d.name, maxStart, sig)
	}
	d.mu.Lock()
	d.up = time.Time{} // it may have become ready at the last moment
	d.spent += l.cmd.ProcessState.UserTime() + l.cmd.ProcessState.SystemTime()
	d.mu.Unlock()
	switch status, _ := l.cmd.ProcessState.Sys().(syscall.WaitStatus); {
	case failed != nil:
		return fmt.Errorf("%s: %s: %w, %w", d.name, sig, failed, l.err)
	case sig == syscall.SIGKILL && !status.Signaled(), sig != syscall.SIGKILL && l.err != nil:
		return fmt.Errorf("%s, by %s: %s", d.name, sig, l.cmd.ProcessState)
	}
	return nil
}

// freeze stops the daemon for a while, as a machine does that swaps or is moved.
func (d *daemon) freeze(length time.Duration) error {
	d.disturbed()
	if err := d.life.cmd.Process.Signal(syscall.SIGSTOP); err != nil {
		return err
	}
	time.Sleep(length)
	d.mu.Lock()
	defer d.mu.Unlock()
	d.up = time.Now()
	return d.life.cmd.Process.Signal(syscall.SIGCONT)
}

// A watcher passes on what a process prints, and calls found once when want was in it.
type watcher struct {
	out   io.Writer
	want  []byte
	found func()
	last  []byte
}

func (w *watcher) Write(p []byte) (int, error) {
	if w.found != nil {
		w.last = append(w.last, p...)
		if bytes.Contains(w.last, w.want) {
			w.found()
			w.found, w.last = nil, nil
		}
	}
	return w.out.Write(p)
}
