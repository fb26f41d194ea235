package client

import (
	"bytes"
	"os/exec"
	"strings"
	"testing"

	"repomill/ingest/deb"
	"repomill/ingest/rpm"
	"repomill/schemas/catalog"
	"repomill/schemas/layout"
	"repomill/testdata/debtest"
	"repomill/testdata/rpmtest"
)

// The parts of an install line that a pusher may choose are each one word of a shell: names of repositories, components and
// packages, with each accepted character of ASCII.
func TestI09NamesInInstallLinesAreWords(t *testing.T) {
	var names, all []string
	for c := byte(1); c < 0x80; c++ {
		name := "a" + string(c) + "b"
		if layout.CheckRepository(catalog.Repository{Owner: name, Name: name}) == nil || layout.CheckComponent(name) == nil {
			names = append(names, name)
		}
		if _, err := deb.Peek(bytes.NewReader(debtest.Build(t, debtest.Spec{Name: name}))); err == nil {
			names = append(names, name)
		}
		if _, err := rpm.Peek(bytes.NewReader(rpmtest.Build(t, rpmtest.Spec{Name: name}))); err == nil {
			names = append(names, name)
		}
	}
	if len(names) < 3*36 {
		t.Fatalf("only %q are taken", names)
	}
	out, err := exec.Command("sh", "-c", `printf '%s\n' `+strings.Join(names, " ")).CombinedOutput()
	for line := range strings.Lines(string(out)) {
		all = append(all, strings.TrimSuffix(line, "\n"))
	}
	if got, want := strings.Join(all, "\n"), strings.Join(names, "\n"); err != nil || got != want {
		t.Errorf("a shell reads %q as %q, %v", names, all, err)
	}
}
