package image_test

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"repomill/testdata/proctest"
)

// A root is an image that is unpacked, and a folder that its processes see as /tmp.
type root struct {
	dir, tmp string
	process  process
}

// A process is how a runtime starts an image: the part of its configuration that umoci makes of the image's.
type process struct {
	User      struct{ UID, GID int }
	Args, Env []string
}

// unpacked unpacks the image of a layout for this machine, with programs that others wrote.
func unpacked(t *testing.T, skopeo, umoci, layout, tag, architecture string) root {
	t.Helper()
	dir := proctest.OpenDir(t)
	run(t, dir, skopeo, "--insecure-policy", "--override-os", "linux", "--override-arch", architecture, "copy", "-q", "oci:"+layout+":"+tag, "oci:"+dir+"/one:x")
	run(t, dir, umoci, "unpack", "--image", dir+"/one:x", dir+"/bundle")
	r := root{dir: filepath.Join(dir, "bundle", "rootfs"), tmp: filepath.Join(dir, "tmp")}
	if err := os.Chmod(filepath.Join(dir, "bundle"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(r.tmp, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(r.tmp, 0o1777); err != nil {
		t.Fatal(err)
	}
	var config struct{ Process process }
	body, err := os.ReadFile(filepath.Join(dir, "bundle", "config.json"))
	if err == nil {
		err = json.Unmarshal(body, &config)
	}
	if err != nil {
		t.Fatal(err)
	}
	r.process = config.Process
	return r
}

// command runs a program as the image's user in the image, which is read only, as a pod with readOnlyRootFilesystem has it.
// Its processes end with the tests: the first one of their namespace keeps its rights, and so the signal at its parent's end.
func (r root) command(program string, args ...string) *exec.Cmd {
	const script = `root=$0 tmp=$1 user=$2; shift 2
		mount --bind "$root" "$root" && mount --bind "$tmp" "$root/tmp" && mount -o remount,bind,ro "$root"
		chroot --userspec="$user" "$root" "$@"
		exit $?`
	line := []string{"--mount", "--pid", "--fork", "--kill-child", "sh", "-ec", script,
		r.dir, r.tmp, fmt.Sprintf("%d:%d", r.process.User.UID, r.process.User.GID), program}
	cmd := exec.Command("unshare", append(line, args...)...)
	cmd.Env = append(slices.Clone(r.process.Env), "PATH="+os.Getenv("PATH"))
	return cmd
}

// answer is what a command says.
func (r root) answer(t *testing.T, env []string, program string, args ...string) proctest.Answer {
	t.Helper()
	cmd := r.command(program, args...)
	cmd.Env = append(cmd.Env, env...)
	a, err := proctest.Finish(cmd)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// faults returns what a root file system has and should not: links, devices, files of others than root, programs that change
// their user, and anything but /tmp to write to; and programs other than those that are named.
func faults(dir string, programs ...string) (found []string, err error) {
	err = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name := "/" + strings.TrimPrefix(strings.TrimPrefix(path, dir), "/")
		info, err := d.Info()
		if err != nil {
			return err
		}
		mode := info.Mode()
		add := func(is bool, what string) {
			if is {
				found = append(found, name+" "+what)
			}
		}
		add(!mode.IsRegular() && !mode.IsDir(), "is neither a file nor a folder")
		add(mode&(fs.ModeSetuid|fs.ModeSetgid) != 0, "changes its user")
		add(mode.Type() != fs.ModeSymlink && mode.Perm()&0o022 != 0 && name != "/tmp", "can be written")
		add(name == "/tmp" && mode&fs.ModeSticky == 0, "has no sticky bit")
		if s, ok := info.Sys().(*syscall.Stat_t); ok {
			add(s.Uid != 0 || s.Gid != 0, "is not root's")
		}
		add(mode.IsRegular() && mode.Perm()&0o111 != 0 && !slices.Contains(programs, name), "is a program")
		return nil
	})
	return found, err
}

func TestFaultsOfARootAreFound(t *testing.T) {
	for _, tt := range []struct{ fact, script, want string }{
		{"none", "true", ""},
		{"a shell", "mkdir bin && touch bin/sh && chmod 755 bin/sh", "/bin/sh is a program"},
		{"a program that changes its user", "chmod u+s usr/app", "/usr/app changes its user"},
		{"a folder to write to", "chmod o+w usr", "/usr can be written"},
		{"a link", "ln -s /proc/self/exe usr/link", "/usr/link is neither a file nor a folder"},
		{"a /tmp where users replace each other's files", "chmod 777 tmp", "/tmp has no sticky bit"},
	} {
		t.Run(tt.fact, func(t *testing.T) {
			if os.Getuid() != 0 {
				t.Skip("only root makes files of root")
			}
			dir := t.TempDir()
			run(t, dir, "sh", "-ec", "umask 022; chmod 755 .; mkdir usr tmp; chmod 1777 tmp; touch usr/app; chmod 755 usr/app; "+tt.script)
			found, err := faults(dir, "/usr/app")
			if got := strings.Join(found, "; "); err != nil || got != tt.want {
				t.Errorf("got %q, %v, want %q", got, err, tt.want)
			}
		})
	}
}

// run runs a program that succeeds, in a folder, and returns what it printed.
func run(t *testing.T, dir, program string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), program, args...)
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s %q: %v\n%s", program, args, err, out)
	}
	return string(out)
}
