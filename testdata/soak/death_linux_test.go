package soak_test

import "syscall"

// dieWithUs makes a child end when the tests do, even if they are killed.
func dieWithUs() *syscall.SysProcAttr { return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} }
