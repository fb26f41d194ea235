package proctest

import (
	"os/exec"
	"syscall"
)

// DieWithParent has a command killed when the tests end, also if they are killed. The kernel sends the signal when the
// thread that started the command ends: do not start it in a goroutine that ends while it is locked to its thread.
func DieWithParent(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} }

// EndWithParent is DieWithParent with SIGTERM, for commands that have children to end, as nginx has.
func EndWithParent(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM} }
