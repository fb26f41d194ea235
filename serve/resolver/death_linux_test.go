package main

import "syscall"

// dieWithUs makes a child end when the tests do, even if they are killed. nginx, asked to end so, takes
// its workers with it.
func dieWithUs() *syscall.SysProcAttr { return &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM} }
