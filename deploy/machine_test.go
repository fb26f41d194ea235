package deploy_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"repomill/testdata/deploytest"
	"repomill/testdata/proctest"
)

// boot makes a system over the root $0 in the folder $1, and starts its systemd as process 1 of namespaces of its own: processes,
// mounts, network (a loopback interface alone) and control groups, of which $2 is a new one.
const boot = `
mkdir "$2" && echo $$ >"$2/cgroup.procs"
exec unshare --mount --pid --fork --kill-child --uts --ipc --net --cgroup sh -ec '
	mkdir "$1/upper" "$1/work" "$1/root"
	mount -t overlay overlay -o "lowerdir=$0,upperdir=$1/upper,workdir=$1/work" "$1/root"
	cd "$1/root"
	mount -t proc proc proc
	mount -t sysfs -o ro sysfs sys
	mount -t cgroup2 cgroup2 sys/fs/cgroup
	mount -t tmpfs -o mode=755 tmpfs run
	mount -t tmpfs -o mode=755 tmpfs dev
	for d in null zero full random urandom tty; do touch dev/$d; mount --bind /dev/$d dev/$d; done
	mkdir dev/pts dev/shm old
	mount -t devpts -o newinstance,ptmxmode=0666,mode=620 devpts dev/pts
	ln -s pts/ptmx dev/ptmx
	mount -t tmpfs tmpfs dev/shm
	ip link set lo up
	printf "127.0.0.1 localhost\n127.0.1.1 %s\n" "$(hostname)" >etc/hosts
	pivot_root . old
	exec env -i container=other PATH=/usr/sbin:/usr/bin:/sbin:/bin sh -ec "umount -l /old; rmdir /old; mount --make-rshared /; exec /lib/systemd/systemd --log-target=console"
' "$0" "$1"`

// A machine is a Debian whose process 1 is systemd.
type machine struct {
	t    testing.TB
	dir  string // of the overlay
	init string // process id of its systemd, outside
}

// newMachine boots a machine over the root that deploy/client-roots makes. What cannot be done without root or on this kernel skips the test.
func newMachine(t testing.TB, root string) *machine {
	t.Helper()
	group := newGroup(t)
	m := &machine{t: t, dir: proctest.OpenDir(t)}
	log := new(proctest.Output)
	cmd := exec.Command("sh", "-ec", boot, root, m.dir, group)
	cmd.Stdout, cmd.Stderr = log, log
	p := proctest.Begin(t, cmd)
	t.Cleanup(func() {
		p.Kill() //nolint:errcheck // it may have ended
		if t.Failed() {
			t.Logf("the machine said\n%s", proctest.Tail(log.String()))
		}
	})
	proctest.Eventually(t, "systemd has started the machine", func() bool {
		select {
		case <-p.Done:
			t.Skipf("this kernel, or what it runs in, has no namespaces for a systemd of its own:\n%s", log.String())
		default:
		}
		body, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%[1]d/children", cmd.Process.Pid))
		if err != nil {
			t.Skipf("this kernel does not list children: %v", err)
		}
		if m.init = strings.TrimSpace(string(body)); m.init == "" {
			return false
		}
		return strings.TrimSpace(m.run("systemctl is-system-running").Stdout) == "running"
	})
	return m
}

// newGroup returns the path of a control group that does not exist yet, and removes it in the end.
func newGroup(t testing.TB) string {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("only root can boot a machine")
	}
	for _, top := range []string{"/sys/fs/cgroup/unified", "/sys/fs/cgroup"} {
		if _, err := os.Stat(filepath.Join(top, "cgroup.procs")); err != nil {
			continue
		}
		group := filepath.Join(top, fmt.Sprintf("repomill-test-%d-%d", os.Getpid(), time.Now().UnixNano()))
		t.Cleanup(func() {
			proctest.Eventually(t, "the control group is gone", func() bool {
				exec.Command("find", group, "-depth", "-type", "d", "-exec", "rmdir", "{}", "+").Run() //nolint:errcheck // until no process is left
				_, err := os.Stat(group)
				return err != nil
			})
		})
		return group
	}
	t.Skip("there are no control groups of version 2")
	return ""
}

// run runs a script on the machine, as its root.
func (m *machine) run(script string) proctest.Answer {
	m.t.Helper()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(m.t.Context()), 5*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "nsenter", "-m", "-p", "-n", "-u", "-i", "-C", "-t", m.init, "--wdns=/srv", "/bin/sh", "-ec", script)
	cmd.Env = []string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root", "LC_ALL=C.UTF-8", "DEBIAN_FRONTEND=noninteractive", "USER=root"}
	out, err := proctest.Finish(cmd)
	if err != nil {
		m.t.Fatal(err)
	}
	return out
}

// ok runs a script that has to succeed, and returns what it printed.
func (m *machine) ok(script string) string {
	m.t.Helper()
	out := m.run(script)
	if out.Code != 0 {
		m.t.Fatalf("%s\n%s\n%s", script, out, m.run("journalctl -q --no-pager -n 25 -u 'repomill*' -u nginx").Stdout)
	}
	return out.Said()
}

// copy copies files from outside into a folder of the machine.
func (m *machine) copy(to string, files ...string) {
	m.t.Helper()
	for _, file := range files {
		body, err := os.ReadFile(file)
		if err != nil {
			m.t.Fatal(err)
		}
		cmd := exec.Command("nsenter", "-m", "-t", m.init, "/bin/sh", "-c", `mkdir -p "$0" && cat >"$0/$1"`, to, filepath.Base(file))
		cmd.Stdin = strings.NewReader(string(body))
		if out, err := cmd.CombinedOutput(); err != nil {
			m.t.Fatalf("%v\n%s", err, out)
		}
	}
}

// machineRoot returns the root that machines are made over. It is made once.
func machineRoot(t testing.TB) string {
	t.Helper()
	proctest.Need(t, "debootstrap", "nsenter", "unshare", "ip")
	if os.Getuid() != 0 {
		t.Skip("only root can make a root file system")
	}
	roots := filepath.Join(deploytest.Root(t), "bin", "roots")
	if out, err := exec.Command("./client-roots", roots, "vm").CombinedOutput(); err != nil {
		t.Skipf("no root file system of Debian: %v\n%s", err, out)
	}
	root, err := filepath.EvalSymlinks(filepath.Join(roots, "vm"))
	if err != nil {
		t.Fatal(err)
	}
	return root
}

// follow runs all commands of sections of a document on the machine, in their order. What they print is returned by command.
func (m *machine) follow(file string, headings ...string) map[string]string {
	m.t.Helper()
	printed := map[string]string{}
	for _, heading := range headings {
		for _, command := range section(m.t, file, heading) {
			printed[command] = m.ok(command)
			m.t.Logf("%s\n%s", command, proctest.Tail(printed[command]))
		}
	}
	return printed
}
