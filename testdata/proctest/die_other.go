//go:build !linux

package proctest

import "os/exec"

// DieWithParent does nothing here: only Linux ends a child with its parent, and tests that are killed leave it running.
func DieWithParent(*exec.Cmd) {}

// EndWithParent does nothing here.
func EndWithParent(*exec.Cmd) {}
