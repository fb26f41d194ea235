package main_test

import (
	"os/exec"
	"testing"

	"repomill/testdata/proctest"
)

// start starts the program with a command that takes a while; it ends with the test.
func start(t *testing.T, args ...string) *proctest.Process {
	t.Helper()
	path, err := program()
	if err != nil {
		t.Fatal(err)
	}
	return begin(t, path, args...)
}

// begin starts any command as start does.
func begin(t *testing.T, name string, args ...string) *proctest.Process {
	t.Helper()
	cmd := exec.Command(name, args...)
	cmd.Env = []string{"LC_ALL=C.UTF-8"}
	return proctest.Begin(t, cmd)
}
