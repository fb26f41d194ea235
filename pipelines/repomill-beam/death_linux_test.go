package main_test

import (
	"os/exec"
	"syscall"
)

// dieWithUs makes a child end when the tests do, even if they are killed.
func dieWithUs(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} }
