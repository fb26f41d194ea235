//go:build !linux

package deploy_test

import "syscall"

func dieWithUs() *syscall.SysProcAttr { return nil }
