//go:build !linux

package pipelines_test

import "syscall"

func dieWithUs() *syscall.SysProcAttr { return nil }
