package kmstest

import (
	"os/exec"
	"syscall"
)

// dieWithParent ends a child with the process that starts it, also if that is killed.
func dieWithParent(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
}
