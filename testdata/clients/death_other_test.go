//go:build !linux

package clients_test

import "syscall"

func dieWithUs() *syscall.SysProcAttr { return nil }
