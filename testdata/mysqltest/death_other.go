//go:build !linux

package mysqltest

import "syscall"

// dieWithUs can promise nothing here: tests that are killed leave their server running.
func dieWithUs() *syscall.SysProcAttr { return nil }
