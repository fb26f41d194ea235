package main

import (
	"io"
	"testing"

	"repomill/pipelines/command"
)

// The resolver acts on nothing: each of its settings may come from the environment.
func TestEnvironment(t *testing.T) {
	line := command.Line{Name: "repomill-resolver", Out: io.Discard, Err: io.Discard}
	for flag, variables := range line.Environment(&Config{}) {
		if want := flag != "help" && flag != "version"; (len(variables) == 1) != want {
			t.Errorf("--%s has %q", flag, variables)
		}
	}
}
