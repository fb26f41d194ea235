//go:build !linux

package soak_test

import "syscall"

func dieWithUs() *syscall.SysProcAttr { return nil }
