package versus_test

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"repomill/testdata/proctest"
)

// An expense is what work took.
type expense struct {
	cpu  time.Duration // user and system, of processes and the children that they waited for
	wall time.Duration
	peak float64 // MB of resident memory of the largest process; 0 if it was not measured
}

// plus returns the expense of one after the other.
func (e expense) plus(o expense) expense {
	return expense{e.cpu + o.cpu, e.wall + o.wall, max(e.peak, o.peak)}
}

// over returns the expense of one of n.
func (e expense) over(n int) expense {
	return expense{e.cpu / time.Duration(n), e.wall / time.Duration(n), e.peak}
}

// median returns the median of each, and the highest peak.
func median(es []expense) expense {
	var cpus, walls []time.Duration
	var m expense
	for _, e := range es {
		cpus, walls, m.peak = append(cpus, e.cpu), append(walls, e.wall), max(m.peak, e.peak)
	}
	slices.Sort(cpus)
	slices.Sort(walls)
	m.cpu, m.wall = cpus[len(cpus)/2], walls[len(walls)/2]
	return m
}

// command returns a command that dies with the benchmark.
func command(dir, name string, args ...string) *exec.Cmd {
	cmd := exec.Command(name, args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "LC_ALL=C", "GNUPGHOME="+gnupgHome())
	proctest.DieWithParent(cmd)
	return cmd
}

// measure runs commands, one after the other.
func measure(b *testing.B, cmds ...*exec.Cmd) (total expense) {
	b.Helper()
	for _, cmd := range cmds {
		e, out, err := expenseOf(cmd)
		if err != nil {
			b.Fatalf("%s: %v\n%.3000s", strings.Join(cmd.Args[:min(len(cmd.Args), 8)], " "), err, out)
		}
		total = total.plus(e)
	}
	return total
}

// expenseOf runs one command and returns what it said.
func expenseOf(cmd *exec.Cmd) (e expense, out []byte, err error) {
	var said bytes.Buffer
	if cmd.Stdout == nil {
		cmd.Stdout = &said
	}
	cmd.Stderr = &said
	start := time.Now()
	if err := cmd.Start(); err != nil {
		return e, nil, err
	}
	peak, done := make(chan float64), make(chan struct{})
	go func() { peak <- watchPeak(cmd.Process.Pid, done) }()
	err = cmd.Wait()
	e.wall = time.Since(start)
	close(done)
	e.peak = <-peak
	e.cpu = cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
	return e, said.Bytes(), err
}

// watchPeak asks for the peak of a process's memory until done. (That of the resources' usage begins with the
// memory of the process which started it.)
func watchPeak(pid int, done <-chan struct{}) (peak float64) {
	for tick := time.NewTicker(5 * time.Millisecond); ; {
		select {
		case <-done:
			tick.Stop()
			return peak
		case <-tick.C:
			peak = max(peak, peakOf(pid))
		}
	}
}

// peakOf returns the peak of a process's resident memory in MB, or 0 if it has ended.
func peakOf(pid int) (mb float64) {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0
	}
	_, high, _ := strings.Cut(string(status), "VmHWM:")
	fmt.Sscanf(high, "%f", &mb) //nolint:errcheck // none while it ends
	return mb / 1024
}

// cpuOf returns what a running process has used, with the children that it waited for, to 10 ms.
func cpuOf(b *testing.B, pid int) time.Duration {
	b.Helper()
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		b.Fatal(err)
	}
	_, after, _ := strings.Cut(string(stat), ") ")
	fields := strings.Fields(after) // from the third one on
	var ticks int64
	for _, f := range fields[11:15] { // utime, stime, cutime, cstime
		t, err := strconv.ParseInt(f, 10, 64)
		if err != nil {
			b.Fatal(err)
		}
		ticks += t
	}
	return time.Duration(ticks) * 10 * time.Millisecond // USER_HZ is 100 on Linux
}
