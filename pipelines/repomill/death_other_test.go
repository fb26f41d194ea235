//go:build !linux

package main_test

import "syscall"

func dieWithUs() *syscall.SysProcAttr { return nil }
